import Foundation

/// A tree that a daemon, and the command line, find in the place of `/sys`: mounted over it in a mount namespace of their
/// own. It may change while they run.
///
/// Source: mount_namespaces(7), unshare(1); the kernel's Documentation/admin-guide/sysfs-rules.rst.
struct FakeSysfs: Sendable {
  /// Why there can be none here; `nil` where there can.
  static let obstacle: String? = {
    if geteuid() != 0 { return "only root may mount" }
    do {
      let scratch = try Scratch()
      let tree = try FakeSysfs(in: scratch)
      try tree.write("found", to: "probe")
      let answer = try DaemonProcess.run(
        tree.wrapper + ["/bin/cat", "/sys/probe"], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
      return answer.output == "found\n" ? nil : "mounting is not permitted: \(answer.errors)"
    } catch { return "\(error)" }
  }()

  private let root: String

  init(in scratch: Scratch) throws {
    root = scratch.file("sys")
    for name in ["class/tty", "dev/char", "devices", "class/hwmon", "class/thermal", "bus/iio/devices"] {
      try make(name)
    }
  }

  /// What starts a program that sees it.
  var wrapper: [String] {
    [
      "/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
      "mount --bind \"$0\" /sys && exec \"$@\"", root,
    ]
  }

  func make(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: "\(root)/\(path)", withIntermediateDirectories: true)
  }

  /// A file with its line end; what is missing above it is made.
  func write(_ text: String, to path: String) throws {
    try make(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    try (text + "\n").write(toFile: "\(root)/\(path)", atomically: false, encoding: .utf8)
  }

  func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: "\(root)/\(path)", withDestinationPath: "/sys/\(target)")
  }

  func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(path)") }

  func move(_ path: String, to other: String) throws {
    try FileManager.default.moveItem(atPath: "\(root)/\(path)", toPath: "\(root)/\(other)")
  }

  /// An adapter as the kernel shows it, whose line is a pseudo-terminal.
  ///
  /// - Parameters:
  ///   - socket: Where it is plugged in, `1-1`.
  ///   - node: `/dev/pts/5`.
  func plug(_ socket: String, _ node: String, serial: String?) throws {
    let number = try Self.number(of: node)
    let device = "devices/usb1/\(socket)"
    let words = ["idVendor": "0403", "idProduct": "6001", "manufacturer": "FTDI", "product": "FT232R USB UART"]
    for (name, text) in words { try write(text, to: "\(device)/\(name)") }
    if let serial { try write(serial, to: "\(device)/serial") }
    let interface = "\(device)/\(socket):1.0"
    try write("00", to: "\(interface)/bInterfaceNumber")
    let name = node.dropFirst("/dev/".count).replacingOccurrences(of: "/", with: "!")
    let line = "\(interface)/\(name)"
    try write(number, to: "\(line)/dev")
    try link("\(line)/device", to: interface)
    try link("class/tty/\(name)", to: line)
    try link("dev/char/\(number)", to: line)
  }

  func unplug(_ socket: String, _ node: String) throws {
    try remove("class/tty/\(node.dropFirst("/dev/".count).replacingOccurrences(of: "/", with: "!"))")
    try remove("dev/char/\(Self.number(of: node))")
    try remove("devices/usb1/\(socket)")
  }

  /// `136:5`, as stat(2) tells it. A pseudo-terminal's major number is 136 to 143, with 256 lines each.
  private static func number(of node: String) throws -> String {
    var status = stat()
    guard stat(node, &status) == 0 else { throw DaemonProcess.Failure("no \(node)") }
    return "\(status.st_rdev >> 8 & 0xFFF):\(status.st_rdev & 0xFF)"
  }
}
