import Glibc
import Telemetry
import Testing

@testable import Sensors

private struct Mistake: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let options: String
  let messages: [String]
}

private let mistakes = [
  Mistake(
    testDescription: "a port", options: "protocol: w1\nport: p\nid: 28-000005e2fdc3",
    messages: ["3:9: sensors.s.port does not belong here: w1 reads files of the kernel"]),
  Mistake(
    testDescription: "no thermometer's name", options: "protocol: w1\nid: 28.E2FDC3050000",
    messages: [
      #"3:7: sensors.s.id is "28.E2FDC3050000"; expected a thermometer's name such as 28-000005e2fdc3"#
    ]),
  Mistake(
    testDescription: "a device of another family", options: "protocol: w1\ndevices: {a: 1d-000000000001}",
    messages: [
      #"3:16: sensors.s.devices.a is "1d-000000000001"; expected a thermometer's name such as 28-000005e2fdc3"#
    ]),
  Mistake(
    testDescription: "a thermometer twice",
    options: "protocol: w1\ndevices: {a: 28-000005e2fdc3, b: 28-000005E2FDC3}",
    messages: [#"3:36: sensors.s.devices.b is "28-000005E2FDC3", which is "a" already"#]),
  Mistake(
    testDescription: "both ways", options: "protocol: w1\nid: 28-000005e2fdc3\ndevices: {a: 28-000005060fe3}",
    messages: ["3:7: sensors.s has id and devices; it needs one of them, or none for all there are"]),
  Mistake(
    testDescription: "no devices at all", options: "protocol: w1\ndevices: {}",
    messages: ["3:12: sensors.s.devices has 0 entries; expected 1 to 64"]),
  Mistake(
    testDescription: "keys of other programs", options: "protocol: w1\nids: [28-000005e2fdc3]\nresolution: 12",
    messages: [
      #"3:3: unknown key "ids" in sensors.s; write devices: {NAME: ID}"#,
      #"4:3: unknown key "resolution" in sensors.s; it is set once with the tools of the system, see docs/sysfs.md"#,
    ]),
  Mistake(
    testDescription: "neither chip nor channels", options: "protocol: iio",
    messages: [
      #"2:3: sensors.s has no "channels", which is required"#, #"2:3: sensors.s has no "chip", which is required"#,
    ]),
  Mistake(
    testDescription: "a file instead of a channel", options: "protocol: iio\nchip: c\nchannels: {t: in_voltage0_raw}",
    messages: [
      """
      4:17: sensors.s.channels.t is "in_voltage0_raw"; expected a channel such as in_voltage0 or in_temp; \
      did you mean "in_voltage0"?
      """
    ]),
  Mistake(
    testDescription: "channels that are none",
    options: "protocol: iio\nchip: c\nchannels: {a: voltage0, b: in_/x, c: [x]}",
    messages: [
      "4:40: sensors.s.channels.c is a list; expected a channel such as in_voltage0"
    ]),
  Mistake(
    testDescription: "a channel without a direction", options: "protocol: iio\nchip: c\nchannels: {a: voltage0}",
    messages: [
      #"4:17: sensors.s.channels.a is "voltage0"; expected a channel such as in_voltage0 or in_temp"#
    ]),
  Mistake(
    testDescription: "a name that cannot be a key", options: "protocol: iio\nchip: c\nchannels: {\"<b>\": in_temp}",
    messages: [#"4:14: "<b>" cannot be a key: \#(KeyErrorText.html)"#]),
  Mistake(
    testDescription: "values that are not delivered",
    options: "protocol: iio\nchip: c\nchannels: {t: in_temp}\nscale: {x: 2}\nunits: {u: V}",
    messages: [
      #"5:11: sensors.s.scale has "x", which the sensor does not deliver; it delivers t"#,
      #"6:11: sensors.s.units has "u", which the sensor does not deliver; it delivers t"#,
    ]),
  Mistake(
    testDescription: "a hwmon file instead of a channel",
    options: "protocol: hwmon\nchip: c\nchannels: {t: temp1_input}",
    messages: [
      #"4:17: sensors.s.channels.t is "temp1_input"; expected a channel such as temp1; did you mean "temp1"?"#
    ]),
  Mistake(
    testDescription: "a chip under another name", options: "protocol: hwmon\nname: lm75\nchannels: {t: temp1}",
    messages: [
      #"2:3: sensors.s has no "chip", which is required"#,
      #"3:3: unknown key "name" in sensors.s; write the chip's name as chip:"#,
    ]),
  Mistake(
    testDescription: "no zone", options: "protocol: thermal",
    messages: ["2:3: sensors.s has no zone; it needs either zone: ZONE or zones: {NAME: ZONE}"]),
  Mistake(
    testDescription: "an interval that is none", options: "protocol: thermal\nzone: 0\ninterval: 1ms",
    messages: [
      #"4:13: sensors.s.interval is "1ms"; expected a duration from 10ms to 1d such as 250ms, 5s, 10m or 1h"#
    ]),
]

private enum KeyErrorText {
  static var html: String {
    do throws(KeyError) {
      _ = try Key("<b>")
      return ""
    } catch { return "\(error)" }
  }
}

@Suite struct SysfsOptionsTests {
  @Test(arguments: mistakes) private func mistakesAreSaidAtTheirPlace(_ mistake: Mistake) {
    let lines = mistake.options.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let (sensors, messages) = load("s:\n\(lines)")
    #expect(sensors.isEmpty)
    #expect(messages == mistake.messages)
  }

  @Test func optionsAreAsForOtherSensors() throws {
    let (sensors, messages) = load(
      """
      boiler:
        protocol: w1
        devices: {supply: 28-000005E2FDC3, return: 28-000005060fe3}
        interval: 30s
        prefix: true
        device: house
        units: {supply: °C}
        filters: {supply: [{median: 3}]}
      all: {protocol: w1}
      cpu: {protocol: thermal, zone: 0, report: json}
      """)
    #expect(messages == [])
    #expect(sensors.map(\.port) == [nil, nil, nil])
    #expect(sensors.map(\.interval) == [.seconds(30), SensorOptions.defaultInterval, SensorOptions.defaultInterval])
    #expect(sensors[0].keys?.map(\.name) == ["boiler.supply", "boiler.return"])
    #expect(sensors[0].device == "house")
    #expect(sensors[1].keys == nil)
    #expect(sensors[2].keys?.map(\.name) == ["cpu"])
    #expect(sensors.allSatisfy { SensorProtocols.fileSensor($0) != nil && SensorProtocols.poll(of: $0) == nil })
    #expect(!SensorProtocols.isBus(sensors) && SensorProtocols.decoder(for: [sensors[0]]) == nil)
  }

  @Test func equalOptionsAreEqual() {
    let texts = [
      "{protocol: w1}", "{protocol: w1, id: 28-000005e2fdc3}", "{protocol: w1, id: 28-000005060fe3}",
      "{protocol: iio, chip: a, channels: {t: in_temp}}", "{protocol: iio, chip: b, channels: {t: in_temp}}",
      "{protocol: iio, chip: a, channels: {t: in_temp1}}", "{protocol: hwmon, chip: a, channels: {t: temp1}}",
      "{protocol: hwmon, chip: a, channels: {t: temp2}}", "{protocol: thermal, zone: 0}",
      "{protocol: thermal, zone: x}",
      "{protocol: thermal, zone: 0, scale: {temperature: 2}}",
    ]
    for (index, text) in texts.enumerated() {
      for (other, second) in texts.enumerated() {
        #expect((load("s: \(text)").sensors == load("s: \(second)").sensors) == (index == other))
      }
    }
  }
}

@Suite struct KernelFilesTests {
  @Test func readsOnePageAtMost() throws {
    let tree = try SysfsTree()
    try tree.put("a", ["long": String(repeating: "x", count: 3 * SysfsLimits.file), "empty": ""])
    let files = KernelFiles(root: tree.root)
    #expect(try files.contents(of: "/sys/a/long").count == SysfsLimits.file)
    #expect(try files.contents(of: "/sys/a/empty") == [UInt8(ascii: "\n")])
    #expect(try files.names(in: "/sys/a") == ["empty", "long"])
  }

  @Test func errorsHaveTheirPathAndNumber() throws {
    let tree = try SysfsTree()
    let files = KernelFiles(root: tree.root)
    #expect(throws: SysfsError(path: "/sys/x", errno: ENOENT)) { _ = try files.contents(of: "/sys/x") }
    #expect(throws: SysfsError(path: "/sys", errno: EISDIR)) { _ = try files.contents(of: "/sys") }
    #expect(throws: SysfsError(path: "/sys/x", errno: ENOENT)) { try files.write("1", to: "/sys/x") }
    #expect(throws: SysfsError(path: "/sys/x", errno: ENOENT)) { _ = try files.names(in: "/sys/x") }
    #expect(throws: SysfsError(path: "/sys/\0", errno: ENOENT)) { _ = try files.contents(of: "/sys/\0") }
  }

  @Test func writesInPlace() throws {
    let tree = try SysfsTree()
    try tree.put("a", ["f": "0123456789"])
    try KernelFiles(root: tree.root).write("trigger\n", to: "/sys/a/f")
    #expect(try KernelFiles(root: tree.root).contents(of: "/sys/a/f") == Array("trigger\n89\n".utf8))
  }

  @Test func doesNotWaitForWhoNeverWrites() throws {
    let tree = try SysfsTree()
    #expect(mkfifo(tree.root + "/sys/pipe", 0o600) == 0)
    #expect(try KernelFiles(root: tree.root).contents(of: "/sys/pipe") == [])
  }
}
