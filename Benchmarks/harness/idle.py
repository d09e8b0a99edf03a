"""One sensor at a line a second: what it costs to be there."""

import time

from .counters import bytes_to_disk, cpu_seconds, memory, sharers, threads, wake_ups, wake_ups_between
from .rig import Rig
from .ttys import CYCLE

SETTLE = 3  # readings before measuring, so that start-up is over


def tick(rig, seconds):
    """One reading a second; returns in the middle between two."""
    start = time.monotonic()
    for second in range(seconds):
        rig.child.check_running()
        rig.lines[0].write(CYCLE[second % len(CYCLE)])
        time.sleep(max(0, start + second + 1 - time.monotonic()))


def observe(rig, seconds):
    """What `seconds` seconds with one reading each cost."""
    pid = rig.pid
    # Half a second after a reading and its request: both ends of the span lie in the quiet part of a second.
    time.sleep(0.5)
    cpu, switches, written = cpu_seconds(pid), wake_ups(pid), bytes_to_disk(pid)
    time.sleep(0.5)
    tick(rig, seconds - 1)
    rig.lines[0].write(CYCLE[0])
    time.sleep(0.5)
    return {
        "seconds": seconds,
        "wake_ups_per_second": wake_ups_between(switches, wake_ups(pid)) / seconds,
        "disk_bytes_per_sample": (bytes_to_disk(pid) - written) / seconds,
        "cpu_ms_per_second": (cpu_seconds(pid) - cpu) * 1000 / seconds,
        "threads": threads(pid),
        "libcurl_sharers": sharers("libcurl", pid),
        **memory(pid),
    }


def measure(place, program, seconds, offline_settle):
    """Online, then with the server gone.

    `offline_settle` is the seconds between the server's end and the measurement: longer than `queue.persist_after`, so
    that the card is in its steady state.
    """
    with Rig(place, program, 1) as rig:
        tick(rig, min(SETTLE, seconds))
        online = observe(rig, seconds)
        rig.wait_for_arrival(min(SETTLE, seconds) + seconds)
        if offline_settle is None:
            rig.child.stop()
            return {"online": online}
        time.sleep(0.5)
        rig.sink.stop()
        tick(rig, offline_settle)
        offline = observe(rig, seconds)
        rig.child.stop()
    return {"online": online, "offline": offline}
