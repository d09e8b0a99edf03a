"""QEMU's monitor. Source: docs/interop/qmp-spec of QEMU."""

import time

from .channel import Channel, ChannelError


class Monitor:
    def __init__(self, path):
        self._channel = Channel(path)
        self._channel.receive(10)
        self.events = []
        self.command("qmp_capabilities")

    def command(self, name, /, within=60.0, **arguments):
        """Its result.

        - Throws: `ChannelError` where QEMU refuses, with its words.
        """
        # Its names have dashes, Python's cannot.
        names = {key.replace("_", "-"): value for key, value in arguments.items()}
        self._channel.send({"execute": name, "arguments": names})
        end = time.monotonic() + within
        while True:
            answer = self._next(end, name)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise ChannelError(f"QEMU refuses {name}: {answer['error'].get('desc')}")

    def device(self, driver, **properties):
        """`device_add`: properties keep their underscores."""
        self._channel.send({"execute": "device_add", "arguments": {"driver": driver, **properties}})
        answer = self._next(time.monotonic() + 20, f"device_add {driver}")
        while "return" not in answer and "error" not in answer:
            answer = self._next(time.monotonic() + 20, f"device_add {driver}")
        if "error" in answer:
            raise ChannelError(f"QEMU refuses the device {driver}: {answer['error'].get('desc')}")

    def human(self, line, within=120.0):
        """A command of the other monitor, for what QMP has not: `savevm`, `loadvm`."""
        text = self.command("human-monitor-command", within, **{"command-line": line})
        if "rror" in text:
            raise ChannelError(f"QEMU refuses `{line}`: {text.strip()}")
        return text

    def wait(self, event, within=20.0, **data):
        """The next event of this name with these data, one that has come already included."""
        end = time.monotonic() + within

        def fits(candidate):
            return candidate["event"] == event and all(
                candidate.get("data", {}).get(key) == value for key, value in data.items())

        while True:
            found = next((candidate for candidate in self.events if fits(candidate)), None)
            if found:
                self.events.remove(found)
                return found
            self._next(end, f"event {event}")

    def _next(self, end, what):
        answer = self._channel.receive(max(0.0, end - time.monotonic()))
        if answer is None:
            raise ChannelError(f"QEMU did not answer in time: {what}")
        if "event" in answer:
            self.events.append(answer)
        return answer

    def close(self):
        self._channel.close()
