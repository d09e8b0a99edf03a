"""Four lines at 115,200 baud, as full as they get: nothing may be lost, and what that costs."""

import os
import select
import signal
import subprocess
import time

from .counters import cpu_seconds, memory, wake_ups, wake_ups_between
from .processes import BenchmarkError, Child, Sink, wait_for
from .status import status

LINES = 4
BYTES_PER_SECOND = 11_520  # 115,200 baud, ten bits a character
# The simulator's characters take eleven bits; at this rate as many of them pass.
SIMULATOR_BAUD = 126_720
# How the receiver hands bytes over: USB adapters every 16 ms or 62 bytes, UARTs every millisecond or 16 bytes.
RECEIVERS = {"USB adapters": ["--burst"], "UARTs": []}
# Seconds. The simulator waits where the kernel has no room left for more, some 68 KB; what a real line brings then is lost.
HELD_UP_LIMIT = 0.5


class PacedLine:
    """A virtual port on which the simulator sends `count` numbered lines without a pause."""

    def __init__(self, folder, simulator, name, receiver, count):
        self.name = name
        self.path = os.path.join(folder, name)
        self.finished_at = None
        self.child = Child(
            [simulator, "sensor", "--link", self.path, "--baud", str(SIMULATOR_BAUD), "--rate", "0", *receiver,
             "--template", "T={n},H={x}", "--count", str(count), "--stay"],
            stdout=subprocess.PIPE, stderr=None)
        wait_for("its port", self.child, lambda: os.path.exists(self.path), every=0.005)
        self.started_at = time.monotonic()

    def is_finished(self):
        """Whether all lines are sent, which the simulator says once."""
        if not self.finished_at:
            self.child.check_running()
            if select.select([self.child.process.stdout], [], [], 0)[0]:
                self.finished_at = time.monotonic()
        return bool(self.finished_at)

    def stop(self):
        if self.child.process.poll() is None:
            self.child.process.send_signal(signal.SIGINT)
        self.child.process.stdout.close()
        self.child.__exit__()


def lines_in(seconds):
    """How many lines a full line carries in that time, and their bytes."""
    count = size = 0
    while size < seconds * BYTES_PER_SECOND:
        size += len(f"T={count},H=20.50\n")
        count += 1
    return count, size


class Feed:
    """A program that reads four paced lines, and the sink that follows their numbers."""

    def __init__(self, place, program, simulator, receiver, count):
        self.lines = []
        self.keys = [f"s{index}.temperature" for index in range(LINES)]
        self.sink = Sink([], follow=self.keys)
        self.child = None
        try:
            folder = place.memory("lines")
            for index in range(LINES):
                self.lines.append(PacedLine(folder, simulator, f"s{index}", receiver, count))
            self.child = program.start(place, self.sink.url, self.lines)
            wait_for("the first reading of every line", self.child, lambda: None not in self.column(0))
        except BaseException:
            self.stop()
            raise

    def column(self, place):
        """Of every line the first number, the expected one, or the count of breaks."""
        numbers = self.sink.numbers()
        return [numbers[key][place] for key in self.keys]

    def check_numbers(self, count):
        """Waits for the last line of each port; a line that is missing, twice or out of order is an error."""
        wait_for("the arrival of the last lines", self.child, lambda: min(self.column(1)) >= count, every=0.1)
        for key, (first, expected, breaks, break_) in self.sink.numbers().items():
            if breaks or expected != count:
                raise BenchmarkError(
                    f"{self.child.name}: {key}: lines {first} to {count - 1} were sent; the numbers did not follow one "
                    f"another {breaks} times, first {break_}, and ended with {expected - 1}")

    def check_own_counts(self):
        """A daemon's own counts, of what it read, queued and delivered, must be the sink's."""
        if not (runtime := getattr(self.child, "runtime", None)):
            return
        arrived = sum(expected - first for first, expected, *_ in self.sink.numbers().values())
        own = status(runtime)
        samples = sum(sensor["samples"] for sensor in own["sensors"].values())
        errors = sum(sensor["errors"] for sensor in own["sensors"].values())
        queue, delivered, replaced = own["queue"], own["uplink"]["delivered"], own["values"]["replaced"]
        if [samples, delivered, queue["records"], queue["dropped"], errors, replaced] != [arrived, arrived, 0, 0, 0, 0]:
            raise BenchmarkError(
                f"{self.child.name} counts {samples} samples, {errors} errors, {replaced} values replaced, {delivered} records "
                f"delivered, {queue['records']} waiting, {queue['dropped']} dropped; {arrived} lines have arrived")

    def stop(self):
        if self.child:
            self.child.__exit__()
            if notify := getattr(self.child, "notify", None):
                notify.close()
        for line in self.lines:
            line.stop()
        self.sink.stop()


def measure_once(place, program, simulator, receiver, seconds, start_up):
    count, size = lines_in(start_up + seconds)
    feed = Feed(place, program, simulator, receiver, count)
    try:
        pid = feed.child.pid
        cpu, switches, start = cpu_seconds(pid), wake_ups(pid), time.monotonic()
        time.sleep(seconds)
        cpu, span = cpu_seconds(pid) - cpu, time.monotonic() - start
        switches = wake_ups_between(switches, wake_ups(pid))
        used = memory(pid)
        if any(line.is_finished() for line in feed.lines):
            raise BenchmarkError(f"{program.name}: its start took longer than {start_up} s; the lines are over")
        wait_for("the end of the lines", feed.child, lambda: all([line.is_finished() for line in feed.lines]))
        held_up = max(line.finished_at - line.started_at for line in feed.lines) - size / BYTES_PER_SECOND
        if held_up > HELD_UP_LIMIT:
            raise BenchmarkError(
                f"{program.name}: the lines took {held_up:.1f} s longer than real ones: it did not read fast enough, or "
                "the machine was too busy to send")
        feed.check_numbers(count)
        lines = sum(count - first for first in feed.column(0))
        lost = sum(feed.column(2))
        feed.check_own_counts()
        feed.child.stop()
    finally:
        feed.stop()
    return {
        "cpu_percent": cpu / span * 100,
        "wake_ups_per_second": switches / span,
        "lines": lines,
        "lost": lost,
        "held_up_ms": held_up * 1000,
        **used,
    }


def measure(place, programs, simulator, seconds, start_up, progress):
    """By receiver and program. Whatever is lost is an error.

    `start_up` is how many seconds of lines there are beyond those that are measured, for the programs to start.
    """
    found = {}
    for receiver, options in RECEIVERS.items():
        found[receiver] = {}
        for program in programs:
            result = measure_once(place, program, simulator, options, seconds, start_up)
            found[receiver][program.name] = result
            progress(
                f"rate, {receiver}: {program.name}: {result['cpu_percent']:.1f} % of a CPU, {result['lines']} lines, none "
                f"lost, {result['held_up_ms']:.0f} ms behind real lines")
    return found
