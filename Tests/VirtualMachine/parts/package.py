"""The Debian package and the installer's units."""

import glob
import hashlib
import os
import subprocess

from harness.bench import configure, start_daemon, unit_property
from harness.gpio import Chip

WHAT = "dpkg -i of `make deb`'s package: user, rules, units; then firmware over the air by baudgate-install@firmware"

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
CONFIGURATION = """upload: {interval: 100ms}
ota:
  firmware:
    install: [/usr/local/bin/install-board, "{file}"]
    version_file: /etc/board-version
    confirm_within: 5m
"""
INSTALL_BOARD = """#!/bin/sh
set -e
id -un > /var/lib/board-installed-by
cp "$1" /etc/board-version
"""


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        # What the saved state has from `make install`, but for the user.
        machine.run("""rm -rf /usr/libexec/baudgate /usr/bin/baudgate /usr/lib/systemd/system/baudgate* /etc/baudgate \
            /usr/lib/sysusers.d/baudgate.conf /usr/lib/udev/rules.d/60-baudgate.rules
            sed -i /baudgate/d /etc/passwd /etc/group /etc/shadow /etc/gshadow; systemctl daemon-reload""")
        make(bench)
        machine.mount_share()
        chip = Chip(machine, "board")
        # The unlucky order: udev reads the rules of the unpacked package while its group does not exist yet.
        machine.run("""cp /run/share/deb/*.deb /tmp/ && dpkg --unpack /tmp/baudgate_*.deb
            udevadm control --reload; udevadm trigger --subsystem-match=gpio; udevadm settle""", 180)
        checks.that(group_of(machine, chip) == "root", "udev has read its rules before its group was there")
        machine.run("dpkg --configure -a && udevadm settle", 180)
        machine.unmount_share()
        group = group_of(machine, chip)
        checks.that(group == "gpio", "once it is set up a chip that was there is the group's without a restart", group)
        see_set_up(machine, checks)
        start_daemon(machine, CONFIGURATION)
        checks.that(unit_property(machine, "ActiveState") == "active", "the daemon starts with what the package brought")
        again = machine.run("dpkg -i /tmp/baudgate_*.deb", 180, check=False)
        checks.that(again.status == 0, "the package installs over itself while the daemon runs", again.err.strip()[-300:])
        machine.wait_for("[ $(systemctl show -P ActiveState baudgate) = active ]")
        text = machine.output("grep upload /etc/baudgate/baudgate.yaml")
        checks.that(text != "", "the changed configuration stays as it is")
        update(machine, server, checks)
        remove(machine, checks)


def group_of(machine, chip):
    return machine.output(f"stat -c %G {chip.device}")


def make(bench):
    directory = os.path.join(bench.share, "deb")
    for old in glob.glob(os.path.join(directory, "*.deb")):
        os.unlink(old)
    version = subprocess.run(["sed", "-n", r's/.*line = "Baudgate version \(.*\)".*/\1/p',
                              os.path.join(REPOSITORY, "Sources/Telemetry/Version.swift")],
                             check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["scripts/deb", version], cwd=REPOSITORY, check=True, capture_output=True,
                   env={**os.environ, "DIST": directory, "RELEASE": bench.programs})


def see_set_up(machine, checks):
    groups = machine.output("id -nG baudgate")
    checks.that({"dialout", "gpio"} <= set(groups.split()), "postinst has made the user, in dialout and gpio", groups)
    state = machine.run("systemctl is-enabled baudgate-install@firmware.path baudgate-install@software.path; "
                        "systemctl is-active baudgate-install@firmware.path baudgate-install@software.path", check=False)
    checks.that(state.out.split() == ["enabled", "enabled", "active", "active"], "the path units are enabled and wait",
                state.out.replace("\n", " "))
    owner = machine.output("stat -c '%G %a' /etc/baudgate/baudgate.yaml")
    checks.that(owner == "baudgate 640", "the configuration is the service's to read, nobody else's", owner)
    broken = machine.run("systemd-analyze verify baudgate.service baudgate-install@firmware.service "
                         "baudgate-install@firmware.path", check=False)
    words = (broken.out + broken.err).strip()
    checks.that(broken.status == 0 and not words, "systemd-analyze verify has nothing to say about the units", words[:300])


def update(machine, server, checks):
    machine.write("/usr/local/bin/install-board", INSTALL_BOARD, "0755")
    machine.run("echo 1 > /etc/board-version")
    configure(machine, CONFIGURATION)
    machine.run("systemctl restart baudgate", 90)
    package = b"2\n"
    server.assign("firmware", "board", "2", package, hashlib.sha256(package).hexdigest())
    checks.that(machine.wait_for("[ $(cat /etc/board-version) = 2 ]", 90), "an assigned package is downloaded and installed")
    who = machine.output("cat /var/lib/board-installed-by")
    checks.that(who == "root", "by the installer's unit as root, at the path unit's word", who)
    units = machine.output("journalctl -o cat -u 'baudgate-install@firmware.service' | head -5")
    checks.that(units != "", "which says so in the journal", units.split("\n")[0])
    reported = server.wait(lambda: server.latest("current_fw_version") == "2", 60)
    checks.that(reported, "and the daemon reports the new version", server.latest("fw_state"))


def remove(machine, checks):
    removed = machine.run("dpkg -P baudgate", 120, check=False)
    checks.that(removed.status == 0, "dpkg -P takes it away", removed.err.strip()[-300:])
    left = machine.run("systemctl is-active baudgate; ls /usr/libexec/baudgate /usr/bin/baudgate", check=False)
    checks.that("inactive" in left.out and "/usr" not in left.out, "the daemon has ended and its files are gone")
