"""The machine's root disk: Debian 13 with its backports kernel, which alone of Debian's has gpio-sim."""

import glob
import hashlib
import lzma
import os
import shutil
import subprocess

from . import cpio

MIRROR = os.environ.get("BAUDGATE_VM_MIRROR", "http://deb.debian.org/debian")
RELEASE = "trixie"
KERNEL_SUITE = f"{RELEASE}-backports"
PACKAGES = (
    "systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "e2fsprogs", "busybox-static", "qemu-guest-agent",
    # What Baudgate is linked with.
    "libcurl4t64", "libyaml-0-2", "libpcre2-8-0", "libssl3t64", "zlib1g", "libstdc++6",
    # What the parts look and steer with.
    "gpiod", "i2c-tools", "python3",
    f"linux-modules-amd64/{KERNEL_SUITE}",
)
# Half of the modules: for hardware this machine never has.
LEFT_OUT = (
    "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/lib/modules/*/kernel/drivers/gpu/*",
    "/usr/lib/modules/*/kernel/drivers/media/*", "/usr/lib/modules/*/kernel/drivers/net/wireless/*",
    "/usr/lib/modules/*/kernel/drivers/net/ethernet/*", "/usr/lib/modules/*/kernel/drivers/infiniband/*",
)
KEYRINGS = ("debian-archive-trixie-automatic", "debian-archive-trixie-stable")
# Loaded by the first root, in this order, with what they need.
BOOT_MODULES = ("virtio_blk", "ext4")
DISK_SIZE = "2G"
ADDRESS = "10.0.2.15/24"

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do /bin/busybox insmod "$module"; done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do n=$((n + 1)); /bin/busybox usleep 50000; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /sys
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/init
"""

NETWORK = f"""[Match]
Type=ether

[Network]
Address={ADDRESS}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""

# What takes seconds of a start on an emulated processor and changes nothing here.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "e2scrub_reap.service", "fstrim.timer", "systemd-timesyncd.service", "systemd-resolved.service",
          "getty@tty1.service", "serial-getty@ttyS0.service", "systemd-networkd-wait-online.service")


class Image:
    """Paths of the three files a machine starts from.

    - Throws: `CalledProcessError` from `make`, with the failed program's words in the log beside the image.
    """

    def __init__(self, cache):
        # Another recipe is another image.
        with open(os.path.abspath(__file__), "rb") as own:
            recipe = hashlib.sha256(own.read() + MIRROR.encode()).hexdigest()[:12]
        self.directory = os.path.join(cache, f"image-{recipe}")
        self.disk = os.path.join(self.directory, "root.qcow2")
        self.kernel = os.path.join(self.directory, "vmlinuz")
        self.initrd = os.path.join(self.directory, "initrd")

    @property
    def is_made(self):
        return os.path.exists(os.path.join(self.directory, "whole"))

    def make(self):
        for old in glob.glob(os.path.join(os.path.dirname(self.directory), "image-*")):
            shutil.rmtree(old)
        os.makedirs(self.directory)
        root = os.path.join(self.directory, "root")
        with open(os.path.join(self.directory, "log"), "w") as log:
            self._bootstrap(root, log)
            self._configure(root)
            modules = glob.glob(os.path.join(root, "usr/lib/modules/*"))[0]
            shutil.copy(os.path.join(modules, "vmlinuz"), self.kernel)
            self._make_initrd(root, modules)
            raw = os.path.join(self.directory, "root.raw")
            subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, raw, DISK_SIZE],
                           check=True, stdout=log, stderr=log)
            subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, self.disk], check=True, stdout=log, stderr=log)
        os.unlink(raw)
        shutil.rmtree(root)
        with open(os.path.join(self.directory, "whole"), "w"):
            pass

    @staticmethod
    def _bootstrap(root, log):
        command = ["mmdebstrap", "--variant=minbase", "--architectures=amd64", "--aptopt=Acquire::Languages \"none\""]
        command += [f"--keyring=/usr/share/keyrings/{name}.gpg" for name in KEYRINGS]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        command += [f"--include={','.join(PACKAGES)}",
                    # The kernel itself: its package has the version in its name, and its set-up belongs to a boot loader.
                    "--customize-hook=cd $1 && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get download "
                    f"linux-binary-$(ls usr/lib/modules)/{KERNEL_SUITE} && "
                    "dpkg-deb -x linux-binary-*.deb . && rm linux-binary-*.deb",
                    RELEASE, root, f"deb {MIRROR} {RELEASE} main", f"deb {MIRROR} {KERNEL_SUITE} main"]
        subprocess.run(command, check=True, stdout=log, stderr=log)

    @staticmethod
    def _configure(root):
        def write(path, text):
            whole = os.path.join(root, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w") as file:
                file.write(text)

        write("etc/hostname", "gateway\n")
        write("etc/hosts", "127.0.0.1 localhost gateway\n")
        write("etc/fstab", "")
        write("etc/systemd/network/10-net.network", NETWORK)
        write("etc/systemd/journald.conf.d/volatile.conf", "[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
        # A core dump of the hung daemon would be written through the emulated disk.
        write("etc/systemd/system.conf.d/no-core.conf", "[Manager]\nDefaultLimitCORE=0\n")
        for unit in MASKED:
            os.symlink("/dev/null", os.path.join(root, "etc/systemd/system", unit))
        wants = os.path.join(root, "etc/systemd/system/multi-user.target.wants")
        os.makedirs(wants, exist_ok=True)
        network = os.path.join(wants, "systemd-networkd.service")
        if not os.path.lexists(network):
            os.symlink("/usr/lib/systemd/system/systemd-networkd.service", network)

    def _make_initrd(self, root, modules):
        archive = cpio.Archive()
        for path in ("bin", "dev", "proc", "sys", "root", "modules"):
            archive.directory(path)
        archive.device("dev/console", 5, 1)
        with open(os.path.join(root, "usr/bin/busybox"), "rb") as busybox:
            archive.file("bin/busybox", busybox.read(), 0o755)
        archive.file("init", INIT.encode(), 0o755)
        for number, path in enumerate(_in_order(modules)):
            with lzma.open(os.path.join(modules, path)) as module:
                archive.file(f"modules/{number:02}.ko", module.read())
        with open(self.initrd, "wb") as file:
            file.write(archive.bytes())


def _in_order(modules):
    """Paths of the boot modules below `modules`, each after those it needs. Source: depmod's modules.dep, modules.dep(5)."""
    needs = {}
    with open(os.path.join(modules, "modules.dep")) as file:
        for line in file:
            path, _, rest = line.partition(":")
            # The last one named is loaded first.
            needs[path] = rest.split()[::-1]
    order = []
    for name in BOOT_MODULES:
        path = next(path for path in needs if path.endswith(f"/{name}.ko.xz"))
        order += [each for each in [*needs[path], path] if each not in order]
    return order
