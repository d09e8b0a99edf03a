"""Four lines at full pace: what a reading costs."""

from statistics import median

from .counters import cpu_seconds, memory, wake_ups, wake_ups_between
from .rig import Rig
from .ttys import feed

LINES = 4
RATE = 800  # readings a second and line


def measure_once(place, program, readings):
    """CPU seconds per 100,000 readings from the first counted byte to the last 200, and what else was seen."""
    count = readings // LINES
    with Rig(place, program, LINES) as rig:
        cpu, switches = cpu_seconds(rig.pid), wake_ups(rig.pid)
        late = feed(rig.lines, count, RATE)
        rig.wait_for_arrival(count)
        cpu = cpu_seconds(rig.pid) - cpu
        switches = wake_ups_between(switches, wake_ups(rig.pid))
        requests = rig.requests()
        used = memory(rig.pid)
        rig.child.stop()
    return {
        "cpu_seconds_per_100k": cpu * 100_000 / (count * LINES),
        "wake_ups_per_1k": switches * 1000 / (count * LINES),
        "readings_per_request": count * LINES / requests,
        "late_ms": late * 1000,
        **used,
    }


def measure(place, programs, readings, runs, progress):
    """The medians of `runs` runs of each program; the programs take turns, so that both see the same machine."""
    found = {program.name: [] for program in programs}
    for run in range(1, runs + 1):
        for program in programs:
            result = measure_once(place, program, readings)
            found[program.name].append(result)
            progress(
                f"load {run}/{runs}: {program.name}: {result['cpu_seconds_per_100k']:.3f} CPU s per 100,000 lines, "
                f"{result['readings_per_request']:.0f} readings a request, fed {result['late_ms']:.0f} ms late")
    return {
        name: {"runs": results, **{key: median(result[key] for result in results) for key in results[0]}}
        for name, results in found.items()
    }
