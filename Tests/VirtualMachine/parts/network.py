"""The link goes and comes."""

import time

from harness.adapter import Adapter, Talker
from harness.bench import start_daemon, status

WHAT = "the network's link taken down and up: nothing is lost, and what waited stands on the disk"

CONFIGURATION = """ports:
  arduino: {path: /dev/ttyUSB0, baud: 115200}
sensors:
  counter: {port: arduino, protocol: line, template: "n={n:int}"}
upload: {interval: 100ms}
queue: {persist_after: 1s}
"""
DOWN = 12


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        adapter = Adapter(machine, "arduino")
        adapter.plug("1")
        machine.wait_for("[ -c /dev/ttyUSB0 ]")
        start_daemon(machine, CONFIGURATION)
        talker = Talker(adapter)
        checks.that(server.wait(lambda: server.latest("n") is not None), "readings reach the server")
        first = int(server.values("n")[0][1])

        machine.qmp.command("set_link", name="nic", up=False)
        checks.that(machine.wait_for("[ $(cat /sys/class/net/eth0/carrier) = 0 ]"), "the link is down")
        at_cut = int(server.latest("n"))
        time.sleep(DOWN)
        came = int(server.latest("n")) - at_cut
        checks.that(came < 20, "no reading comes through", f"{came} after the cut")
        queue = status(machine)["queue"]
        checks.that(queue["records"] >= 50, "they wait in the queue", f"{queue['records']} records")
        files = machine.output("find /var/lib/baudgate/queue -name '*.seg' -size +0 | wc -l")
        checks.that(int(files) > 0, "and on the disk", f"{files} files")

        machine.qmp.command("set_link", name="nic", up=True)
        up = time.monotonic()
        last = talker.stop() - 1
        # A retry waits up to 30 s by then.
        checks.that(server.wait(lambda: int(server.latest("n")) == last, 90), "with the link all of them come",
                    f"{time.monotonic() - up:.1f} s after it")
        numbers = [int(text) for _, text in server.values("n")]
        missing = sorted(set(range(first, last + 1)) - set(numbers))
        checks.that(not missing, "none is missing", missing[:10] or f"{first} to {last}")
        checks.that(numbers == sorted(numbers), "their times are in their order")
