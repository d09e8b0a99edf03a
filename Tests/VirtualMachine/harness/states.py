"""Saved states of the machine: `booted` after its first start, `ready` with Baudgate installed."""

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess

from . import hardware
from .channel import ChannelError
from .machine import Machine, MachineError

NAME = "state"


class States:
    """Makes what is missing, and machines that go on from it.

    `tree`: what `make install DESTDIR=` has made, below `share`.
    """

    def __init__(self, image, share, report):
        self._image, self._share, self._report = image, share, report
        self._directory = image.directory
        # Other hardware cannot take a saved state up.
        with open(hardware.__file__, "rb") as file:
            self._hardware = hashlib.sha256(file.read()).hexdigest()[:8]
        self.accelerator = self._choose_accelerator()

    def ready(self):
        """The path of a disk with the state `ready` of this very build in it."""
        path = self._path(f"ready-{tree_digest(os.path.join(self._share, 'tree'))}")
        if not os.path.exists(path):
            booted = self._booted()
            with self._report.preparation("Baudgate installed in the machine"):
                for old in glob.glob(self._path("ready-*")):
                    os.unlink(old)
                shutil.copyfile(booted, path + ".new")
                with self._machine(path + ".new") as machine:
                    machine.start(NAME)
                    machine.set_clock()
                    install(machine)
                    machine.run("umount /proc/sys/kernel/random/boot_id")
                    machine.qmp.human(f"delvm {NAME}")
                    machine.save(NAME)
                os.rename(path + ".new", path)
        return path

    def resumed(self, overlay, port):
        """A machine in the state of the disk `overlay`, a copy of `ready`, which it changes."""
        return self._machine(overlay, port)

    def _booted(self):
        path = self._path("booted")
        if not os.path.exists(path):
            with self._report.preparation("first start"):
                for old in glob.glob(os.path.join(self._directory, "*-*.qcow2")):
                    os.unlink(old)
                self._overlay(path + ".new")
                with self._machine(path + ".new") as machine:
                    try:
                        machine.start()
                    except MachineError:
                        # Emulation is not always faithful to a kernel that changes its own code as it starts.
                        machine.kill()
                        machine.start()
                    # Until nothing of the start is left to do, or each resumed machine would do it again.
                    machine.run("systemctl is-system-running --wait", 300, check=False)
                    machine.save(NAME)
                os.rename(path + ".new", path)
        return path

    def _machine(self, overlay, port=1):
        return Machine(self._image, overlay, self._share, port, self.accelerator)

    def _path(self, name):
        return os.path.join(self._directory, f"{name}-{self.accelerator}-{self._hardware}.qcow2")

    def _overlay(self, path):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", self._image.disk, "-F", "qcow2", path], check=True)

    def _choose_accelerator(self):
        """`kvm` where a machine starts with it, else `tcg`: a /dev/kvm that opens may still be of no use."""
        wanted = os.environ.get("BAUDGATE_VM_ACCELERATOR")
        if wanted in ("kvm", "tcg"):
            return wanted
        note = os.path.join(self._directory, "accelerator")
        if not os.path.exists(note):
            with open(note, "w") as file:
                file.write("kvm" if self._kvm_works() else "tcg")
        with open(note) as file:
            return file.read()

    def _kvm_works(self):
        try:
            with open("/dev/kvm", "rb+", buffering=0) as device:
                fcntl.ioctl(device, 0xAE00)
        except OSError:
            return False
        overlay = os.path.join(self._directory, "probe.qcow2")
        self._overlay(overlay)
        try:
            with Machine(self._image, overlay, self._share, 1, "kvm") as machine:
                machine.boot_limit = 60
                machine.start()
            return True
        except (MachineError, ChannelError):
            return False
        finally:
            os.unlink(overlay)


def install(machine):
    """What a package would do: the files, the user, udev's rules, systemd's units."""
    machine.mount_share()
    machine.run("""cp -r --no-preserve=ownership --preserve=mode,links /run/share/tree/. / && sync
        systemd-sysusers baudgate.conf && chgrp -R baudgate /etc/baudgate
        systemctl daemon-reload && systemctl -q enable baudgate
        # As in the package: udev may have read the rules before there was the group.
        touch /usr/lib/udev/rules.d/60-baudgate.rules /usr/lib/udev/rules.d && udevadm control --reload && udevadm trigger --subsystem-match=gpio""", 120)
    machine.unmount_share()


def tree_digest(directory):
    """Of the files below it, names and contents, and of how they are installed."""
    with open(__file__, "rb") as file:
        digest = hashlib.sha256(file.read())
    for place, directories, files in os.walk(directory):
        directories.sort()
        if place.endswith("usr/share"):
            # Documents alone make no other machine.
            directories.remove("doc")
        for name in sorted(files):
            path = os.path.join(place, name)
            digest.update(os.path.relpath(path, directory).encode() + b"\0")
            with open(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:12]
