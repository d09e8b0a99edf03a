import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Gateway

@Suite struct DeviceNameTests {
  static let machineID = "0123456789abcdef0123456789abcdef"

  static func adapter(_ name: String, _ address: String, kind: String = "0", isReal: Bool = true) -> [String: String] {
    var files = [
      "/sys/class/net/\(name)/address": address + "\n", "/sys/class/net/\(name)/addr_assign_type": kind + "\n",
    ]
    if isReal { files["/sys/class/net/\(name)/device/uevent"] = "" }
    return files
  }

  private static func merged(_ parts: [String: String]...) -> [String: String] {
    parts.reduce(into: [:]) { $0.merge($1) { _, new in new } }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var template: String
    var files: [String: String]
    var hostname: String?
    var expected: Result<String, DeviceNameError>
    init(
      _ description: String, _ template: String, files: [String: String] = [:], hostname: String? = "pi4",
      _ expected: Result<String, DeviceNameError>
    ) {
      testDescription = description
      self.template = template
      self.files = files
      self.hostname = hostname
      self.expected = expected
    }
  }

  static let rows = [
    Row("no placeholder", "greenhouse", .success("greenhouse")),
    Row("hostname", "greenhouse-{hostname}", .success("greenhouse-pi4")),
    Row("twice, and between", "{hostname}/{hostname}!", .success("pi4/pi4!")),
    Row("no hostname", "{hostname}", hostname: nil, .failure(.noHostname)),
    Row("the hostname every board has", "gw-{hostname}", hostname: "localhost", .failure(.noHostname)),
    Row("machine id", "gw-{machine_id}", files: ["/etc/machine-id": machineID + "\n"], .success("gw-" + machineID)),
    Row("no machine id", "gw-{machine_id}", .failure(.noMachineID)),
    Row(
      "machine id of a first boot", "{machine_id}", files: ["/etc/machine-id": "uninitialized\n"],
      .failure(.noMachineID)),
    Row(
      "machine id of zeroes", "{machine_id}", files: ["/etc/machine-id": String(repeating: "0", count: 32)],
      .failure(.noMachineID)),
    Row(
      "serial number of a device tree, with its NUL", "{serial_number}",
      files: ["/proc/device-tree/serial-number": "10000000a1b2c3d4\0"], .success("10000000a1b2c3d4")),
    Row(
      "serial number in /sys", "{serial_number}",
      files: ["/sys/firmware/devicetree/base/serial-number": "02c0008165f3\0"], .success("02c0008165f3")),
    Row(
      "serial number behind the processors", "{serial_number}",
      files: [
        "/proc/cpuinfo": String(repeating: "processor\t: 0\n", count: 2000)
          + "Hardware\t: BCM2835\nSerial\t\t: 00000000cafe0001\n"
      ],
      .success("00000000cafe0001")),
    Row(
      "serial number of zeroes, and a real one in DMI", "{serial_number}",
      files: ["/proc/cpuinfo": "Serial\t\t: 0000000000000000\n", "/sys/class/dmi/id/product_serial": "PF1234\n"],
      .success("PF1234")),
    Row(
      "serial number nobody filled in", "{serial_number}",
      files: ["/sys/class/dmi/id/product_serial": "To Be Filled By O.E.M.\n"], .failure(.noSerialNumber)),
    Row("no serial number", "{serial_number}", .failure(.noSerialNumber)),
    Row(
      "the first real adapter by name", "{mac}",
      files: merged(
        adapter("br0", "02:00:00:00:00:01", isReal: false),
        adapter("docker0", "02:42:00:00:00:01", kind: "3", isReal: false),
        adapter("wlan0", "b8:27:eb:00:00:03"), adapter("eth0", "B8:27:EB:00:00:02"),
        adapter("lo", "00:00:00:00:00:00", isReal: false)),
      .success("b827eb000002")),
    Row(
      "an address that was drawn or set is none", "{mac}",
      files: merged(adapter("eth0", "b8:27:eb:00:00:02", kind: "1"), adapter("wlan0", "b8:27:eb:00:00:03", kind: "3")),
      .failure(.noHardwareAddress)),
    Row(
      "no Ethernet address", "{mac}",
      files: merged(
        adapter("can0", ""), adapter("ib0", "80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:1a:f3"),
        adapter("ppp0", "+1:02:03:04:05:06"), adapter("zz0", "zz:02:03:04:05:06")),
      .failure(.noHardwareAddress)),
    Row("an unknown placeholder", "gw-{serial}", .failure(.unknownPlaceholder("serial"))),
    Row("an open brace is text", "gw-{hostname", .success("gw-{hostname")),
    Row("what the server would refuse", " <b>\u{7}{hostname}\n", .success("b pi4")),
    Row("nothing left", " \t ", .failure(.empty)),
    Row("too long", String(repeating: "x", count: 250) + "-{hostname}{hostname}", .failure(.tooLong(257))),
    Row("long in UTF-16", String(repeating: "😀", count: 128), .failure(.tooLong(256))),
  ]

