"""What the kernel counts for a process."""

import os
import time


def cpu_seconds(pid):
    """User and system time of all threads a process has or had, from its CPU-time clock (ns resolution)."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9  # CLOCK_SCHED of that process: clock_getcpuclockid(3)


def fields(path):
    """`name: number …` lines as a dictionary of the first numbers."""
    found = {}
    with open(path) as file:
        for line in file:
            name, _, rest = line.partition(":")
            words = rest.split()
            if words and words[0].isdigit():
                found[name] = int(words[0])
    return found


def wake_ups(pid):
    """Context switches, voluntary and involuntary, by thread."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            status = fields(f"/proc/{pid}/task/{thread}/status")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[thread] = status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]
    return found


def wake_ups_between(before, after):
    return sum(count - before.get(thread, 0) for thread, count in after.items())


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connections(pid, port):
    """TCP connections a process has to a port, by the sockets among its descriptors."""
    sockets = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            sockets.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except FileNotFoundError:
            continue
    with open(f"/proc/{pid}/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and f"socket:[{row[9]}]" in sockets for row in rows)


def memory(pid):
    """Bytes: proportional and resident set now, of the former what no file is behind, the highest resident set so far."""
    rollup = fields(f"/proc/{pid}/smaps_rollup")
    return {
        "pss": rollup["Pss"] * 1024,
        "pss_anonymous": rollup["Pss_Anon"] * 1024,
        "rss": rollup["Rss"] * 1024,
        "peak_rss": fields(f"/proc/{pid}/status")["VmHWM"] * 1024,
    }


def bytes_to_disk(pid):
    """Bytes a process caused to be written to block devices: whole pages; tmpfs does not count."""
    return fields(f"/proc/{pid}/io")["write_bytes"]


def filesystem_type(path):
    """The type of the filesystem a path lies on."""
    path = os.path.realpath(path)
    best, kind = "", "unknown"
    with open("/proc/self/mounts") as file:
        for line in file:
            _, mount, type_ = line.split(" ")[:3]
            inside = path == mount or path.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best):
                best, kind = mount, type_
    return kind


def sharers(library, pid):
    """How many other processes have a library mapped: with every one, `pid`'s PSS gets smaller."""
    count = 0
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{other}/maps") as file:
                count += int(other) != pid and any(library in line for line in file)
        except OSError:
            continue
    return count
