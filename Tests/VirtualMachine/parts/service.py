"""The unit as it is shipped: start, user, sandbox, journal, end."""

import re

from harness.adapter import Adapter
from harness.bench import configure, journal, start_daemon, unit_property

WHAT = "the daemon under its own unit: Type=notify, its user, the sandbox, journald's fields, stop, wrong configuration"

CONFIGURATION = """ports:
  arduino: {path: /dev/ttyUSB0, baud: 115200}
sensors:
  climate: {port: arduino, protocol: line, template: "T={temperature},H={humidity}"}
upload: {interval: 100ms}
"""
# `systemd-analyze security` counts from 0 (best) to 10.
EXPOSURE_LIMIT = 3.0


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        adapter = Adapter(machine, "arduino")
        adapter.plug("1")
        checks.that(machine.wait_for("[ -c /dev/ttyUSB0 ]"), "udev has made /dev/ttyUSB0 for the adapter")
        start_daemon(machine, CONFIGURATION)
        checks.that(unit_property(machine, "ActiveState") == "active", "systemctl start returns when the daemon is READY")
        text = unit_property(machine, "StatusText")
        checks.that("port" in text, "systemd shows the daemon's own status", text)

        machine.wait_for("journalctl -q BAUDGATE_PORT=arduino | grep -q .")
        adapter.say("garbage\nT=21.5,H=40\nT=22.5,H=41\n")
        checks.that(server.wait(lambda: server.latest("temperature") == "22.5"), "a reading reaches the server")
        see_process(machine, checks)
        see_journal(machine, adapter, server, checks)
        exposure = machine.output("systemd-analyze security --no-pager baudgate | tail -1")
        figure = float(re.search(r"(\d+\.\d+)", exposure)[1])
        checks.that(figure <= EXPOSURE_LIMIT, f"systemd-analyze security finds an exposure of {EXPOSURE_LIMIT} at most",
                    figure)
        see_reload(machine, checks)
        see_stop(machine, checks)
        see_wrong_file(machine, checks)


def see_process(machine, checks):
    owner = machine.output("ps -o user= -C baudgated 2>/dev/null || stat -c %U /proc/$(systemctl show -P MainPID baudgate)")
    checks.that(owner.strip() == "baudgate", "it runs as the user baudgate", owner)
    paths = machine.output("stat -c '%n %U %a' /var/lib/baudgate /run/baudgate")
    checks.that(paths.split("\n") == ["/var/lib/baudgate baudgate 700", "/run/baudgate baudgate 750"],
                "its two directories are its own", paths)
    denied = machine.run("""pid=$(systemctl show -P MainPID baudgate)
        nsenter -t $pid -m sh -c 'touch /etc/x || touch /usr/x || touch /home/x || touch /var/x'""", check=False)
    checks.that(denied.status != 0, "in its sandbox nothing else can be written", denied.err.strip().split("\n")[-1])


def see_journal(machine, adapter, server, checks):
    entries = journal(machine, "-u baudgate", "BAUDGATE_PORT=arduino")
    checks.that(entries, "journalctl BAUDGATE_PORT=arduino finds the port's lines",
                entries[0]["MESSAGE"] if entries else "none")
    adapter.say("T=oops,H=40\n")
    machine.wait_for("journalctl -q BAUDGATE_SENSOR=climate | grep -q .")
    entries = journal(machine, "BAUDGATE_SENSOR=climate")
    checks.that(entries, "journalctl BAUDGATE_SENSOR=climate finds the sensor's lines",
                entries[0]["MESSAGE"] if entries else "none")
    expected = {"_SYSTEMD_UNIT": "baudgate.service", "SYSLOG_IDENTIFIER": "baudgated"}
    fields = {key: entries[0].get(key) for key in (*expected, "PRIORITY")} if entries else {}
    checks.that(entries and expected.items() <= fields.items(), "they carry unit, identifier and priority", fields)
    whole = machine.output("journalctl -o export -u baudgate")
    checks.that("VM_TEST_TOKEN" not in whole, "no line of the journal has the token")


def see_reload(machine, checks):
    machine.run("sed -i 's/T={temperature}/X={temperature}/' /etc/baudgate/baudgate.yaml && systemctl reload baudgate")
    checks.that(unit_property(machine, "ActiveState") == "active", "systemctl reload takes a changed file")
    machine.run("sed -i 's/sensors:/sensorz:/' /etc/baudgate/baudgate.yaml")
    failed = machine.run("systemctl reload baudgate", check=False)
    checks.that(failed.status != 0 and unit_property(machine, "ActiveState") == "active",
                "a reload of a wrong file fails and the daemon goes on")
    text = machine.output("journalctl -u baudgate -n 20 -o cat")
    checks.that("sensorz" in text and "baudgate.yaml:" in text, "the journal says where it is wrong")
    machine.run("sed -i 's/sensorz:/sensors:/' /etc/baudgate/baudgate.yaml")


def see_stop(machine, checks):
    machine.run("systemctl stop baudgate", 60)
    result = unit_property(machine, "Result")
    checks.that(result == "success", "systemctl stop ends it in order", result)
    left = machine.output("ls /run/baudgate")
    checks.that(left != "", "the hot log outlives the stop", left.replace("\n", " "))


def see_wrong_file(machine, checks):
    machine.run("rm -rf /var/lib/baudgate/*")
    configure(machine, "sensors: {a: {port: nowhere, protocol: line}}\n")
    machine.run("systemctl start baudgate", 90, check=False)
    machine.wait_for("[ $(systemctl show -P ActiveState baudgate) = failed ]")
    code = unit_property(machine, "ExecMainStatus")
    checks.that((code, unit_property(machine, "NRestarts")) == ("78", "0"),
                "without a valid file it ends with 78 and is not restarted", code)
