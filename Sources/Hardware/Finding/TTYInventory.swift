/// The serial lines that are there. Reads sysfs and udev's database and opens no line: no DTR rises, no Arduino resets.
public struct TTYInventory: Sendable {
  /// Directories between a tty and its device at most: port, interface, device, and some to spare.
  static let walkLimit = 12

  /// Where the kernel's trees are: the real ones, or a test's.
  var roots = USBDevice.Roots()
  /// What udev knows of the device with this directory in sysfs.
  var database: @Sendable (_ directory: String) -> UdevEntry? = UdevEntry.read

  public init() {}

  /// All of them by name, `ttyUSB2` before `ttyUSB10`. Some milliseconds: not on the loop.
  ///
  /// Left out is what has no device behind it: virtual consoles, pseudo-terminals, the `ttyS` without a chip.
  public func devices() -> [TTYDevice] {
    let class_ = "\(roots.sysfs)/class/tty"
    return KernelTree.names(in: class_)
      .compactMap { name in KernelTree.resolved("\(class_)/\(name)").flatMap(device) }
      .sorted { Self.order($0.node) < Self.order($1.node) }
  }

  /// The line with this number; `nil` where there is none, and for what `devices` leaves out.
  func device(_ number: DeviceNumber) -> TTYDevice? {
    KernelTree.resolved("\(roots.sysfs)/dev/char/\(number)").flatMap(device)
  }

  private static func order(_ node: String) -> (String, Int) {
    let digits = node.utf8.reversed().prefix { (0x30...0x39).contains($0) }.count
    return (String(node.dropLast(digits)), Int(node.suffix(digits)) ?? 0)
  }

  private func device(in directory: String) -> TTYDevice? {
    guard let parent = KernelTree.resolved("\(directory)/device"),
      // PORT_UNKNOWN in linux/serial.h: a place for a UART where there is none. USB adapters have no such file.
      KernelTree.text("\(directory)/type") != "0",
      let number = KernelTree.text("\(directory)/dev").flatMap(DeviceNumber.init(text:))
    else { return nil }
    // sysfs writes ! for the / of a node in a directory of its own.
    let name = String(KernelTree.lastName(of: directory).map { $0 == "!" ? "/" : $0 })
    var device = TTYDevice(node: "\(roots.devices)/\(name)", number: number, directory: directory)
    device.isConsole = KernelTree.text("\(directory)/console") == "Y"
    walk(from: parent, into: &device)
    if let entry = database(directory) { Self.add(entry, to: &device) }
    return device
  }

  /// Driver, interface and USB device stand further up, in this order.
  ///
  /// Source: the kernel's Documentation/ABI/stable/sysfs-bus-usb, testing/sysfs-bus-usb (`bInterfaceNumber` is
  /// hexadecimal).
  private func walk(from start: String, into device: inout TTYDevice) {
    guard let top = KernelTree.resolved(roots.sysfs) else { return }
    var directory = start[...]
    for _ in 0..<Self.walkLimit {
      guard directory.hasPrefix("\(top)/"), let slash = directory.lastIndex(of: "/") else { return }
      // The kernel's serial core has drivers `port` and `ctrl` of its own, between the line and its UART's.
      if device.driver == nil, let driver = KernelTree.resolved("\(directory)/driver"),
        KernelTree.target(of: "\(directory)/subsystem").map(KernelTree.lastName) != "serial-base"
      {
        device.driver = KernelTree.lastName(of: driver)
      }
      if device.interface == nil, let number = KernelTree.text("\(directory)/bInterfaceNumber") {
        device.interface = Int(number, radix: 16)
      }
      if let vendor = KernelTree.text("\(directory)/idVendor"), let product = KernelTree.text("\(directory)/idProduct")
      {
        (device.vendor, device.product) = (PortMatch.hexadecimal(vendor), PortMatch.hexadecimal(product))
        device.serial = KernelTree.text("\(directory)/serial")
        let words = ["manufacturer", "product"].compactMap { KernelTree.text("\(directory)/\($0)") }
        device.model = words.isEmpty ? nil : words.joined(separator: " ")
        return
      }
      directory = directory[..<slash]
    }
  }

  /// What sysfs has said stays: udev's database is a copy of it, made when the device came.
  private static func add(_ entry: UdevEntry, to device: inout TTYDevice) {
    let properties = entry.properties
    device.links = entry.links.sorted()
    device.properties = properties
    device.vendor = device.vendor ?? properties["ID_VENDOR_ID"].flatMap(PortMatch.hexadecimal)
    device.product = device.product ?? properties["ID_MODEL_ID"].flatMap(PortMatch.hexadecimal)
    device.serial = device.serial ?? properties["ID_SERIAL_SHORT"]
    device.interface = device.interface ?? properties["ID_USB_INTERFACE_NUM"].flatMap { Int($0, radix: 16) }
    device.driver = device.driver ?? properties["ID_USB_DRIVER"]
    device.model = device.model ?? properties["ID_MODEL_FROM_DATABASE"] ?? properties["ID_MODEL"]
  }
}
