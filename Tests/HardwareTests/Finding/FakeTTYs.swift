import Foundation
import Testing

@testable import Hardware

/// A sysfs and an udev database with the lines a test plugs in, whose nodes are real: pseudo-terminals.
final class FakeTTYs: @unchecked Sendable {
  // @unchecked: `entries` is locked; the files are the file system's.
  let root: String
  private let lock = NSLock()
  private var entries: [String: UdevEntry] = [:]

  init() throws {
    root = NSTemporaryDirectory() + "baudgate-ttys-\(UUID().uuidString)"
    for directory in ["sys/class/tty", "sys/dev/char", "sys/bus/usb-serial/drivers", "dev"] {
      try FileManager.default.createDirectory(atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// - Parameter devices: Where nodes are; `/dev` for pseudo-terminals.
  func inventory(devices: String = "/dev") -> TTYInventory {
    var inventory = TTYInventory()
    inventory.roots = USBDevice.Roots(sysfs: "\(root)/sys", devices: devices)
    inventory.database = { [self] directory in lock.withLock { entries[KernelTree.lastName(of: directory)] } }
    return inventory
  }

  func file(_ path: String, _ text: String) throws {
    let directory = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(root)/\(path)"))
  }

  func link(_ path: String, to target: String) throws {
    let directory = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
    unlink("\(root)/\(path)")
    try FileManager.default.createSymbolicLink(atPath: "\(root)/\(path)", withDestinationPath: target)
  }

  /// A line of a USB adapter.
  ///
  /// - Parameters:
  ///   - name: Below `/dev`, such as `ttyUSB0` or `pts/3`.
  ///   - number: `188:0`
  ///   - socket: By bus and ports, `1-1.2`.
  /// - Returns: Its directory in sysfs.
  @discardableResult
  func plug(
    _ name: String, _ number: String, at socket: String, vendor: String = "0403", product: String = "6001",
    serial: String? = nil, interface: Int = 0, udev: UdevEntry? = nil
  ) throws -> String {
    let file = name.replacingOccurrences(of: "/", with: "!")
    let usb = "sys/devices/usb1/\(socket)"
    let line = "\(usb)/\(socket):1.\(interface)/tty/\(file)"
    try self.file("\(usb)/idVendor", "\(vendor)\n")
    try self.file("\(usb)/idProduct", "\(product)\n")
    try self.file("\(usb)/manufacturer", "FTDI\n")
    try self.file("\(usb)/product", "FT232R USB UART\n")
    if let serial { try self.file("\(usb)/serial", "\(serial)\n") }
    let digits = String(interface, radix: 16)
    try self.file(
      "\(usb)/\(socket):1.\(interface)/bInterfaceNumber", "\(digits.count < 2 ? "0" : "")\(digits)\n")
    try self.file("sys/bus/usb/drivers/ftdi_sio/bind", "")
    try link("\(usb)/\(socket):1.\(interface)/driver", to: "\(root)/sys/bus/usb/drivers/ftdi_sio")
    try self.file("\(line)/dev", "\(number)\n")
    try link("\(line)/device", to: "../..")
    try link("sys/class/tty/\(file)", to: "\(root)/\(line)")
    if !number.isEmpty { try link("sys/dev/char/\(number)", to: "\(root)/\(line)") }
    lock.withLock { entries[file] = udev }
    return KernelTree.resolved("\(root)/\(line)") ?? ""
  }

  /// A pseudo-terminal as such a line.
  @discardableResult
  func plug(_ pty: PseudoTerminal, at socket: String, serial: String? = nil, udev: UdevEntry? = nil) throws -> String {
    let number = try #require(DeviceNumber(ofNode: pty.path))
    return try plug(
      String(pty.path.dropFirst("/dev/".count)), "\(number)", at: socket, serial: serial, udev: udev)
  }

  func unplug(_ directory: String) throws {
    let file = KernelTree.lastName(of: directory)
    let number = KernelTree.text("\(directory)/dev") ?? ""
    unlink("\(root)/sys/class/tty/\(file)")
    unlink("\(root)/sys/dev/char/\(number)")
    try FileManager.default.removeItem(atPath: directory)
  }
}

extension TTYDevice {
  /// A line as values, for what needs no tree.
  static func adapter(
    _ name: String, _ id: String? = "0403:6001", serial: String? = nil, interface: Int? = 0, path: String? = nil
  ) -> TTYDevice {
    var device = TTYDevice(
      node: "/dev/\(name)", number: DeviceNumber(major: 188, minor: UInt32(name.suffix(1)) ?? 0),
      directory: "/sys/devices/\(name)")
    device.vendor = id.map { String($0.prefix(4)) }
    device.product = id.map { String($0.suffix(4)) }
    device.serial = serial
    device.interface = id == nil ? nil : interface
    device.driver = id == nil ? "uart-pl011" : "ftdi_sio"
    if let path { device.properties["ID_PATH"] = path }
    return device
  }
}
