"""Lives of one gateway, each ended by a power cut at a chosen disk command, and what all of them must have kept.

The disk of /var/lib/baudgate is the test's own (`disk.py`); the rest of the machine is a saved state that is taken up anew,
so /run is empty and the boot id another, as after a real start.
"""

import json
import os
import random
import subprocess
import threading
import time

from .adapter import Adapter, Talker
from .bench import configure
from .disk import Disk
from .gpio import Chip, told_pulses
from .machine import MachineError

PERSIST_AFTER = 2.0
# Between the moment a reading is written to the adapter and the one its sync has ended: the way through QEMU, the wait for
# the emulated processor, a journal commit of ext4.
SLACK = 2.0
DISK_SIZE = 64 << 20
CONFIGURATION = """ports:
  meter: {path: /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_meter-if00-port0, baud: 115200}
  display: {path: /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_display-if00-port0, baud: 115200}
sensors:
  counter: {port: meter, protocol: line, template: "n={n:int}"}
gpio:
  chip: board
  lines:
    water: {line: 0, direction: counter, interval: 200ms, persist_every: 20, persist_after: 2s}
upload: {interval: 200ms}
queue: {persist_after: 2s}
"""
# Of the counter, and the time from one pulse to the next.
PERSIST_EVERY = 20
PULSE_EVERY = 0.12
START = """mount /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_state /var/lib/baudgate &&
    chown baudgate:baudgate /var/lib/baudgate && chmod 700 /var/lib/baudgate &&
    systemctl start baudgate && baudgate status --json"""


class Ledger:
    """What was sent, seen and asked for over all lives."""

    def __init__(self):
        # readings by number; of those that may be lost their age in seconds at the cut
        self.must_arrive = set()
        self.may_be_lost = {}
        # number → what came of it
        self.commands = {}
        self.heard = ""
        self.next_reading = 1
        self.next_command = 1
        # of each life: what the counter had at its start, and the pulses made in it
        self.counts = []
        # records the queue has found damaged
        self.quarantined = 0
        self.troubles = []


class Gateway:
    """The machine's constant part: a saved state with the configuration, the disk, the server."""

    def __init__(self, bench, server, state, chip, disk, ledger):
        self._bench, self._server, self._state, self._chip = bench, server, state, chip
        self.disk, self.ledger = disk, ledger

    def live(self, number, plan):
        """One life: start, readings and commands, the cut of `plan`; what came of it, for the report.

        plan: `link` (whether the server stays in reach), `commands` (of the disk, until the cut), `keep`, `seed`;
        without one the life ends in order when all has arrived.
        """
        begin = time.monotonic()
        self.disk.switch_on()
        with self._bench.machine(self._server, self._state) as machine:
            adapters = self._attach(machine)
            status = json.loads(machine.output(START, 90))
            self._see_queue(status["queue"])
            started = time.monotonic()
            machine.run(f"nohup pulser {self._chip} 0 {PULSE_EVERY} > /run/pulser.log 2>&1 &")
            talker = Talker(adapters[0], self.ledger.next_reading)
            first = self._wait_for_first(talker)
            asker = Asker(self._server, self.ledger)
            if plan:
                outcome = self._until_cut(machine, talker, asker, plan, first)
            else:
                outcome = self._until_all_is_there(talker, first)
            asker.stop()
            if not plan:
                self._server.wait(lambda: not asker.is_waiting, 60)
                machine.run("systemctl stop baudgate && umount /var/lib/baudgate", 60)
            machine.kill()
            self.ledger.counts.append((status["gpio"]["water"].get("pulses", 0), told_pulses(machine.console)))
            for adapter in adapters:
                adapter.close()
            self.ledger.heard += adapters[1].heard()
            self.ledger.next_reading = talker.next
        return f"life {number:2}: ready after {started - begin:.1f} s, {outcome}, {time.monotonic() - begin:.1f} s in all"

    def _see_queue(self, queue):
        self.ledger.quarantined += queue["quarantined"]
        if "degraded" in queue:
            self.ledger.troubles.append(f"the queue is degraded: {queue['degraded']}")

    def _attach(self, machine):
        machine.qmp.command("blockdev-add", driver="nbd", node_name="state", server={"type": "unix", "path": self.disk.path})
        machine.qmp.device("scsi-hd", id="state", bus="scsi.0", drive="state", device_id="state")
        adapters = [Adapter(machine, "meter"), Adapter(machine, "display")]
        adapters[0].plug("1")
        adapters[1].plug("2")
        paths = " && ".join(f"[ -e {path} ]" for path in (
            "/dev/serial/by-id/*meter*", "/dev/serial/by-id/*display*", "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_state"))
        if not machine.wait_for(paths):
            raise MachineError("disk or adapters did not appear in the machine")
        return adapters

    def _wait_for_first(self, talker):
        """The number from which on every reading is the daemon's: the first of this life the server has."""
        begin = talker.next

        def found():
            value = self._server.latest("n")
            return value is not None and int(value) >= begin

        if not self._server.wait(found, 60):
            raise MachineError("no reading of this life has reached the server within a minute")
        return min(int(text) for _, text in self._server.values("n") if int(text) >= begin)

    def _until_cut(self, machine, talker, asker, plan, first):
        if not plan["link"]:
            machine.qmp.command("set_link", name="nic", up=False)
        before = self.disk.commands
        self.disk.cut_at(plan["commands"])
        came = self.disk.is_cut.wait(40)
        moment = time.monotonic()
        machine.kill()
        last = talker.stop() - 1
        waiting, lost = self.disk.cut(plan["keep"], plan["seed"])
        for number in range(first, last + 1):
            age = moment - talker.sent.get(number, moment)
            if age > PERSIST_AFTER + SLACK:
                self.ledger.must_arrive.add(number)
            else:
                self.ledger.may_be_lost[number] = age
        link = "in reach" if plan["link"] else "away"
        at = f"cut at disk command {plan['commands']}" if came else f"cut by time after {self.disk.commands - before} commands"
        return f"server {link}, {at}, {lost} of {waiting} waiting sectors lost, {last - first + 1} readings"

    def _until_all_is_there(self, talker, first):
        time.sleep(3)
        last = talker.stop() - 1
        self.ledger.must_arrive.update(range(first, last + 1))
        there = self._server.wait(lambda: self._server.latest("n") == str(last), 90)
        return f"the last one, {'all has' if there else 'not all has'} arrived"


