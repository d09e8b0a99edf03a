"""Commands: from the server's hand-over to the line's change, and to the reply's arrival."""

import ctypes
import json
import os
import select
import struct
import time
from statistics import median

from .processes import BenchmarkError, Sink, wait_for

IN_MODIFY = 0x2
LIMIT = 10.0  # seconds a command may take at worst
# Seconds between two commands. Commands are rare: both programs come from sleep, and neither is held back by the
# daemon's least spacing of polls, 50 ms.
PAUSE = 0.06


class LineFile:
    """A simulated line as its reader sees it: inotify(7) tells of each write."""

    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, path):
        self.path = path
        self.descriptor = self.libc.inotify_init1(os.O_CLOEXEC)
        if self.descriptor < 0 or self.libc.inotify_add_watch(self.descriptor, path.encode(), IN_MODIFY) < 0:
            raise BenchmarkError(f"{path} cannot be watched: {os.strerror(ctypes.get_errno())}")

    def wait_for(self, value):
        """The monotonic nanosecond at which the line was seen to have `value`."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if select.select([self.descriptor], [], [], 0.5)[0]:
                seen = time.monotonic_ns()
                os.read(self.descriptor, 65536)
                with open(self.path, "rb") as file:
                    if file.read(1) == b"%d" % value:
                        return seen
        raise BenchmarkError(f"{self.path} did not become {value} within {LIMIT:.0f} s")

    def close(self):
        os.close(self.descriptor)


def measure_once(place, program, count):
    """Milliseconds from hand-over to the line, and to the reply, of `count` commands."""
    with Sink([]) as sink:
        chip = place.memory("chip")
        path = os.path.join(chip, "line23")
        child = program.start_commands(place, sink.url, chip)
        with child:
            if notify := getattr(child, "notify", None):
                notify.wait(child)
            wait_for("the line's first value", child, lambda: os.path.exists(path) and os.path.getsize(path) == 1)
            line = LineFile(path)
            to_line, to_reply = [], []
            for index in range(count):
                value = (index + 1) % 2
                child.check_running()
                time.sleep(PAUSE)
                if not sink.ask("GET", "/idle"):
                    raise BenchmarkError(f"{child.name} does not poll for commands\n{child.log_tail()}")
                body = json.dumps({"method": "setGpio", "params": {"pin": 23, "value": value}}).encode()
                number = sink.ask("POST", "/command", body)
                changed = line.wait_for(value)
                if not (pair := sink.ask("GET", f"/command/{number}")):
                    raise BenchmarkError(f"{child.name} did not answer a command\n{child.log_tail()}")
                handed, answered = pair
                to_line.append((changed - handed) / 1e6)
                to_reply.append((answered - handed) / 1e6)
            line.close()
            if notify:
                notify.close()
    return to_line, to_reply


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(place, programs, count, runs, progress):
    """p50 and p99 over all runs; the programs take turns."""
    found = {program.name: ([], []) for program in programs}
    for run in range(1, runs + 1):
        for program in programs:
            to_line, to_reply = measure_once(place, program, count)
            found[program.name][0].extend(to_line)
            found[program.name][1].extend(to_reply)
            progress(
                f"commands {run}/{runs}: {program.name}: {median(to_line):.3f} ms to the line, "
                f"{median(to_reply):.3f} ms to the reply")
    return {
        name: {
            "commands": len(to_line),
            "line_p50": median(to_line), "line_p99": percentile(to_line, 0.99),
            "reply_p50": median(to_reply), "reply_p99": percentile(to_reply, 0.99),
        }
        for name, (to_line, to_reply) in found.items()
    }
