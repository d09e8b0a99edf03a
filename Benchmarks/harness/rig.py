"""A program at work: lines in front of it, the sink behind it."""

from contextlib import ExitStack

from .processes import BenchmarkError, Sink, wait_for
from .ttys import SENTINEL, WARM_UP, Line, marked


class Rig:
    """Starts a program with `count` lines and a sink and brings it to where every line is read.

    A program throws away what stands before the first line end after it has opened a port, and nothing says when that
    was. So warm-up readings go out until one of each line has arrived; then a sentinel, behind which only counted
    readings come.
    """

    def __init__(self, place, program, count):
        self.stack = ExitStack()
        try:
            self.lines = [Line(f"s{index}") for index in range(count)]
            for line in self.lines:
                self.stack.callback(line.close)
            keys = [f'"{line.name}.temperature":' for line in self.lines]
            self.sink = self.stack.enter_context(Sink([*keys, *(f"{key}{SENTINEL}" for key in keys)]))
            self.child = program.start(place, self.sink.url, self.lines)
            if notify := getattr(self.child, "notify", None):
                self.stack.callback(notify.close)
                self.stack.enter_context(self.child)
                notify.wait(self.child)
            else:
                self.stack.enter_context(self.child)
            self.warm_up()
        except BaseException:
            self.stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    @property
    def pid(self):
        return self.child.pid

    def warm_up(self):
        def write(text):
            for line in self.lines:
                line.write(text)

        def all_arrived():
            write(marked(WARM_UP))
            return all(self.sink.counts()[1 : 1 + len(self.lines)])

        write(b"\n")
        wait_for("the first reading of every line", self.child, all_arrived, every=0.1)
        write(marked(SENTINEL))
        wait_for(
            "the end of the warm-up", self.child,
            lambda: all(count == 1 for count in self.sink.counts()[1 + len(self.lines) :]))
        self.before = self.sink.counts()

    def requests(self):
        return self.sink.counts()[0] - self.before[0]

    def arrived(self):
        """Readings of each line that have arrived since the warm-up."""
        counts = self.sink.counts()
        return [counts[1 + index] - self.before[1 + index] for index in range(len(self.lines))]

    def wait_for_arrival(self, expected):
        """Waits until `expected` readings of every line are there; fewer, or more, is an error."""
        wait_for(
            f"the arrival of {expected} readings a line (last seen: {self.arrived()})", self.child,
            lambda: all(count >= expected for count in self.arrived()))
        if any(count != expected for count in self.arrived()):
            raise BenchmarkError(f"{self.child.name}: {expected} readings a line were sent, {self.arrived()} arrived")