class Asker:
    """Sends commands that leave a trace: `serialWrite` of a word of its own to the display."""

    def __init__(self, server, ledger):
        self._server, self._ledger = server, ledger
        self._stop = threading.Event()
        self._open = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_waiting(self):
        return bool(self._open)

    def stop(self):
        self._stop.set()
        self._thread.join(10)

    def _run(self):
        while not self._stop.wait(0.4):
            # The server hands over the oldest one again and again: more at once would only wait behind it.
            if len(self._open) >= 3:
                continue
            number = self._ledger.next_command
            self._ledger.next_command += 1
            self._ledger.commands[number] = "unanswered"
            self._open.add(number)
            threading.Thread(target=self._ask, args=(number,), daemon=True).start()

    def _ask(self, number):
        try:
            reply = self._server.command("serialWrite", {"port": "display", "text": f"<{number}>\n"}, 120)
            self._ledger.commands[number] = "expired" if reply is None else \
                reply["error"]["code"] if "error" in reply else "done"
        except Exception as error:  # noqa: BLE001 - told by the check of the answers
            self._ledger.commands[number] = f"{type(error).__name__}: {error}"
        finally:
            self._open.discard(number)


def blank_disk(directory):
    path = os.path.join(directory, "blank")
    with open(path, "wb") as file:
        file.truncate(DISK_SIZE)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", path],
                   check=True)
    with open(path, "rb") as file:
        return file.read()


def prepare(machine):
    """What every life begins with; the directory of its chip."""
    configure(machine, CONFIGURATION)
    chip = Chip(machine, "board")
    machine.run("mkdir -p /var/lib/baudgate; modprobe ftdi_sio; modprobe sd_mod; modprobe ext4; udevadm settle")
    return chip.directory


def plan(chance, number, keep=None):
    """A life's end. Every second one has the server away, where the queue is all that holds readings."""
    link = number % 2 == 1
    return {
        "link": link,
        "commands": chance.randint(1, 30) if link else chance.randint(20, 80),
        "keep": chance.choice((0.0, 0.5, 0.9)) if keep is None else keep,
        "seed": chance.getrandbits(32),
    }


def run_lives(bench, checks, cuts, honest=True, keep=None):
    """All lives and the one after the last cut; the ledger, and the server's readings."""
    seed = bench.seed if bench.seed is not None else random.getrandbits(24)
    checks.note(f"--seed {seed}")
    chance = random.Random(seed)
    ledger = Ledger()
    with bench.server() as server, bench.scratch() as directory, bench.state(server, prepare) as (state, chip):
        disk = Disk(blank_disk(directory), os.path.join(directory, "disk"), honest)
        gateway = Gateway(bench, server, state, chip, disk, ledger)
        for number in range(1, cuts + 2):
            life = plan(chance, number, keep) if number <= cuts else None
            try:
                checks.note(gateway.live(number, life))
            except MachineError as error:
                ledger.troubles.append(f"life {number}: {error}")
                checks.note(f"life {number}: {error}")
                disk.cut(1.0, 0)
        arrived = {int(text) for _, text in server.values("n")}
    return ledger, arrived
