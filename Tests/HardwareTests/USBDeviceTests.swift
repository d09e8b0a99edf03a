import EventLoop
import Foundation
import Testing

@testable import Hardware

/// The walk from a line to its USB device, on trees like the kernel's.
@Suite struct USBDeviceTests {
  /// Trees below a fresh directory.
  final class Trees: Sendable {
    let root: String
    var roots: USBDevice.Roots { USBDevice.Roots(sysfs: "\(root)/sys", devices: "\(root)/dev") }

    init() throws {
      root = NSTemporaryDirectory() + "baudgate-usb-\(UUID().uuidString)"
      try make("sys/class/tty")
      try make("dev/serial/by-id")
      try file("sys/devices/usb1/busnum", "1\n")
      try file("sys/devices/usb1/devnum", "1\n")
      try file("sys/devices/usb1/1-1/1-1.2/busnum", "1\n")
      try file("sys/devices/usb1/1-1/1-1.2/devnum", "14\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func make(_ path: String) throws {
      try FileManager.default.createDirectory(atPath: "\(root)/\(path)", withIntermediateDirectories: true)
    }

    func file(_ path: String, _ text: String) throws {
      try make((path as NSString).deletingLastPathComponent)
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(root)/\(path)"))
    }

    func link(_ path: String, to target: String) throws {
      try make((path as NSString).deletingLastPathComponent)
      try FileManager.default.createSymbolicLink(atPath: "\(root)/\(path)", withDestinationPath: target)
    }

    /// A line whose `device` is at `place`.
    func line(_ name: String, at place: String) throws -> String {
      try make("sys/devices/\(place)/tty/\(name)")
      try link("sys/devices/\(place)/tty/\(name)/device", to: "../..")
      try link("sys/class/tty/\(name)", to: "../../devices/\(place)/tty/\(name)")
      try file("dev/\(name)", "")
      return "\(root)/dev/\(name)"
    }
  }

  static let places = [
    ("ttyUSB0", "usb1/1-1/1-1.2/1-1.2:1.0/ttyUSB0"), ("ttyACM3", "usb1/1-1/1-1.2/1-1.2:1.0"),
  ]

  @Test(arguments: places) func aLineHasItsDevice(_ name: String, _ place: String) throws {
    let trees = try Trees()
    let line = try trees.line(name, at: place)
    try trees.link("dev/serial/by-id/usb-FTDI-if00", to: "../../\(name)")
    for path in [line, "\(trees.root)/dev/serial/by-id/usb-FTDI-if00"] {
      let device = try USBDevice(of: path, roots: trees.roots)
      #expect(device.name == "1-1.2" && device.bus == 1 && device.number == 14)
      #expect(device.path == "\(trees.root)/dev/bus/usb/001/014")
    }
  }

  @Test func whatIsNotUSBIsSaidSo() throws {
    let trees = try Trees()
    let lines = [
      try trees.line("ttyAMA0", at: "platform/soc/fe201000.serial"), try trees.line("ttyS0", at: "pnp0/00:01"),
      try trees.line("ttyUSB7", at: "usb1/a/b/c/d/e/f/g/h/i/j"),
    ]
    for line in lines {
      #expect(throws: USBError.notUSB(line)) { try USBDevice(of: line, roots: trees.roots) }
    }
    // Numbers that name no node.
    for (index, text) in ["", "0", "-1", "1000", "99999999999999999999", "one"].enumerated() {
      let place = "odd/2-\(index)"
      try trees.file("sys/devices/\(place)/busnum", text)
      try trees.file("sys/devices/\(place)/devnum", "2")
      let line = try trees.line("ttyUSB\(10 + index)", at: "\(place)/2:1.0")
      #expect(throws: USBError.notUSB(line)) { try USBDevice(of: line, roots: trees.roots) }
    }
    let missing = "\(trees.root)/dev/ttyUSB9"
    #expect(throws: USBError.absent(missing)) { try USBDevice(of: missing, roots: trees.roots) }
    #expect(throws: USBError.self) { try USBDevice(of: "/dev/tty\0", roots: trees.roots) }
  }

  @Test func aResetIsAskedOfItsNode() throws {
    let trees = try Trees()
    let device = try USBDevice(of: try trees.line("ttyUSB0", at: Self.places[0].1), roots: trees.roots)
    #expect(
      throws: USBError(
        code: .absent, message: "\(device.path) is not there: was 1-1.2 unplugged?",
        cause: SystemError("open", errno: ENOENT))
    ) {
      try device.reset { _ in 0 }
    }
    try trees.file("dev/bus/usb/001/014", "")
    var asked = 0
    try device.reset { descriptor in
      asked += fcntl(descriptor, F_GETFL) & O_ACCMODE == O_WRONLY ? 1 : 0
      return 0
    }
    #expect(asked == 1)
    let failures: [(CInt, USBError.Code)] = [(ENODEV, .absent), (EPERM, .forbidden), (EIO, .failed), (ENOTTY, .failed)]
    for (number, code) in failures {
      let error = #expect(throws: USBError.self) {
        try device.reset { _ in
          errno = number
          return -1
        }
      }
      #expect(error?.code == code)
    }
    // A file is no device: the kernel's own answer.
    #expect(throws: USBError.self) { try device.reset() }
  }
}
