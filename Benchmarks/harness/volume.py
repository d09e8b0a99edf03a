"""Data volume: bytes and requests a day, idle and at a line a second, for the default and for `link: metered`."""

import time

from .rig import Rig
from .idle import tick

DAY = 86_400

# Looks of `link: metered` come every 5 and 15 minutes; here they come more often and are counted as rarely as there.
# Kind of request: seconds between two in the field, seconds between two here.
METERED_LOOKS = {"rpc poll": (300, 10), "attribute read": (900, 10)}
METERED = "downlink: {rpc: 10s, shared_attributes: 10s}\n"


class Profile:
    def __init__(self, name, link, more="", looks=None):
        self.name, self.link, self.more, self.looks = name, link, more, looks or {}


PROFILES = [Profile("default", "unmetered"), Profile("metered", "metered", METERED, METERED_LOOKS)]


def per_day(before, after, seconds, looks):
    """Requests and bytes, up and down, that a day of the traffic between two states has."""
    requests = up = down = 0.0
    for kind, now in after.items():
        if kind in ("counts", "traffic", "command", "commands"):
            continue
        then = before.get(kind, [0, 0, 0])
        field, here = looks.get(kind, (1, 1))
        scale = DAY / seconds * here / field
        requests += (now[0] - then[0]) * scale
        up += (now[1] - then[1]) * scale
        down += (now[2] - then[2]) * scale
    return {"requests": requests, "bytes": up + down, "up": up, "down": down}


def measure(place, daemon, seconds, progress):
    """`seconds` long enough for several long polls: each is open for up to 25 s."""
    found = {}
    for profile in PROFILES:
        program = daemon.with_settings(link=profile.link, more=profile.more)
        with Rig(place, program, 1) as rig:
            for state in ("idle", "1 line/s"):
                progress(f"volume: {profile.name}, {state}: {seconds} s")
                before, start = rig.sink.traffic(), time.monotonic()
                if state == "idle":
                    time.sleep(seconds)
                else:
                    tick(rig, seconds)
                span = time.monotonic() - start
                rig.child.check_running()
                found[f"{profile.name}, {state}"] = per_day(before, rig.sink.traffic(), span, profile.looks)
            rig.child.stop()
    return found
