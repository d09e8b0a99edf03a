"""GPIO lines of the kernel's own simulated chip."""

from harness.bench import journal, start_daemon, status, unit_property
from harness.gpio import Chip, Trace, Watch

WHAT = "gpio-sim: edges counted, outputs safe after kill -9, an upgrade without a click with hold, a chip that vanishes"

CONFIGURATION = """gpio:
  chip: board
  lines:
    water: {line: 0, direction: counter, edge: rising, interval: 100ms, persist_every: 10}
    door: {line: 1, direction: input}
    heater: {line: 2, direction: output, safe: off, initial: off}
    fan: {line: 3, direction: output, safe: on, initial: off}
    light: {line: 4, direction: output, safe: hold}
upload: {interval: 100ms}
"""
HEATER, FAN, LIGHT = 2, 3, 4


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        chip = Chip(machine, "board")
        access = machine.output(f"stat -c '%G %a' {chip.device}")
        checks.that(access == "gpio 660", "udev gives the chip to the group gpio", access)
        # The pulls say the opposite of `safe`: a line that is merely let go shows it.
        chip.pull(HEATER, "up")
        chip.pull(FAN, "down")
        chip.pull(LIGHT, "down")
        start_daemon(machine, CONFIGURATION)
        user = chip.user(HEATER)
        checks.that("output" in user and "consumer" in user, "outputs are requested from READY on", user)
        checks.that(chip.level(HEATER) == 0, "with their initial value against the pull")
        inputs(machine, server, checks, chip)
        counted(machine, server, checks, chip)
        killed(machine, server, checks, chip)
        held(machine, server, checks, chip)
        vanished(machine, server, checks, chip)


def inputs(machine, server, checks, chip):
    chip.pull(1, "up")
    checks.that(server.wait(lambda: server.latest("door") == "true"), "an input's change reaches the server")
    reply = server.command("setGpio", {"pin": "heater", "value": 1})
    checks.that(reply == {"pin": "heater", "value": 1} and chip.level(HEATER) == 1, "a command drives an output", reply)


def counted(machine, server, checks, chip):
    chip.pulse(0, 200)
    checks.that(server.wait(lambda: server.latest("water") == "200"), "200 pulses are 200", server.latest("water"))
    machine.run("systemctl restart baudgate", 90)
    chip.pulse(0, 50)
    checks.that(server.wait(lambda: server.latest("water") == "250"), "50 more after a restart are 250", server.latest("water"))
    machine.run("systemctl kill -s KILL baudgate")
    machine.wait_for("[ $(systemctl show -P ActiveState baudgate) = active ]")
    chip.pulse(0, 50)
    checks.that(server.wait(lambda: server.latest("water") == "300"), "50 more after a kill -9 are 300", server.latest("water"))
    # More at once than the kernel's buffer holds, while nobody reads it.
    machine.run("systemctl kill -s STOP baudgate")
    chip.pulse(0, 1500, 0.0005)
    machine.run("systemctl kill -s CONT baudgate")
    checks.that(server.wait(lambda: server.latest("water") == "1800"),
                "1500 while the daemon stands still, beyond the kernel's 1024, are 1800", server.latest("water"))
    missed = status(machine)["gpio"]["water"].get("missed")
    checks.that(missed and missed > 0, "those the kernel had no room for are told", missed)


