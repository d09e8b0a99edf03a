"""Modbus RTU without a line between: how many questions a second, and what one costs."""

import subprocess
import time

from .counters import cpu_seconds, wake_ups, wake_ups_between
from .processes import BenchmarkError, Child, Sink, wait_for
from .status import status

UNITS = 8  # at 100 questions a second each more than the silences between frames leave room for
REGISTERS = 20
SETTLE = 1.0  # seconds after the first reading of every unit
# The daemon's count and the units' are not read at the same moment.
COUNT_TOLERANCE = 20


class Slave:
    """All units of the line: Benchmarks/c-gateway/modbus-slave.c."""

    def __init__(self, program):
        self.child = Child([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)
        self.path = self.child.process.stdout.readline().decode().strip()

    def ask(self, word):
        self.child.process.stdin.write(word + b"\n")
        self.child.process.stdin.flush()
        answered, dropped = map(int, self.child.process.stdout.readline().split())
        if dropped:
            raise BenchmarkError(f"{dropped} bytes on the line were no question")
        return answered

    def answered(self):
        return self.ask(b"count")

    def mute(self):
        """No unit answers any more. Returns how many questions were answered."""
        return self.ask(b"mute")

    def stop(self):
        self.child.process.stdin.close()
        self.child.process.stdout.close()
        self.child.__exit__()


def own_count(child):
    """Answers as the daemon counts them; `None` for a program that does not."""
    if not (runtime := getattr(child, "runtime", None)):
        return None
    units = status(runtime)["ports"]["bus"]["units"]
    return sum(unit["answered"] for unit in units.values())


def observe(child, slave, sink, seconds):
    wait_for("a reading of every unit", child, lambda: all(sink.counts()[1:]))
    time.sleep(SETTLE)
    own, answered, start = own_count(child), slave.answered(), time.monotonic()
    cpu, switches = cpu_seconds(child.pid), wake_ups(child.pid)
    time.sleep(seconds)
    cpu, switches = cpu_seconds(child.pid) - cpu, wake_ups_between(switches, wake_ups(child.pid))
    answered, span = slave.answered() - answered, time.monotonic() - start
    if own is not None and abs((own := own_count(child) - own) - answered) > COUNT_TOLERANCE:
        raise BenchmarkError(f"{child.name} counts {own} answers, the units {answered}")
    return {
        "requests_per_second": answered / span,
        "cpu_ms_per_1k": cpu * 1e6 / answered,
        "wake_ups_per_request": switches / answered,
    }


def measure_once(place, program, slave_program, seconds):
    slave = Slave(slave_program)
    sink = Sink([f'"m{unit}.r0":' for unit in range(1, UNITS + 1)])
    child = None
    try:
        child = program.start_modbus(place, sink.url, slave.path, UNITS, REGISTERS)
        found = observe(child, slave, sink, seconds)
        answered = slave.mute()
        wait_for(f"the arrival of {answered} answers", child, lambda: sum(sink.counts()[1:]) >= answered, every=0.1)
        if (arrived := sum(sink.counts()[1:])) != answered:
            raise BenchmarkError(f"{child.name}: {answered} questions were answered, {arrived} readings arrived")
        child.stop()
    finally:
        if child:
            child.__exit__()
            if notify := getattr(child, "notify", None):
                notify.close()
        sink.stop()
        slave.stop()
    return found


def measure(place, programs, slave, seconds, progress):
    found = {}
    for program in programs:
        found[program.name] = result = measure_once(place, program, slave, seconds)
        progress(
            f"modbus: {program.name}: {result['requests_per_second']:.0f} questions a second, "
            f"{result['cpu_ms_per_1k']:.1f} ms of CPU per 1,000")
    return found
