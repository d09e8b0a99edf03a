"""The wall clock jumps."""

import time

from harness.adapter import Adapter, Talker
from harness.bench import start_daemon

WHAT = "the clock stepped forward and back by `date -s`: no reading is lost, times follow the clock"

CONFIGURATION = """ports:
  arduino: {path: /dev/ttyUSB0, baud: 115200}
sensors:
  counter: {port: arduino, protocol: line, template: "n={n:int}"}
upload: {interval: 100ms}
"""
HOUR = 3600


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        adapter = Adapter(machine, "arduino")
        adapter.plug("1")
        machine.wait_for("[ -c /dev/ttyUSB0 ]")
        start_daemon(machine, CONFIGURATION)
        talker = Talker(adapter)
        checks.that(server.wait(lambda: server.latest("n") is not None), "readings reach the server")
        first = int(server.values("n")[0][1])

        machine.run(f"date -s @{time.time() + HOUR:.3f}")
        forward = talker.next
        checks.that(server.wait(lambda: offset_of(server, forward + 5) is not None),
                    "after a step forward by an hour readings go on")
        offset = offset_of(server, forward + 5)
        checks.that(offset is not None and abs(offset - HOUR) < 10, "with the new time", f"{offset:.1f} s ahead")

        machine.run(f"date -s @{time.time():.3f}")
        back = talker.next
        checks.that(server.wait(lambda: offset_of(server, back + 5) is not None),
                    "after the step back they go on as well")
        offset = offset_of(server, back + 5)
        checks.note(f"{offset:.1f} s ahead of the host's clock right after the step back")
        last = talker.stop() - 1
        server.wait(lambda: str(last) in dict((text, ts) for ts, text in server.values("n")))
        numbers = {int(text) for _, text in server.values("n")}
        missing = sorted(set(range(first, last + 1)) - numbers)
        checks.that(not missing, "no reading is missing", missing[:10] or f"{first} to {last}")
        changes = machine.run("systemctl is-active baudgate && systemctl show -P NRestarts baudgate", check=False).out
        checks.that(changes.split() == ["active", "0"], "the daemon has run through")


def offset_of(server, number):
    """Seconds the time of a reading is ahead of now; `None` before it came."""
    found = [ts for ts, text in server.values("n") if text == str(number)]
    return found[0] / 1000 - time.time() if found else None