def killed(machine, server, checks, chip):
    """What is seen is the time between the kill and the next start, so that one is put off."""
    machine.run("""mkdir -p /run/systemd/system/baudgate.service.d
        printf '[Service]\\nRestartSec=8\\n' > /run/systemd/system/baudgate.service.d/late.conf
        systemctl daemon-reload""")
    for pin in ("heater", "light"):
        server.command("setGpio", {"pin": pin, "value": 1})
    server.command("setGpio", {"pin": "fan", "value": 0})
    levels = [chip.level(line) for line in (HEATER, FAN, LIGHT)]
    checks.that(levels == [1, 0, 1], "heater and light are on, the fan is off, before the kill", levels)
    watch, trace = Watch(machine, chip, LIGHT), Trace(machine, chip)
    machine.run("systemctl kill -s KILL baudgate")
    machine.wait_for("[ $(systemctl show -P SubState baudgate) = auto-restart ]")
    driven, light = trace.driven(), watch.end()[LIGHT]
    # gpio-sim gives a line that is let go back to its pull, a Raspberry Pi's kernel keeps its level: so the driving counts.
    checks.that([level for _, level in driven.get(HEATER, [])] == [0], "after kill -9 the heater is driven off", driven)
    checks.that([level for _, level in driven.get(FAN, [])] == [1], "and the fan on")
    told = journal(machine, "-u baudgate", "_COMM=baudgate")
    safe = {int(entry["_PID"]) for entry in told}
    drivers = {process for line in (HEATER, FAN) for process, _ in driven.get(line, [])}
    checks.that(drivers and drivers <= safe, "by `baudgate safe`, a process of the unit", f"{drivers}, journal {safe}")
    checks.that(light["levels"] == ["1"] and not light["uses"] and LIGHT not in driven,
                "the held light stays on against its pull, in the same hands", light)
    text = "\n".join(str(entry["MESSAGE"]) for entry in told)
    checks.that("light: left as it is (hold)" in text, "and the journal says what was done", text.replace("\n", "; "))
    checks.that(chip.level(LIGHT) == 1, "while no daemon runs as well", chip.user(LIGHT))
    machine.wait_for("[ $(systemctl show -P ActiveState baudgate) = active ]", 40)
    machine.run("rm /run/systemd/system/baudgate.service.d/late.conf; systemctl daemon-reload")


def held(machine, server, checks, chip):
    server.command("setGpio", {"pin": "light", "value": 1})
    stored = unit_property(machine, "NFileDescriptorStore")
    checks.that(int(stored) >= 1, "the held line's descriptor is in systemd's store", stored)
    watch, trace = Watch(machine, chip, LIGHT), Trace(machine, chip)
    before = unit_property(machine, "MainPID")
    # What the package's postinst does at an upgrade.
    machine.run("systemctl try-restart baudgate.service", 90)
    machine.run("systemctl stop baudgate && sleep 1 && systemctl start baudgate", 90)
    seen = watch.end()
    checks.that(unit_property(machine, "MainPID") != before, "an upgrade restarts the daemon, then it is stopped and started")
    light, driven = seen[LIGHT], trace.driven()
    checks.that(light["levels"] == ["1"], "the light does not click against its pull",
                f"looks {seen['gap'] * 1000:.0f} ms apart at most saw {light['levels']}")
    checks.that("released" not in [event for event, _ in light["uses"]] and LIGHT not in driven,
                "the kernel tells of no release, and of nobody who drove it", light["uses"])
    reply = server.command("getGpio", {"pin": "light"})
    checks.that(reply == {"pin": "light", "value": 1}, "the new daemon reports it as on", reply)
    reply = server.command("setGpio", {"pin": "light", "value": 0})
    checks.that(chip.level(LIGHT) == 0, "and drives it", reply)


def vanished(machine, server, checks, chip):
    chip.remove()
    reply = server.command("getGpio", {"pin": "heater"})
    checks.that(reply and reply.get("error", {}).get("code") == "unavailable",
                "a command to a chip that is gone is answered with `unavailable`", reply)
    checks.that(unit_property(machine, "ActiveState") == "active", "the daemon runs on")
    error = status(machine)["gpio"]["heater"].get("last_error")
    checks.that(error, "the status says why", error)
    chip.bring_back()
    chip.pull(1, "down")

    def works():
        reply = server.command("setGpio", {"pin": "heater", "value": 1})
        return reply == {"pin": "heater", "value": 1}

    checks.that(server.wait(works, 60, 1), "with the chip back its lines are had again")
