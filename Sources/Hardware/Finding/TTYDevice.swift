/// A serial line that is there: what the kernel and udev tell of it. The device itself was asked nothing.
public struct TTYDevice: Sendable, Equatable {
  /// `/dev/ttyUSB0`
  public var node: String
  public var number: DeviceNumber
  /// Its directory in sysfs, without links: the same as long as the device stays in its socket under this name.
  public var directory: String
  /// Links to the node, sorted: `/dev/serial/by-id/…`, `/dev/serial/by-path/…`.
  public var links: [String] = []
  /// Four lower-case hexadecimal digits, as `product`; `nil` for what is no USB device.
  public var vendor: String?
  public var product: String?
  /// As the device says it; udev's spelling, without spaces and oddities, is its property `ID_SERIAL_SHORT`.
  public var serial: String?
  /// USB interface number.
  public var interface: Int?
  /// `ftdi_sio`, `cdc_acm`, `uart-pl011`
  public var driver: String?
  /// Maker and product in their own words.
  public var model: String?
  /// Whether the kernel writes its messages to it.
  public var isConsole = false
  /// udev's properties by name; the kernel's own few where no udevd runs.
  public var properties: [String: String] = [:]

  public init(node: String, number: DeviceNumber, directory: String) {
    self.node = node
    self.number = number
    self.directory = directory
  }

  /// `0403:6001`; `nil` for what is no USB device.
  public var usbID: String? {
    guard let vendor, let product else { return nil }
    return "\(vendor):\(product)"
  }
}
