import Glibc
import Testing

@testable import Sensors

@Suite struct HwmonTests {
  /// An LM75, a power monitor and a processor, as their drivers show them.
  static func board() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.put("class/hwmon/hwmon0", ["name": "cpu_thermal", "temp1_input": "48312"])
    try tree.put(
      "class/hwmon/hwmon1",
      ["name": "lm75", "temp1_input": "23125", "temp1_max": "80000", "temp1_max_hyst": "75000"])
    try tree.put(
      "class/hwmon/hwmon2",
      [
        "name": "mixed", "in1_input": "12048", "curr1_input": "-350", "power1_average": "4216800",
        "power1_label": "supply", "energy1_input": "1500000", "humidity1_input": "45230", "fan1_input": "1320",
        "fan1_fault": "0", "temp2_input": "41000", "temp2_label": "Tctl", "temp2_fault": "0",
        "freq1_input": "300000000",
      ])
    return tree
  }

  @Test func channelsHaveTheirUnits() throws {
    let channels =
      "u: in1, i: curr1, p: power1, e: energy1, h: humidity1, n: fan1, t: Tctl, t2: temp2, f: freq1, p2: supply"
    var sensor = try fileSensor("protocol: hwmon\nchip: mixed\nchannels: {\(channels)}", try Self.board())
    let (samples, faults) = harvest(&sensor)
    #expect(
      samples == ["u=12.048 i=-0.35 p=4.2168 e=1.5 h=45.23 n=1320.0 t=41.0 t2=41.0 f=300000000.0 p2=4.2168"])
    #expect(faults == [])
  }

  @Test func aChipIsFoundAgainUnderAnotherNumber() throws {
    let tree = try Self.board()
    var sensor = try fileSensor("protocol: hwmon\nchip: lm75\nchannels: {room: temp1}", tree)
    #expect(harvest(&sensor).samples == ["room=23.125"])
    try tree.move("class/hwmon/hwmon1", to: "class/hwmon/hwmon9")
    try tree.move("class/hwmon/hwmon0", to: "class/hwmon/hwmon1")
    #expect(harvest(&sensor).samples == ["room=23.125"])
    try tree.remove("class/hwmon/hwmon9")
    #expect(
      harvest(&sensor).faults == [#"absent no hwmon chip is called "lm75": there are cpu_thermal and mixed"#])
    try tree.put("class/hwmon/hwmon4", ["name": "lm75", "temp1_input": "-500"])
    #expect(harvest(&sensor).samples == ["room=-0.5"])
  }

  @Test func aPathOfTheBusTellsTwoChipsApart() throws {
    let tree = try Self.board()
    try tree.put("class/hwmon/hwmon5", ["name": "lm75", "temp1_input": "1000"])
    try tree.put("bus/i2c/devices/1-0049/hwmon/hwmon5", ["name": "lm75", "temp1_input": "1000"])
    var sensor = try fileSensor("protocol: hwmon\nchip: lm75\nchannels: {room: temp1}", tree)
    let expected = """
      ambiguous 2 hwmon chips are called "lm75" (hwmon1 and hwmon5); write `chip:` as one's label or as the path of its \
      device, such as /sys/bus/i2c/devices/1-0048
      """
    #expect(harvest(&sensor).faults == [expected])
    var other = try fileSensor(
      "protocol: hwmon\nchip: /sys/bus/i2c/devices/1-0049\nchannels: {room: temp1}", tree)
    #expect(harvest(&other).samples == ["room=1.0"])
  }

  @Test func whatTheChipSaysIsBrokenIsNoValue() throws {
    let tree = try Self.board()
    try tree.put("class/hwmon/hwmon2", ["temp2_fault": "1"])
    var sensor = try fileSensor("protocol: hwmon\nchip: mixed\nchannels: {t: Tctl, u: in1}", tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["u=12.048"])
    let expected = """
      implausible t: the chip says that temp2 is broken (/sys/class/hwmon/hwmon2/temp2_fault is not 0); check its wiring
      """
    #expect(faults == [expected])
  }

  @Test func unknownChannelsAreSaidWithTheKnown() throws {
    let tree = try Self.board()
    var sensor = try fileSensor("protocol: hwmon\nchip: mixed\nchannels: {a: temp7, b: Tdie}", tree)
    let known = "curr1, energy1, fan1, freq1, humidity1, in1 and temp2"
    #expect(
      harvest(&sensor).faults == [
        "absent a: /sys/class/hwmon/hwmon2 has no channel temp7; it has \(known)",
        "absent b: /sys/class/hwmon/hwmon2 has no channel \"Tdie\"; it has supply, Tctl, \(known)",
      ])
    try tree.put("class/hwmon/hwmon2", ["in1_label": "Tctl"])
    var label = try fileSensor("protocol: hwmon\nchip: mixed\nchannels: {t: Tctl}", tree)
    #expect(
      harvest(&label).faults == [
        "ambiguous t: in1 and temp2 of /sys/class/hwmon/hwmon2 are all labelled \"Tctl\"; write one of these names"
      ])
  }

  @Test func aChannelThatIsSwitchedOffIsSaid() throws {
    let tree = try Self.board()
    tree.fail("class/hwmon/hwmon1/temp1_input", ENODATA, ENODATA)
    var sensor = try fileSensor("protocol: hwmon\nchip: lm75\nchannels: {room: temp1}", tree)
    let expected = """
      unreadable room: cannot read /sys/class/hwmon/hwmon1/temp1_input: its driver has no value (ENODATA); is the \
      channel switched off?
      """
    #expect(harvest(&sensor).faults == [expected])
  }
}

