"""Many devices in one gateway: what one more of them costs, idle and at a value a second each."""

import os
import time

from .counters import connections, cpu_seconds, descriptors, memory, threads, wake_ups, wake_ups_between
from .processes import BenchmarkError, Sink, wait_for
from .ttys import Line

# The number of devices, the gateway's own among them, and whether they poll.
SITUATIONS = ((1, True), (1, False), (100, True), (1000, False))
QUICK_SITUATIONS = ((1, True), (1, False), (4, True), (60, False))
STATES = ("idle", "1 value/s")
PER_PORT = 50  # sensors, each of a device of its own
SETTLE_WITHOUT_POLLS = 5.0  # seconds: the first attributes are sent
WARM_UP_LIMIT = 120.0  # seconds until a reading of every device has to be there


def name(count, polls):
    return f"{count} {'polling' if polls else 'sending'}"


class Gateway:
    """A daemon with `count` devices, a line sensor each, on as few ports as carry them."""

    def __init__(self, place, daemon, count, polls):
        self.count = count
        self.lines = [Line(f"p{index}") for index in range(-(-count // PER_PORT))]
        self.sink = Sink(['"v":'])
        try:
            self.child = daemon.start_devices(place, self.sink.url, self.lines, count, PER_PORT, polls)
            self.child.notify.wait(self.child)
        except BaseException:
            self.stop()
            raise

    def write(self, port):
        """One reading of each sensor of a port."""
        first = port * PER_PORT
        last = min(first + PER_PORT, self.count)
        self.lines[port].write(b"".join(b"%d=%d\n" % (index, 20) for index in range(first, last)))

    def taken(self):
        return self.sink.counts()[1]

    def warm_up(self):
        """Until every port is read: a port's first line, and what stood before it, is thrown away."""
        deadline = time.monotonic() + WARM_UP_LIMIT
        for port in range(len(self.lines)):
            self.lines[port].write(b"\n")
            seen = self.taken()
            while self.taken() == seen:
                self.child.check_running()
                if time.monotonic() > deadline:
                    raise BenchmarkError(f"no reading of port {port} has arrived\n{self.child.log_tail()}")
                self.write(port)
                time.sleep(0.2)

    def feed(self, seconds):
        """A reading a second of every sensor; the ports take turns. Returns how many were written."""
        start = time.monotonic()
        for turn in range(seconds * len(self.lines)):
            time.sleep(max(0, start + turn / len(self.lines) - time.monotonic()))
            self.write(turn % len(self.lines))
        time.sleep(max(0, start + seconds - time.monotonic()))
        return seconds * self.count

    def requests(self):
        """What the daemon asked for."""
        return sum(entry[0] for kind, entry in self.sink.traffic().items() if kind not in ("counts", "traffic"))

    def observe(self, seconds, body):
        """What `body` costs a second, and what there is behind it."""
        pid = self.child.pid
        cpu, switches, requests, start = cpu_seconds(pid), wake_ups(pid), self.requests(), time.monotonic()
        body(seconds)
        span = time.monotonic() - start
        self.child.check_running()
        return {
            "seconds": seconds,
            "cpu_ms_per_second": (cpu_seconds(pid) - cpu) * 1000 / span,
            "wake_ups_per_second": wake_ups_between(switches, wake_ups(pid)) / span,
            "requests_per_second": (self.requests() - requests) / span,
            "threads": threads(pid),
            "descriptors": descriptors(pid),
            "connections": connections(pid, self.sink.port),
            **memory(pid),
        }

    def stop(self):
        if child := getattr(self, "child", None):
            child.__exit__()
            child.notify.close()
        self.sink.stop()
        for line in self.lines:
            line.close()


def measure_once(place, daemon, count, polls, seconds, settle):
    gateway = Gateway(place, daemon, count, polls)
    try:
        gateway.warm_up()
        time.sleep(settle if polls else min(settle, SETTLE_WITHOUT_POLLS))
        idle = gateway.observe(seconds, time.sleep)
        before = gateway.taken()
        written = 0

        def feed(span):
            nonlocal written
            written = gateway.feed(span)

        busy = gateway.observe(seconds, feed)
        wait_for(
            f"the arrival of {written} readings", gateway.child, lambda: gateway.taken() - before >= written, every=0.2)
        if (arrived := gateway.taken() - before) != written:
            raise BenchmarkError(f"{written} readings were sent, {arrived} arrived")
        gateway.child.stop()
    finally:
        gateway.stop()
    return {"devices": count, **dict(zip(STATES, (idle, busy)))}


def measure(place, daemon, situations, seconds, settle, progress):
    """Each situation by its name. `per_device` is what one more device adds to PSS, in bytes.

    Of PSS the part without a file behind it counts: pages of libraries and of the program do not grow with devices, but
    their share does with every other process that comes or goes.

    `settle` is the seconds before an idle span: polls begin spread over 25, and the first attributes go meanwhile.
    """
    found = {}
    for count, polls in situations:
        progress(f"devices: {name(count, polls)}, {seconds} s idle and {seconds} s at 1 value/s each")
        found[name(count, polls)] = measure_once(place, daemon, count, polls, seconds, settle)
    key = "pss_anonymous"
    for count, polls in situations:
        one, many = found[name(1, polls)], found[name(count, polls)]
        for state in STATES if count > 1 else ():
            many[state]["per_device"] = (many[state][key] - one[state][key]) / (count - 1)
    return found
