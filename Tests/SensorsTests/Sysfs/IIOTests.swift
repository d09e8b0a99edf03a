import Glibc
import Testing

@testable import Sensors

/// Chips as their drivers show them, published on the kernel's pages and in threads.
@Suite struct IIOTests {
  /// An ADS1015 with what ti-ads1015 has: a scale for each channel.
  static func converter(_ directory: String = "bus/iio/devices/iio:device0", name: String = "ads1015") throws
    -> SysfsTree
  {
    let tree = try SysfsTree()
    try put(converter: directory, name, in: tree)
    return tree
  }

  static func put(converter directory: String, _ name: String, raw: String = "1247", in tree: SysfsTree) throws {
    try tree.put(
      directory,
      [
        "name": name, "in_voltage0_raw": raw, "in_voltage0_scale": "2.000000000",
        "in_voltage0-voltage1_raw": "-56", "in_voltage-voltage_scale": "0.125000000", "in_voltage3_raw": "3",
        "in_voltage_scale": "0.250000000", "sampling_frequency_available": "128 250 490",
      ])
  }

  static let options = "protocol: iio\nchip: ads1015\nchannels: {tank: in_voltage0}"

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let files: [String: String]
    let channel: String
    let value: String
  }

  static let rows = [
    Row(
      testDescription: "millivolts with a scale of the channel's own",
      files: ["in_voltage0_raw": "1247", "in_voltage0_scale": "2.000000000", "in_voltage_scale": "9"],
      channel: "in_voltage0", value: "2.494"),
    Row(
      testDescription: "a scale all voltages share, as of mcp3008",
      files: ["in_voltage1_raw": "512", "in_voltage_scale": "3.222656250"], channel: "in_voltage1",
      value: "1.65"),
    Row(
      testDescription: "a difference and its own shared scale",
      files: [
        "in_voltage0-voltage1_raw": "-56", "in_voltage-voltage_scale": "0.125000000", "in_voltage_scale": "9",
      ], channel: "in_voltage0-voltage1", value: "-0.007"),
    Row(
      testDescription: "an offset before the scale, as of Xilinx' XADC",
      files: ["in_temp0_raw": "2586", "in_temp0_offset": "-2219", "in_temp0_scale": "123.040771484"],
      channel: "in_temp0", value: "45.155963134628"),
    Row(
      testDescription: "a scale of the whole chip",
      files: ["in_accel_x_raw": "-4", "in_scale": "0.038300"], channel: "in_accel_x", value: "-0.1532"),
    Row(
      testDescription: "a DHT22's temperature", files: ["in_temp_input": "-1200"], channel: "in_temp", value: "-1.2"),
    Row(
      testDescription: "a DHT22's humidity", files: ["in_humidityrelative_input": "45600"],
      channel: "in_humidityrelative", value: "45.6"),
    Row(
      testDescription: "a BMP280's kilopascal", files: ["in_pressure_input": "101.325273437"], channel: "in_pressure",
      value: "101.325273437"),
    Row(
      testDescription: "a BH1750's lux", files: ["in_illuminance_raw": "312", "in_illuminance_scale": "0.833333"],
      channel: "in_illuminance", value: "259.999896"),
    Row(
      testDescription: "a driver that scales itself and has raw numbers too",
      files: ["in_temp_input": "24540", "in_temp_raw": "1", "in_temp_scale": "1"], channel: "in_temp", value: "24.54"),
    Row(
      testDescription: "an SCD30's carbon dioxide, per cent",
      files: ["in_concentration_co2_raw": "0.0412", "in_concentration_co2_scale": "0.0001"],
      channel: "in_concentration_co2", value: "4.12e-06"),
  ]

  @Test(arguments: rows) func aChannelHasItsUnit(_ row: Row) throws {
    let tree = try SysfsTree()
    var files = row.files
    files["name"] = "chip"
    try tree.put("bus/iio/devices/iio:device3", files)
    var sensor = try fileSensor("protocol: iio\nchip: chip\nchannels: {v: \(row.channel)}", tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["v=\(row.value)"])
    #expect(faults == [])
  }

  @Test func aPersonsScaleComesLast() throws {
    var sensor = try fileSensor(
      "\(Self.options)\nscale: {tank: 2}\noffset: {tank: 0.5}\nprefix: true", try Self.converter())
    #expect(harvest(&sensor).samples == ["s.tank=5.488"])
  }

  @Test func aWholeReadingIsOneDocument() throws {
    var sensor = try fileSensor(
      "protocol: iio\nchip: ads1015\nchannels: {tank: in_voltage0, low: in_voltage3}\nreport: json",
      try Self.converter())
    #expect(harvest(&sensor).samples == [#"s={"tank":2.494,"low":0.00075}"#])
  }

  @Test func aChipIsFoundAgainUnderAnotherNumber() throws {
    let tree = try Self.converter()
    try tree.put("bus/iio/devices/iio:device1", ["name": "bme280", "in_temp_input": "21000"])
    try tree.put("bus/iio/devices/trigger0", ["name": "ads1015"])
    var sensor = try fileSensor(Self.options, tree)
    #expect(harvest(&sensor).samples == ["tank=2.494"])
    try tree.remove("bus/iio/devices/iio:device0")
    let absent = harvest(&sensor)
    #expect(absent.samples == [])
    #expect(absent.faults == [#"absent no IIO chip is called "ads1015": there are bme280"#])
    try Self.put(converter: "bus/iio/devices/iio:device7", "ads1015", raw: "1250", in: tree)
    #expect(harvest(&sensor).samples == ["tank=2.5"])
  }

  @Test func twoChipsOfOneNameAreToldApartByLabelOrPath() throws {
    let tree = try Self.converter("devices/i2c-1/1-0048/iio:device0")
    try Self.put(converter: "devices/i2c-1/1-0049/iio:device1", "ads1015", raw: "100", in: tree)
    try tree.put("devices/i2c-1/1-0049/iio:device1", ["label": "cellar"])
    for (number, address) in [(0, "48"), (1, "49")] {
      try tree.link(
        "bus/iio/devices/iio:device\(number)", to: "../../../devices/i2c-1/1-00\(address)/iio:device\(number)")
    }
    try tree.link("bus/i2c/devices/1-0048", to: "../../../devices/i2c-1/1-0048")
    var sensor = try fileSensor(Self.options, tree)
    let expected = """
      ambiguous 2 IIO chips are called "ads1015" (iio:device0 and iio:device1); write `chip:` as one's label or as its \
      path, such as /sys/bus/i2c/devices/1-0048
      """
    #expect(harvest(&sensor).faults == [expected])
    let ways = [
      ("cellar", "0.2"), ("/sys/bus/i2c/devices/1-0048", "2.494"), ("/sys/bus/iio/devices/iio:device1", "0.2"),
    ]
    for (chip, value) in ways {
      var sensor = try fileSensor("protocol: iio\nchip: \(chip)\nchannels: {tank: in_voltage0}", tree)
      #expect(harvest(&sensor).samples == ["tank=\(value)"])
    }
  }

  @Test func whatIsNotThereIsSaidWithWhatIs() throws {
    let tree = try SysfsTree()
    var sensor = try fileSensor(
      "protocol: iio\nchip: ads1015\nchannels: {tank: in_voltage7, low: in_voltage3}", tree)
    #expect(
      harvest(&sensor).faults == [
        "absent /sys/bus/iio/devices is not there; is the IIO chip there, and its driver loaded?"
      ])
    try tree.put("bus/iio/devices", [:])
    #expect(
      harvest(&sensor).faults == [
        #"absent no IIO chip is called "ads1015": there is none at all; is its driver loaded?"#
      ])
    try Self.put(converter: "bus/iio/devices/iio:device0", "ads1015", in: tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == ["low=0.00075"])
    let expected = """
      absent tank: /sys/bus/iio/devices/iio:device0 has no channel in_voltage7; it has in_voltage0-voltage1, \
      in_voltage0 and in_voltage3
      """
    #expect(faults == [expected])
    var other = try fileSensor("protocol: iio\nchip: /sys/bus/i2c/devices/1-0048\nchannels: {t: in_temp}", tree)
    try tree.put("bus/i2c/devices/1-0048", ["name": "ads1015"])
    #expect(
      harvest(&other).faults == ["absent /sys/bus/i2c/devices/1-0048 has no IIO chip; is its driver loaded?"])
  }

  static let raw = "bus/iio/devices/iio:device0/in_voltage0_raw"

  @Test(arguments: [EAGAIN, EBUSY, EINVAL, EIO, ENODATA, ENODEV, ENXIO, EREMOTEIO, ETIMEDOUT, EPROTO])
  func aPassingErrorIsTriedTwiceAndThenSaid(_ error: CInt) throws {
    let tree = try Self.converter()
    var sensor = try fileSensor(Self.options, tree)
    tree.fail(Self.raw, error)
    let second = harvest(&sensor)
    #expect(second.samples == ["tank=2.494"] && second.faults == [])
    #expect(tree.pauses == [SysfsLimits.retryPause])
    tree.fail(Self.raw, error, error)
    let failed = harvest(&sensor)
    #expect(failed.samples == [])
    #expect(failed.faults.count == 1)
    #expect(failed.faults.first?.hasPrefix("unreadable tank: cannot read /sys/\(Self.raw): ") == true)
    #expect(harvest(&sensor).samples == ["tank=2.494"])
  }

  @Test func whatTheErrorsMeanIsInWords() throws {
    let words: [(CInt, String)] = [
      (EBUSY, "the chip is busy (EBUSY); does another program capture from it?"),
      (ETIMEDOUT, "the chip did not answer in time (ETIMEDOUT); check its wiring and power"),
      (EREMOTEIO, "nothing answers at the chip's address (EREMOTEIO); check its wiring and power"),
      (EPROTO, "error number \(EPROTO)"),
    ]
    for (errno, reason) in words {
      let fault = SysfsError(path: "/sys/x", errno: errno).fault
      #expect(fault == DecodingFault(.unreadable, "cannot read /sys/x: \(reason)"))
    }
    #expect(SysfsError(path: "/sys/x", errno: ENOENT).fault.code == .absent)
  }

  @Test func permissionsAreNotTriedAgain() throws {
    let tree = try Self.converter()
    tree.fail(Self.raw, EACCES)
    var sensor = try fileSensor(Self.options, tree)
    let expected =
      "forbidden tank: may not read /sys/\(Self.raw); let a udev rule give the service's user access to it, see docs/sysfs.md"
    #expect(harvest(&sensor).faults == [expected])
    #expect(tree.pauses == [])
  }

  @Test func aDeadChipWithManyChannelsHasFewSecondAttempts() throws {
    let tree = try SysfsTree()
    let names = (0..<16).map { "in_voltage\($0)" }
    try tree.put("bus/iio/devices/iio:device0", ["name": "adc"])
    try tree.put(
      "bus/iio/devices/iio:device0", Dictionary(uniqueKeysWithValues: names.map { ("\($0)_raw", "1") }))
    for name in names { tree.fail("bus/iio/devices/iio:device0/\(name)_raw", EREMOTEIO, EREMOTEIO) }
    let channels = names.map { "\($0): \($0)" }.joined(separator: ", ")
    var sensor = try fileSensor("protocol: iio\nchip: adc\nchannels: {\(channels)}", tree)
    #expect(harvest(&sensor).faults.count == 16)
    #expect(tree.pauses.count == SysfsLimits.retries)
  }

  @Test(arguments: ["", "nan", "0.1 0.2 0.3 0.4", "abc", String(repeating: "9", count: 400)])
  func whatIsNoNumberIsLeftOut(_ text: String) throws {
    let tree = try Self.converter()
    tree.give(Self.raw, text, text)
    var sensor = try fileSensor(Self.options, tree)
    let (samples, faults) = harvest(&sensor)
    #expect(samples == [])
    #expect(faults.count == 1 && faults[0].hasPrefix("notNumber tank: expected a number in /sys/\(Self.raw), got "))
  }

  @Test func aChipThatGoesDuringTheReadingIsAbsent() throws {
    let tree = try Self.converter()
    tree.fail(Self.raw, ENOENT)
    var sensor = try fileSensor(Self.options, tree)
    #expect(harvest(&sensor).faults == ["absent tank: /sys/\(Self.raw) is not there"])
  }
}
