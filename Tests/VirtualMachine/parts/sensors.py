"""Sensors with a driver of the kernel's own, on an I²C bus that i2c-stub plays."""

from harness.bench import start_daemon, status

WHAT = "hwmon and IIO: an LM75 and an ADS1015 on a simulated bus are read through the kernel's drivers, and one vanishes"

CONFIGURATION = """sensors:
  board: {protocol: hwmon, chip: lm75, channels: {temperature: temp1}, interval: 500ms, prefix: true}
  tank: {protocol: iio, chip: ads1015, channels: {level: in_voltage0}, interval: 500ms, prefix: true}
upload: {interval: 100ms}
"""
LM75, ADS1015 = "0x48", "0x49"


def run(bench, checks):
    with bench.server() as server, bench.machine(server) as machine:
        bus = machine.output(f"""modprobe i2c-dev && modprobe i2c-stub chip_addr={LM75},{ADS1015} && modprobe lm75 &&
            modprobe ti-ads1015 && i2cdetect -l | sed -n 's/^i2c-\\([0-9]*\\).*SMBus stub.*/\\1/p'""")
        machine.run(f"""echo lm75 {LM75} > /sys/bus/i2c/devices/i2c-{bus}/new_device
            echo ads1015 {ADS1015} > /sys/bus/i2c/devices/i2c-{bus}/new_device; udevadm settle""")
        temperature(machine, bus, 23.5)
        voltage(machine, bus, 1000)
        start_daemon(machine, CONFIGURATION)
        checks.that(server.wait(lambda: number(server, "board.temperature") == 23.5), "hwmon: 23.5 °C",
                    server.latest("board.temperature"))
        temperature(machine, bus, -5)
        checks.that(server.wait(lambda: number(server, "board.temperature") == -5), "and -5 °C as it changes",
                    server.latest("board.temperature"))
        raw, scale = (float(text) for text in machine.output(
            "cd /sys/bus/iio/devices/iio:device0 && cat in_voltage0_raw in_voltage0_scale").split())
        checks.that(server.wait(lambda: number(server, "tank.level") is not None), "IIO: a value")
        level = number(server, "tank.level")
        checks.that(level and abs(level - raw * scale / 1000) < 1e-6, f"{raw:.0f} × {scale} mV in volts", level)
        vanish(machine, server, checks, bus)


def vanish(machine, server, checks, bus):
    machine.run(f"echo {LM75} > /sys/bus/i2c/devices/i2c-{bus}/delete_device")
    machine.wait_for("baudgate status --json | grep -q 'no hwmon chip'", 15)
    sensors = status(machine)["sensors"]
    checks.that(sensors["board"].get("last_error"), "a chip that is gone is told in words", sensors["board"].get("last_error"))
    checks.that(not sensors["tank"].get("last_error"), "the other is read on")
    machine.run(f"echo lm75 {LM75} > /sys/bus/i2c/devices/i2c-{bus}/new_device")
    temperature(machine, bus, 42)
    checks.that(server.wait(lambda: number(server, "board.temperature") == 42), "back it is read again",
                server.latest("board.temperature"))


def number(server, key):
    text = server.latest(key)
    return None if text is None else float(text)


def temperature(machine, bus, degrees):
    # Big-endian on the wire, half a degree in the topmost nine bits; SMBus words are little-endian.
    word = int(degrees * 2) << 7 & 0xFFFF
    swapped = (word & 0xFF) << 8 | word >> 8
    machine.run(f"i2cset -f -y {bus} {LM75} 0 {swapped:#06x} w")


def voltage(machine, bus, code):
    word = code << 4 & 0xFFFF
    swapped = (word & 0xFF) << 8 | word >> 8
    machine.run(f"i2cset -f -y {bus} {ADS1015} 0 {swapped:#06x} w")
