"""What this machine, the host, must have."""

import fcntl
import os
import shutil
import subprocess

# Debian package → a program or file of it.
PACKAGES = {
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "mmdebstrap": "mmdebstrap",
    "e2fsprogs": "/sbin/mke2fs",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}
# Boot firmware QEMU loads, with `--no-install-recommends` not brought by qemu-system-x86 itself.
FIRMWARE = {"seabios": "/usr/share/seabios/bios-256k.bin", "ipxe-qemu": "/usr/lib/ipxe/qemu/efi-virtio.rom"}


class HostError(Exception):
    """Something is missing here; the text says what to do."""


def prepare():
    """Installs the packages that are missing; does nothing where all are there."""
    missing = [name for name, proof in {**PACKAGES, **FIRMWARE}.items()
               if not (os.path.exists(proof) if proof.startswith("/") else shutil.which(proof))]
    if os.geteuid() != 0:
        raise HostError("vm-test makes a disk with files of many owners: run it as root, `sudo make vm-test`")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise HostError(f"vm-test needs {', '.join(missing)} and knows only apt-get to install them")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise HostError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")


def cache_directory():
    """Where image and saved states are kept, some 1.5 GB; made where it is missing."""
    here = os.path.dirname(os.path.abspath(__file__))
    default = os.path.join(here, "..", "..", "..", ".build", "vm")
    path = os.path.abspath(os.environ.get("BAUDGATE_VM_CACHE") or default)
    os.makedirs(path, exist_ok=True)
    return path


def only_one(cache):
    """The open file whose lock keeps other runs from the same cache.

    - Throws: `HostError` where another one runs.
    """
    file = open(os.path.join(cache, "lock"), "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise HostError(f"another vm-test runs with {cache}; wait for it, or set BAUDGATE_VM_CACHE") from error
    return file
