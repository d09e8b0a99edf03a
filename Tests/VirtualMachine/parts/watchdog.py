"""What systemd does about a loop that hangs and a daemon that is killed."""

from harness.adapter import Adapter, Talker
from harness.bench import journal, start_daemon, unit_property

WHAT = "a hung loop ends by WatchdogSec and the daemon starts again; so does a killed one"

CONFIGURATION = """ports:
  arduino: {path: /dev/ttyUSB0, baud: 115200}
sensors:
  counter: {port: arduino, protocol: line, template: "n={n:int}"}
upload: {interval: 100ms}
"""
# Shipped with 60 s, which would be waited for.
DROP_IN = """mkdir -p /run/systemd/system/baudgate.service.d
printf '[Service]\\nWatchdogSec=3\\nRestartSec=0\\n' > /run/systemd/system/baudgate.service.d/fast.conf
systemctl daemon-reload"""


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        adapter = Adapter(machine, "arduino")
        adapter.plug("1")
        machine.run(DROP_IN)
        machine.wait_for("[ -c /dev/ttyUSB0 ]")
        start_daemon(machine, CONFIGURATION)
        talker = Talker(adapter)
        checks.that(server.wait(lambda: server.latest("n") is not None), "readings reach the server")
        hang(machine, server, talker, checks)
        kill(machine, server, talker, checks)


def hang(machine, server, talker, checks):
    before = unit_property(machine, "MainPID")
    # A stopped process feeds no watchdog: to systemd it is a loop that hangs. It continues it to let SIGABRT in.
    machine.run(f"kill -STOP {before}")
    first = talker.next
    came = machine.wait_for(f"p=$(systemctl show -P MainPID baudgate); [ $p != 0 ] && [ $p != {before} ] && "
                            "[ $(systemctl show -P ActiveState baudgate) = active ]", 40)
    checks.that(came, "a loop that hangs is ended and started again", "NRestarts=" + unit_property(machine, "NRestarts"))
    text = "\n".join(str(entry["MESSAGE"]) for entry in journal(machine, "UNIT=baudgate.service"))
    checks.that("Watchdog timeout" in text and "status=6/ABRT" in text, "by the watchdog, with SIGABRT")
    checks.that(server.wait(lambda: int(server.latest("n") or 0) > first + 20), "readings flow again", server.latest("n"))


def kill(machine, server, talker, checks):
    before = unit_property(machine, "MainPID")
    start = int(server.latest("n"))
    server.wait(lambda: int(server.latest("n")) > start + 20)
    machine.run(f"kill -KILL {before}")
    # Half a second for the way to the daemon.
    seen = talker.next - 5
    came = machine.wait_for(f"p=$(systemctl show -P MainPID baudgate); [ $p != 0 ] && [ $p != {before} ] && "
                            "[ $(systemctl show -P ActiveState baudgate) = active ]", 40)
    checks.that(came, "a killed daemon is started again")
    checks.that(server.wait(lambda: int(server.latest("n") or 0) > seen + 20), "readings flow again", server.latest("n"))
    talker.stop()
    missing = sorted(set(range(start, seen)) - {int(text) for _, text in server.values("n")})
    checks.that(not missing and start < seen, "what it had read before is there", missing or f"{start} to {seen - 1}")
