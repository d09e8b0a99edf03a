"""What a part gets: a server, machines in the state `ready`, and the daemon in them."""

import contextlib
import json
import os
import shutil
import tempfile

from .hardware import SERVER_ADDRESS, SERVER_PORT
from .server import TOKEN, Server
from .states import NAME

CONFIGURATION = "/etc/baudgate/baudgate.yaml"
HEAD = f"""server: {{url: "http://{SERVER_ADDRESS}:{SERVER_PORT}"}}
device: {{token: {TOKEN}}}
"""


class Bench:
    """`programs`: the directory of the release build; `share`: what a machine can mount read-only; `cuts`, `seed`: for the
    power cuts."""

    def __init__(self, states, programs, share, cache, cuts, seed):
        self._states, self.programs, self.share = states, programs, share
        self._cache, self.cuts, self.seed = cache, cuts, seed

    @contextlib.contextmanager
    def server(self):
        log = os.path.join(self._cache, "server.log")
        with Server(os.path.join(self.programs, "baudgate-simulator"), log) as server:
            yield server

    @contextlib.contextmanager
    def machine(self, server, state=None):
        """One that goes on from `ready`, or from another saved state, with its clock set."""
        with self.scratch() as directory:
            overlay = os.path.join(directory, "disk.qcow2")
            shutil.copyfile(state or self._states.ready(), overlay)
            with self._states.resumed(overlay, server.port) as machine:
                machine.start(NAME)
                machine.set_clock()
                yield machine

    @contextlib.contextmanager
    def state(self, server, prepare):
        """A saved state in which `prepare(machine)` has been done, while the `with` lasts: its path, and what that returned."""
        with self.scratch() as directory:
            path = os.path.join(directory, "state.qcow2")
            shutil.copyfile(self._states.ready(), path)
            with self._states.resumed(path, server.port) as machine:
                machine.start(NAME)
                machine.set_clock()
                prepared = prepare(machine)
                machine.run("umount /proc/sys/kernel/random/boot_id")
                machine.qmp.human(f"delvm {NAME}")
                machine.save(NAME)
            yield path, prepared

    @contextlib.contextmanager
    def scratch(self):
        directory = tempfile.mkdtemp(prefix="part-", dir=self._cache)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def configure(machine, body):
    """Writes the daemon's configuration: the server and the token, then `body`."""
    machine.write(CONFIGURATION, HEAD + body, "0640")
    machine.run(f"chgrp baudgate {CONFIGURATION}")


def start_daemon(machine, body=None):
    if body is not None:
        configure(machine, body)
    machine.run("systemctl start baudgate", 90)


def status(machine):
    """What `baudgate status --json` prints."""
    return json.loads(machine.output("baudgate status --json"))


def journal(machine, *matches):
    """Entries of the unit's journal with these fields, as dictionaries."""
    lines = machine.output(f"journalctl --no-pager -o json {' '.join(matches)}").splitlines()
    return [json.loads(line) for line in lines]


def unit_property(machine, name, unit="baudgate"):
    return machine.output(f"systemctl show -P {name} {unit}")
