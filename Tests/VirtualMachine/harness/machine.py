"""One virtual machine, from its start to its end."""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import hardware
from .agent import Agent
from .channel import ChannelError
from .qmp import Monitor

BOOT_LIMIT = 300
RESUME_LIMIT = 60


class MachineError(Exception):
    """A command in the machine failed; the text has its words."""


class Machine:
    """Starts in `start`, cold or from a saved state; ends with the `with` that holds it, at the latest.

    `overlay`: its disk, above the image's. `share`: the host's directory it can mount read-only. `port`: the server's on
    the host's loopback. `accelerator`: `kvm` or `tcg`.
    """

    def __init__(self, image, overlay, share, port, accelerator):
        self._image, self._overlay, self._share = image, overlay, share
        self._port, self._accelerator = port, accelerator
        self._directory = tempfile.mkdtemp(prefix="baudgate-vm-")
        self._process = None
        self._chardevs = set()
        self.boot_limit = BOOT_LIMIT
        self.qmp = None
        self.agent = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def console(self):
        """What the kernel and systemd have written, for a failure's report."""
        try:
            with open(self._file("console"), errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def start(self, state=None):
        command = hardware.command(self._image, self._overlay, self._share, self._directory, self._port, self._accelerator)
        if state:
            command += ["-loadvm", state]
        with open(self._file("qemu.log"), "w") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             preexec_fn=_die_with_parent)
        try:
            self.qmp = Monitor(self._file("qmp"))
            self.agent = Agent(self._file("agent"))
            self.agent.wait(RESUME_LIMIT if state else self.boot_limit)
        except ChannelError as error:
            with open(self._file("qemu.log")) as log:
                words = log.read().strip()
            raise MachineError(f"{error}\n{words}\n{self.console[-2000:]}") from error

    def kill(self):
        """Power off, at once."""
        for channel in (self.qmp, self.agent):
            if channel:
                channel.close()
        self.qmp = self.agent = None
        if self._process:
            self._process.kill()
            if self._process.wait() != -signal.SIGKILL:
                with open(self._file("qemu.log")) as log:
                    print(f"QEMU ended by itself with {self._process.returncode}: {log.read().strip()}\n{self.console[-3000:]}",
                          file=sys.stderr)
            self._process = None

    def run(self, script, within=60.0, check=True):
        """A shell script in the machine.

        - Throws: `MachineError` where it ends with another status than 0 and `check` is set.
        """
        pid = self.agent.start("/bin/sh", ["-c", script])
        result = self.agent.finish(pid, within)
        if check and result.status != 0:
            raise MachineError(f"`{' '.join(script.split())[:100]} …` ended with {result.status}: "
                               f"{(result.err.strip() or result.out.strip())[-500:]}")
        return result

    def output(self, script, within=60.0):
        return self.run(script, within).out.strip()

    def start_program(self, *arguments):
        """One that runs on; its process id."""
        return self.agent.start(arguments[0], list(arguments[1:]))

    def write(self, path, text, mode="0644"):
        quoted = shlex.quote(path)
        pid = self.agent.start("/bin/sh", ["-c", f"cat > {quoted} && chmod {mode} {quoted}"], text.encode())
        result = self.agent.finish(pid, 30)
        if result.status != 0:
            raise MachineError(f"cannot write {path}: {result.err.strip()}")

    def set_clock(self):
        """After a saved state, whose clock has stood still; and the boot id, which a real start would have made new."""
        self.run(f"""date -s @{time.time():.3f} >/dev/null
            cat /proc/sys/kernel/random/uuid > /run/boot-id
            mount --bind /run/boot-id /proc/sys/kernel/random/boot_id""")

    def mount_share(self):
        # The module's first look at its device may still be under way.
        self.run("""mkdir -p /run/share; modprobe 9pnet_virtio; n=0
            until mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144 share /run/share; do
                n=$((n + 1)); [ $n -lt 20 ] || exit 1; sleep 0.5; done""")

    def unmount_share(self):
        self.run("umount /run/share")

    def save(self, name):
        """Keeps all of it in the overlay; nothing may be mounted by 9p."""
        self.run("sync")
        self.qmp.human(f"savevm {name}", 300)

    def chardev(self, name):
        """A channel of bytes for a device of the machine: the path of its unix socket."""
        path = self._file(name)
        if name not in self._chardevs:
            self.qmp.command("chardev-add", id=name, backend={"type": "socket", "data": {
                "addr": {"type": "unix", "data": {"path": path}}, "server": True, "wait": False}})
            self._chardevs.add(name)
        return path

    def unplug(self, *devices):
        """All at once, as far as the machine can tell."""
        for device in devices:
            self.qmp.command("device_del", id=device)
        for device in devices:
            self.qmp.wait("DEVICE_DELETED", device=device)

    def wait_for(self, script, within=30.0):
        """Until the script ends with 0 in the machine; whether it did."""
        # In the machine, since a look from here takes most of a second.
        loop = f"end=$(($(date +%s) + {int(within)})); until {{ {script}; }} >/dev/null 2>&1; do " \
               "[ $(date +%s) -gt $end ] && exit 1; sleep 0.1; done"
        return self.run(loop, within + 30, check=False).status == 0

    def _file(self, name):
        return os.path.join(self._directory, name)


def _die_with_parent():
    # PR_SET_PDEATHSIG: no machine outlives a killed test.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
