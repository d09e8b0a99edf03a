"""The two programs that do the same job, and how each is started."""

import os

from .processes import Child, NotifySocket

TOKEN = "BENCH_TOKEN_0000000000"
WATCHDOG_USEC = 60_000_000  # WatchdogSec of the unit


class Daemon:
    """baudgated, started as the unit starts it: notify socket, watchdog, directories."""

    name = "baudgated"

    def __init__(self, path, link=None, more=""):
        self.path = os.path.abspath(path)
        self.link = link
        self.more = more

    def with_settings(self, link, more):
        return Daemon(self.path, link, more)

    def start(self, place, url, lines):
        return self.run(place, lambda state, runtime: self.configuration(url, state, runtime, lines))

    def start_commands(self, place, url, chip):
        """With one GPIO output, line 23 of the simulated chip."""
        return self.run(
            place, lambda state, runtime:
            f"server:\n  url: {url}\ndevice:\n  token: {TOKEN}\n"
            f"state_directory: {state}\nruntime_directory: {runtime}\n"
            f"gpio: {{chip: 'simulated:{chip}', lines: {{relay: {{line: 23, direction: output}}}}}}\n")

    def start_devices(self, place, url, lines, count, per_port, polls):
        """With `count` devices, the gateway's own among them, `per_port` of them on each line, whose sensor sends `N=…`."""
        downlink = "" if polls else "downlink: {rpc: off, shared_attributes: off}\n"

        def configure(state, runtime):
            text = f"server:\n  url: {url}\ndevice:\n  token: {TOKEN}\n{downlink}"
            if count > 1:
                text += "devices:\n"
            for index in range(1, count):
                text += f"  d{index}: {{token: {TOKEN}_{index:04}}}\n"
            text += f"state_directory: {state}\nruntime_directory: {runtime}\nports:\n"
            for line in lines:
                text += f"  {line.name}: {{path: {line.path}, baud: 115200}}\n"
            text += "sensors:\n"
            for index in range(count):
                owner = f", device: d{index}" if index else ""
                text += f"  s{index}: {{port: {lines[index // per_port].name}, protocol: line, "
                text += f'template: "{index}={{v}}"{owner}}}\n'
            return text

        return self.run(place, configure)

    def start_modbus(self, place, url, path, units, registers):
        """With a sensor for each Modbus unit on a port, asked as often as can be."""
        names = ", ".join(f"r{index}: {{holding: {index}, type: uint16, scale: 0.1}}" for index in range(registers))
        sensors = "".join(
            f"  m{unit}: {{port: bus, protocol: modbus_rtu, unit: {unit}, interval: 10ms, prefix: true, "
            f"registers: {{{names}}}}}\n" for unit in range(1, units + 1))
        return self.run(
            place, lambda state, runtime:
            f"server:\n  url: {url}\ndevice:\n  token: {TOKEN}\n"
            f"state_directory: {state}\nruntime_directory: {runtime}\n"
            f"ports:\n  bus: {{path: {path}, baud: 4000000}}\nsensors:\n{sensors}"
            "upload: {interval: 1s, max_batch: 500}\n")

    def run(self, place, configure):
        state, runtime = place.disk("state"), place.memory("run")
        configuration = os.path.join(place.memory("etc"), "baudgate.yaml")
        with open(configuration, "w", opener=private) as file:
            file.write(configure(state, runtime))
        notify = NotifySocket(os.path.join(place.memory("notify"), "socket"))
        env = {
            "PATH": os.environ.get("PATH", ""),
            "STATE_DIRECTORY": state,
            "RUNTIME_DIRECTORY": runtime,
            "NOTIFY_SOCKET": notify.path,
            "WATCHDOG_USEC": str(WATCHDOG_USEC),
        }
        child = Child([self.path, configuration], env=env, log=place.log(self.name))
        child.notify = notify
        child.runtime = runtime
        return child

    def configuration(self, url, state, runtime, lines):
        link = f"  link: {self.link}\n" if self.link else ""
        text = f"server:\n  url: {url}\n{link}device:\n  token: {TOKEN}\n"
        text += f"state_directory: {state}\nruntime_directory: {runtime}\nports:\n"
        for line in lines:
            text += f"  {line.name}: {{path: {line.path}, baud: 115200}}\n"
        text += "sensors:\n"
        for line in lines:
            text += f"  {line.name}:\n    port: {line.name}\n    protocol: line\n"
            text += '    template: "T={temperature},H={humidity}"\n    prefix: true\n'
        upload = "" if self.link else "upload: {interval: 1s, max_batch: 500}\n"
        return text + upload + self.more


class CGateway:
    """The small C program of Benchmarks/c-gateway."""

    name = "C program"

    def __init__(self, path):
        self.path = path

    def start(self, place, url, lines):
        hot = place.memory("c-gateway")
        return Child(
            [self.path, f"{url}/api/v1/{TOKEN}/telemetry", f"{hot}/log", f"{hot}/cursor"]
            + [f"{line.name}={line.path}" for line in lines],
            env={"PATH": os.environ.get("PATH", "")}, log=place.log("c-gateway"))


class CModbusMaster:
    """The small Modbus master, Benchmarks/c-gateway/modbus-master.c."""

    name = "C program"

    def __init__(self, path):
        self.path = path

    def start_modbus(self, place, url, path, units, registers):
        """`registers` is what it was built for."""
        hot = place.memory("c-modbus-master")
        return Child(
            [self.path, f"{url}/api/v1/{TOKEN}/telemetry", f"{hot}/log", f"{hot}/cursor", path, str(units)],
            env={"PATH": os.environ.get("PATH", "")}, log=place.log("c-modbus-master"))


class CCommands:
    """The small C program that carries out commands, Benchmarks/c-gateway/commands.c."""

    name = "C program"

    def __init__(self, path):
        self.path = path

    def start_commands(self, place, url, chip):
        return Child(
            [self.path, f"{url}/api/v1/{TOKEN}", os.path.join(place.disk("memory"), "commands"), f"{chip}/line23"],
            env={"PATH": os.environ.get("PATH", "")}, log=place.log("c-commands"))


def private(path, flags):
    return os.open(path, flags, 0o600)
