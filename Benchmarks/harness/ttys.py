"""Virtual serial lines: ptys that are fed at the pace of a sensor."""

import fcntl
import os
import pty
import select
import time
import tty

WARM_UP = -1.0  # the temperature of lines that are not counted
SENTINEL = -2.0  # the last of them
WRITE_LIMIT = 20.0  # seconds a reader may leave a line full


class Line:
    """One pty; the runner keeps its slave open, so that a reader that ends does not hang it up."""

    def __init__(self, name):
        self.name = name
        self.master, self.slave = pty.openpty()
        self.path = os.ttyname(self.slave)
        tty.setraw(self.slave)  # an echo would come back to the master
        fcntl.fcntl(self.master, fcntl.F_SETFL, os.O_NONBLOCK)

    def write(self, text):
        rest = memoryview(text)
        deadline = time.monotonic() + WRITE_LIMIT
        while rest:
            try:
                rest = rest[os.write(self.master, rest) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.path} ({self.name}) is not read any more")
                select.select([], [self.master], [], 0.5)

    def close(self):
        os.close(self.slave)
        os.close(self.master)


def reading(index):
    """A line of 14 bytes: 800 of them a second just fit 115,200 baud. One temperature in ten has no fraction."""
    return b"T=%d.%d,H=%d.%d\n" % (20 + index // 10 % 10, index % 10, 40 + index % 50, index // 3 % 10)


CYCLE = [reading(index) for index in range(400)]


def marked(value):
    return b"T=%.1f,H=50.0\n" % value


def feed(lines, count, rate, chunk_interval=0.010):
    """Writes `count` readings to every line, `rate` a second each, in chunks as a USB adapter delivers them.

    The lines take turns, so that their chunks do not fall together. Returns the seconds it was late at worst.
    """
    per_chunk = max(1, round(rate * chunk_interval))
    chunks = [b"".join(CYCLE[at : at + per_chunk]) for at in range(0, len(CYCLE) - per_chunk + 1, per_chunk)]
    total = -(-count // per_chunk)
    worst = 0.0
    start = time.monotonic()
    for turn in range(total * len(lines)):
        round_, line = divmod(turn, len(lines))
        due = start + (round_ + line / len(lines)) * per_chunk / rate
        early = due - time.monotonic()
        if early > 0:
            time.sleep(early)
        worst = max(worst, -early)
        left = count - round_ * per_chunk
        chunk = chunks[round_ % len(chunks)] if left >= per_chunk else b"".join(CYCLE[:left])
        lines[line].write(chunk)
    return worst
