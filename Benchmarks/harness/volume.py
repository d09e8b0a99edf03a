"""Data volume: bytes and requests a day, idle and at a line a second, for the default and for `link: metered`."""

import time
from concurrent.futures import ThreadPoolExecutor

from .idle import tick
from .processes import BenchmarkError, wait_for
from .rig import Rig
from .status import status

DAY = 86_400
SETTLE = 3  # seconds after the last of the start-up's requests
STATES = ("idle", "1 line/s")
# The daemon counts what the kernel has seen acknowledged, the sink what it has read and written.
BYTES_ON_THEIR_WAY = 1024


class Profile:
    """`intervals`: what comes at an interval. Kind of request: seconds between two in the field."""

    def __init__(self, name, link, intervals, more=""):
        self.name, self.link, self.intervals, self.more = name, link, intervals, more


PROFILES = [
    # Whatever polls tell, all shared attributes are read again every 15 minutes.
    Profile("default", "unmetered", {"attribute read": 900}),
    # Looks come more often here, to see some, and are counted as rarely as there.
    Profile("metered", "metered", {"rpc poll": 300, "attribute read": 900},
            "downlink: {rpc: 10s, shared_attributes: 10s}\n"),
]


def kinds(sink):
    """What the program under test asked for."""
    return {kind: entry for kind, entry in sink.traffic().items() if kind not in ("counts", "traffic")}


def own_count(runtime):
    """Requests, bytes sent and bytes received as `baudgate status` shows them."""
    uplink = status(runtime)["uplink"]
    return [uplink[name] for name in ("requests_today", "bytes_sent_today", "bytes_received_today")]


def check_counts(rig, traffic):
    """The daemon's own count must be the sink's, but for what is on its way."""
    seen = [sum(entry[part] for entry in traffic.values()) for part in range(3)]
    own = own_count(rig.child.runtime)
    limits = (2, BYTES_ON_THEIR_WAY, BYTES_ON_THEIR_WAY)
    # A day that began meanwhile begins the daemon's count anew.
    if own[0] * 2 > seen[0] and any(abs(a - b) > limit for a, b, limit in zip(seen, own, limits)):
        raise BenchmarkError(f"baudgated counts {own} requests, bytes sent and received, the sink {seen}")


def wait_for_start_up(rig):
    """What is sent once: client attributes, the first reading of the shared ones."""
    def is_over():
        seen = kinds(rig.sink)
        return all(seen.get(kind, [0])[0] for kind in ("attributes", "attribute read"))

    wait_for("the first attributes", rig.child, is_over)
    time.sleep(SETTLE)


def per_day(before, after, seconds, intervals):
    """Requests and bytes, up and down, that a day of the traffic between two states has.

    A kind with an interval counts as often as that says, with the mean bytes of those seen since the start. Any other
    counts as often as it came; where that was more than once, by the time between, since a span holds few long polls.
    """
    requests = up = down = 0.0
    for kind, (count, received, sent, newest) in after.items():
        old_count, old_received, old_sent, oldest = before.get(kind, (0, 0, 0, None))
        if kind in intervals:
            number, rate = count, DAY / intervals[kind]
        else:
            number, received, sent = count - old_count, received - old_received, sent - old_sent
            rate = DAY * number / (newest - oldest if number > 1 and oldest else seconds)
        if number:
            requests += rate
            up += rate * received / number
            down += rate * sent / number
    return {"requests": requests, "bytes": up + down, "up": up, "down": down}


def measure_once(place, program, profile, state, seconds):
    with Rig(place, program, 1) as rig:
        wait_for_start_up(rig)
        before, start = kinds(rig.sink), time.monotonic()
        if state == "idle":
            time.sleep(seconds)
        else:
            tick(rig, seconds)
        after, span = kinds(rig.sink), time.monotonic() - start
        rig.child.check_running()
        check_counts(rig, after)
        rig.child.stop()
    return per_day(before, after, span, profile.intervals)


def measure(place, daemon, seconds, progress):
    """All at once: what is counted does not depend on how busy the machine is.

    `seconds` should hold several long polls, each of which is open for up to 25 s.
    """
    cases = [(profile, state) for profile in PROFILES for state in STATES]
    progress(f"volume: {len(cases)} daemons for {seconds} s")
    with ThreadPoolExecutor(len(cases)) as pool:
        runs = [
            pool.submit(measure_once, place, daemon.with_settings(profile.link, profile.more), profile, state, seconds)
            for profile, state in cases
        ]
        return {f"{profile.name}, {state}": run.result() for (profile, state), run in zip(cases, runs)}