  @Test(arguments: rows) func name(_ row: Row) throws {
    try CallRig.inDirectory { root in
      try CallRig.plant(row.files, below: root)
      let found = Result { () throws(DeviceNameError) in
        try DeviceName.expand(row.template, tree: SystemTree(root: root), hostname: row.hostname)
      }
      #expect(found == row.expected)
    }
  }

  @Test func thisMachineHasAName() throws {
    #expect(DeviceName.hostname?.isEmpty == false)
  }
}

@Suite struct BoardFactsTests {
  @Test func whatABoardTells() throws {
    try CallRig.inDirectory { root in
      try CallRig.plant(
        [
          "/proc/device-tree/model": "Raspberry Pi Zero W Rev 1.1\0",
          "/proc/device-tree/serial-number": "00000000cafe0001\0",
          "/proc/sys/kernel/osrelease": "6.12.20+rpt-rpi-v6\n",
        ], below: root)
      var facts = BoardFacts.read(SystemTree(root: root))
      facts.bootTime = 1_700_000_000_000
      let told = Dictionary(facts.attributes.map { ($0.key.name, $0.value) }) { _, last in last }
      #expect(
        told == [
          "baudgate_version": .string(Version.current), "board_model": .string("Raspberry Pi Zero W Rev 1.1"),
          "board_serial": .string("00000000cafe0001"), "kernel": .string("6.12.20+rpt-rpi-v6"),
          "boot_time": .long(1_700_000_000_000),
        ])
    }
  }

  @Test func whatIsNotKnownIsLeftOut() throws {
    try CallRig.inDirectory { root in
      try CallRig.plant(["/proc/device-tree/model": "\u{1}\0garbage"], below: root)
      #expect(BoardFacts.read(SystemTree(root: root)).attributes.map(\.key.name) == ["baudgate_version"])
    }
  }

  @Test func bytesThatAreNoTextAreNone() throws {
    try CallRig.inDirectory { root in
      try CallRig.plant(["/etc/x": ""], below: root)
      try Data([0xFF, 0xFE, 0x41]).write(to: URL(fileURLWithPath: root + "/etc/x"))
      #expect(SystemTree(root: root).text("/etc/x") == nil)
      #expect(SystemTree(root: root).text("/etc") == nil)
      #expect(SystemTree(root: root).text("/etc/missing") == nil)
    }
  }

  @Test func theBootTimeIsNewsOnlyWhenTheClockWasSet() {
    var boot = BootTime()
    #expect(boot.update(now: CaptureTime(milliseconds: 100_000, boottime: 40_000)) == 60_000)
    #expect(boot.update(now: CaptureTime(milliseconds: 3_700_000, boottime: 3_640_000)) == nil)
    #expect(boot.update(now: CaptureTime(milliseconds: 3_710_000, boottime: 3_640_000)) == nil, "10 s are drift")
    #expect(boot.update(now: CaptureTime(milliseconds: 3_710_001, boottime: 3_640_000)) == 70_001)
    #expect(boot.update(now: CaptureTime(milliseconds: 1_700_000_000_000, boottime: 3_650_000)) == 1_699_996_350_000)
    #expect(boot.update(now: CaptureTime(milliseconds: .min, boottime: 1)) == nil)
    #expect(boot.milliseconds == 1_699_996_350_000)
  }
}