@Suite struct ThermalTests {
  static func board() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.put("class/thermal/thermal_zone0", ["type": "cpu-thermal", "temp": "48312"])
    try tree.put("class/thermal/thermal_zone1", ["type": "gpu-thermal", "temp": "51000"])
    try tree.put("class/thermal/cooling_device0", ["type": "cpu-thermal"])
    return tree
  }

  @Test func zonesAreFoundByTypeOrNumber() throws {
    var sensor = try fileSensor("protocol: thermal\nzones: {cpu: cpu-thermal, gpu: 1}\nprefix: true", try Self.board())
    #expect(harvest(&sensor).samples == ["s.cpu=48.312 s.gpu=51.0"])
    var single = try fileSensor("protocol: thermal\nzone: gpu-thermal", try Self.board())
    #expect(harvest(&single).samples == ["temperature=51.0"])
  }

  @Test func zonesOfOneTypeNeedTheirNumber() throws {
    let tree = try Self.board()
    try tree.put("class/thermal/thermal_zone2", ["type": "cpu-thermal", "temp": "1"])
    var sensor = try fileSensor("protocol: thermal\nzone: cpu-thermal", tree)
    let expected = """
      ambiguous temperature: 2 thermal zones are called "cpu-thermal" (thermal_zone0 and thermal_zone2); write the \
      number of one
      """
    #expect(harvest(&sensor).faults == [expected])
  }

  @Test(arguments: [EAGAIN, ENODATA, EINVAL]) func aZoneThatHasNotMeasuredYetIsTriedTwice(_ error: CInt) throws {
    let tree = try Self.board()
    tree.fail("class/thermal/thermal_zone0/temp", error)
    var sensor = try fileSensor("protocol: thermal\nzone: cpu-thermal", tree)
    #expect(harvest(&sensor).samples == ["temperature=48.312"])
  }

  @Test func colderThanAnythingIsNoValue() throws {
    let tree = try Self.board()
    try tree.put("class/thermal/thermal_zone0", ["temp": "-274000"])
    var sensor = try fileSensor("protocol: thermal\nzone: cpu-thermal", tree)
    #expect(
      harvest(&sensor).faults == [
        "implausible temperature: -274.0 °C is below absolute zero: the driver has not measured yet"
      ])
  }
}
