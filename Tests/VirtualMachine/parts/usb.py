"""USB serial adapters pulled and plugged in again."""

import json

from harness.adapter import Adapter
from harness.bench import start_daemon, status

WHAT = "USB adapters by match: pulled and back as ttyUSB1, two swapped, two with one serial number, a hub pulled"

CONFIGURATION = """ports:
  cellar: {match: {vendor: "0403", product: "6001", serial: CELLAR}, baud: 115200}
  attic: {match: {serial: ATTIC}, baud: 115200}
sensors:
  cellar: {port: cellar, protocol: line, template: "{value}", prefix: true}
  attic: {port: attic, protocol: line, template: "{value}", prefix: true}
upload: {interval: 100ms}
"""
# Whose the nodes of both adapters are that a reset is written to.
NODES = """cd /sys/bus/usb/devices; for device in $(grep -l 0403 */idVendor); do cd ${device%/idVendor}
    stat -c '%G %a' /dev/bus/usb/$(printf %03d $(cat busnum))/$(printf %03d $(cat devnum)); cd ..; done"""
TWINS = """ports:
  left: {match: {serial: TWIN}, baud: 115200}
sensors:
  left: {port: left, protocol: line, template: "{value}", prefix: true}
upload: {interval: 100ms}
"""


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        cellar, attic = Adapter(machine, "CELLAR"), Adapter(machine, "ATTIC")
        cellar.plug("1")
        machine.wait_for("[ -e /dev/ttyUSB0 ]")
        attic.plug("2")
        machine.wait_for("[ -e /dev/ttyUSB1 ]")
        start_daemon(machine, CONFIGURATION)
        see(server, machine, checks, "each port finds its adapter", {"cellar": (cellar, 1), "attic": (attic, 2)},
            {"cellar": "ttyUSB0", "attic": "ttyUSB1"})
        access = machine.output(NODES)
        checks.that(access == "dialout 664\ndialout 664", "udev gives both USB nodes to dialout, for usb-reset", access)
        list_ports(machine, checks)
        pulled(machine, server, checks, cellar, attic)
        swapped(machine, server, checks, cellar, attic)
        hub(machine, server, checks, cellar, attic)
        cellar.unplug()
        attic.unplug()
        twins(machine, server, checks)


def see(server, machine, checks, what, values, nodes=None):
    """Each adapter says its value until it comes out under its sensor's key, and nothing else does."""
    for key, (adapter, value) in values.items():
        def arrived():
            adapter.say(f"{value}\n")
            return server.latest(f"{key}.value") == f"{value}.0"

        if not server.wait(arrived, 40, 0.3):
            return checks.fail(what, f"{key} has {server.latest(f'{key}.value')}, not {value}: {ports(machine)}")
    found = ports(machine)
    right = nodes is None or all(found[name] == f"/dev/{node}" for name, node in nodes.items())
    return checks.that(right, what, found)


def ports(machine):
    """The node each port has open; its state where it has none."""
    return {name: port.get("device") or port["state"] for name, port in status(machine)["ports"].items()}


def list_ports(machine, checks):
    listed = json.loads(machine.output("baudgate ports --json"))
    devices = {device["node"]: device for device in listed["devices"]}
    taken = {node: device["port"] for node, device in devices.items() if device["port"]}
    checks.that(taken == {"/dev/ttyUSB0": "cellar", "/dev/ttyUSB1": "attic"}, "baudgate ports says whose they are", taken)
    users = {user["name"] for device in devices.values() for user in device["used_by"]}
    checks.that("baudgated" in users, "and who has them open", users)


def pulled(machine, server, checks, cellar, attic):
    before = status(machine)["ports"]["attic"]
    cellar.unplug()
    checks.that(machine.wait_for("baudgate status --json | grep -q 'cellar.*\"device\":null'", 20)
                or ports(machine)["cellar"] != "/dev/ttyUSB0", "a pulled adapter's port is closed", ports(machine))
    machine.wait_for("[ ! -e /dev/ttyUSB0 ]")
    # Its old name goes to another one meanwhile.
    other = Adapter(machine, "OTHER")
    other.plug("3")
    checks.that(machine.wait_for("[ -e /dev/ttyUSB0 ]"), "another adapter takes the name ttyUSB0")
    cellar.plug("1")
    see(server, machine, checks, "plugged in again it is found under its new name", {"cellar": (cellar, 11), "attic": (attic, 12)},
        {"cellar": "ttyUSB2", "attic": "ttyUSB1"})
    after = status(machine)["ports"]["attic"]
    checks.that(after["reopened"] == before["reopened"], "the other port has stayed open")
    other.unplug()

    # Held by somebody who does not let go: the kernel cannot give the name away, and takes another one.
    machine.run("nohup sh -c 'exec sleep 1000 < /dev/ttyUSB2' >/dev/null 2>&1 &")
    cellar.unplug()
    cellar.plug("1")
    see(server, machine, checks, "back while another program holds the dead one, it is found as well", {"cellar": (cellar, 13)})
    machine.run("kill $(pgrep -f 'sleep 1000')", check=False)


def swapped(machine, server, checks, cellar, attic):
    cellar.unplug()
    attic.unplug()
    machine.wait_for("! ls /dev/ttyUSB*")
    attic.plug("1")
    machine.wait_for("[ -e /dev/ttyUSB0 ]")
    cellar.plug("2")
    see(server, machine, checks, "two adapters swapped, socket and name, keep their ports",
        {"cellar": (cellar, 21), "attic": (attic, 22)}, {"cellar": "ttyUSB1", "attic": "ttyUSB0"})


def hub(machine, server, checks, cellar, attic):
    cellar.unplug()
    attic.unplug()

    def plug():
        machine.qmp.device("usb-hub", id="hub", bus="usb.0", port="3")
        cellar.plug("3.1")
        attic.plug("3.2")

    plug()
    see(server, machine, checks, "both behind one hub", {"cellar": (cellar, 31), "attic": (attic, 32)})
    # QEMU's hub takes what is behind it along as well, but QEMU has been seen to end when that is in use.
    machine.unplug(cellar.name, attic.name, "hub")
    gone = machine.wait_for("! ls /dev/ttyUSB*") and not any(node.startswith("/dev/") for node in ports(machine).values())
    checks.that(gone, "with the hub pulled both are closed", ports(machine))
    plug()
    see(server, machine, checks, "with the hub back both are open", {"cellar": (cellar, 41), "attic": (attic, 42)})


def twins(machine, server, checks):
    machine.run("systemctl stop baudgate", 60)
    first, second = Adapter(machine, "one", "TWIN"), Adapter(machine, "two", "TWIN")
    first.plug("1")
    machine.wait_for("[ -e /dev/ttyUSB0 ]")
    second.plug("2")
    machine.wait_for("[ -e /dev/ttyUSB1 ]")
    start_daemon(machine, TWINS)
    machine.wait_for("journalctl -q BAUDGATE_PORT=left | grep -q .")
    port = status(machine)["ports"]["left"]
    checks.that(port["state"] != "open" and "ttyUSB0" in port["last_error"] and "ttyUSB1" in port["last_error"],
                "of two with one serial number none is opened, and both are named", port.get("last_error"))
    path = machine.output("udevadm info -q property --value -p $(udevadm info -q path /dev/ttyUSB1) --property=ID_PATH")
    start_daemon(machine, TWINS.replace("serial: TWIN", f'serial: TWIN, properties: {{ID_PATH: "{path}"}}'))
    machine.run("systemctl reload baudgate")
    see(server, machine, checks, "with ID_PATH in the match the right one is", {"left": (second, 51)}, {"left": "ttyUSB1"})
