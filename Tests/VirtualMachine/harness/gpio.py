"""Simulated chips in the machine: the kernel's gpio-sim."""

import json
import os
import re

GUEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest")


class Chip:
    """`label`: the chip's, by which the configuration names it."""

    def __init__(self, machine, label, lines=8):
        self._machine = machine
        self.label = label
        for name in ("gpio-sim", "pulse", "pulser", "watch-lines"):
            with open(os.path.join(GUEST, name)) as file:
                machine.write(f"/usr/local/bin/{name}", file.read(), "0755")
        self.directory = machine.output(f"gpio-sim {label} {lines}")
        self.device = "/dev/" + self.directory.rsplit("/", 1)[1]
        machine.run("udevadm settle")

    def pull(self, line, way):
        """`up` or `down`: what holds the line while nobody drives it, and the level of an input."""
        self._machine.run(f"echo pull-{way} > {self.directory}/sim_gpio{line}/pull")

    def level(self, line):
        """0 or 1, whoever makes it."""
        return int(self._machine.output(f"cat {self.directory}/sim_gpio{line}/value"))

    def user(self, line):
        """Who has requested it, as `gpioinfo` tells: direction and consumer; an input without one when nobody has."""
        return self._machine.output(f"gpioinfo --chip {self.device} {line}")

    def pulse(self, line, count, pause=0.005):
        self._machine.run(f"pulse {self.directory} {line} {count} {pause}", 120)

    def remove(self):
        """As a USB adapter with GPIO goes, whoever holds its lines."""
        self._machine.run(f"echo 0 > /sys/kernel/config/gpio-sim/{self.label}/live")

    def bring_back(self):
        self._machine.run(f"echo 1 > /sys/kernel/config/gpio-sim/{self.label}/live; udevadm settle")


def told_pulses(console):
    """The number of the last pulse on a console."""
    numbers = re.findall(r"^pulse (\d+)\r?$", console, re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


class Trace:
    """Which process drives which line of a chip, from now on: the kernel's trace events `gpio_value` and `gpio_direction`."""

    ROOT = "/sys/kernel/tracing"
    # A thread's name and id, the process's id, then: gpio_value: 514 set 0
    LINE = re.compile(r"\( *(\d+|-+)\).*gpio_value: (\d+) set ([01])")

    def __init__(self, machine, chip):
        self._machine = machine
        self._base = int(machine.output(f"cd /sys/class/gpio && cat $(dirname $(grep -lx {chip.label} gpiochip*/label))/base"))
        machine.run(f"""mountpoint -q {self.ROOT} || mount -t tracefs none {self.ROOT}; cd {self.ROOT}
            echo 1 > options/record-tgid; echo 1 > events/gpio/enable; echo > trace; echo 1 > tracing_on""")

    def driven(self):
        """Pairs of process id and level by line, in their order, since the last call."""
        text = self._machine.output(f"cat {self.ROOT}/trace; echo > {self.ROOT}/trace")
        found = {}
        for process, line, level in self.LINE.findall(text):
            found.setdefault(int(line) - self._base, []).append((int(process) if process.isdigit() else 0, int(level)))
        return found


class Watch:
    """What happens to lines from now until `end`: their levels, and who uses them."""

    FILE = "/run/watch-lines"

    def __init__(self, machine, chip, *lines):
        self._machine = machine
        machine.run(f"""rm -f {self.FILE}*
            nohup watch-lines {chip.directory} {self.FILE} {' '.join(map(str, lines))} > /run/watch.log 2>&1 &""")
        machine.wait_for(f"[ -e {self.FILE}.on ]")

    def end(self):
        """See guest/watch-lines; lines by number."""
        self._machine.run(f"touch {self.FILE}.stop")
        self._machine.wait_for(f"[ -e {self.FILE} ]")
        seen = json.loads(self._machine.output(f"cat {self.FILE}"))
        return {int(name) if name.isdigit() else name: value for name, value in seen.items()}
