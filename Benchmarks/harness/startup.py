"""From exec to READY=1, and what the program weighs."""

import os
import shutil
import subprocess
from statistics import median

from .processes import BenchmarkError
from .ttys import Line


def measure_ready(place, daemon, starts):
    """Milliseconds from just before fork and exec to READY=1, with an empty queue and a port that is there."""
    found = []
    for _ in range(starts):
        line = Line("s0")
        try:
            # Nothing listens on the discard port: READY does not wait for the server.
            with daemon.start(place, "http://127.0.0.1:9", [line]) as child:
                try:
                    found.append((child.notify.wait(child) - child.started_at) * 1000)
                    child.stop()
                finally:
                    child.notify.close()
        finally:
            line.close()
    return {"median_ms": median(found), "lowest_ms": min(found), "highest_ms": max(found), "starts": starts}


def stripped_size(place, path):
    """Bytes of the program as `make install` leaves it."""
    copy = os.path.join(place.memory("stripped"), os.path.basename(path))
    shutil.copyfile(path, copy)
    try:
        subprocess.run(["strip", copy], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchmarkError(f"strip failed: {error}")
    return os.path.getsize(copy)
