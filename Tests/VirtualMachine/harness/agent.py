"""Commands inside the machine, by qemu-guest-agent. Source: docs/interop/qemu-ga-ref of QEMU."""

import base64
import random
import time

from .channel import Channel, ChannelError


class Result:
    """Of a program that ran in the machine: its exit status and what it wrote, as text."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Agent:
    def __init__(self, path):
        self._path = path
        self._channel = Channel(path)

    def wait(self, within):
        """Until it answers: again and again, since what is sent before it runs is lost, or comes late."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            number = random.getrandbits(31)
            # A byte that is no JSON resets the other side's parser.
            self._channel.send({"execute": "guest-sync-delimited", "arguments": {"id": number}}, prefix=b"\xff")
            until = min(end, time.monotonic() + 3)
            while time.monotonic() < until:
                answer = self._channel.receive(until - time.monotonic())
                if answer is not None and answer.get("return") == number:
                    return
        raise ChannelError("the machine's agent does not answer")

    def start(self, program, arguments, stdin=None, keeps_output=True):
        """Its process id in the machine."""
        call = {"path": program, "arg": arguments, "capture-output": keeps_output}
        if stdin is not None:
            call["input-data"] = base64.b64encode(stdin).decode()
        return self._call("guest-exec", call)["pid"]

    def finish(self, pid, within):
        end = time.monotonic() + within
        pause = 0.02
        while True:
            state = self._call("guest-exec-status", {"pid": pid})
            if state["exited"]:
                out, err = (base64.b64decode(state.get(key, "")).decode(errors="replace")
                            for key in ("out-data", "err-data"))
                return Result(state.get("exitcode", -state.get("signal", 1)), out, err)
            if time.monotonic() > end:
                raise ChannelError(f"process {pid} in the machine has not ended within {within:.0f} s")
            time.sleep(pause)
            pause = min(0.2, pause * 1.5)

    def _call(self, name, arguments, within=30.0):
        self._channel.send({"execute": name, "arguments": arguments})
        answer = self._channel.receive(within)
        # Late answers to `wait`.
        while answer is not None and isinstance(answer.get("return"), int):
            answer = self._channel.receive(within)
        if answer is None:
            raise ChannelError(f"the machine's agent did not answer {name}")
        if "error" in answer:
            raise ChannelError(f"the machine's agent refuses {name}: {answer['error'].get('desc')}")
        return answer["return"]

    def close(self):
        self._channel.close()
