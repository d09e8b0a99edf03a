/// Where a port's line is found.
public enum PortLocation: Sendable, Hashable, CustomStringConvertible {
  /// A device node, or a link to one such as `/dev/serial/by-id/…`; followed anew at every opening.
  case path(String)
  /// Whatever device fits, wherever it appears.
  case match(PortMatch)
  /// A serial server's socket: the line's own settings are the server's business.
  case tcp(host: String, port: UInt16)

  /// `/dev/ttyUSB0`, `match 0403:6001 serial A50285BI`, `tcp://192.0.2.7:4001`
  public var description: String {
    switch self {
    case .path(let path): path
    case .match(let match): "\(match)"
    case .tcp(let host, let port):
      host.utf8.contains(UInt8(ascii: ":")) ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    }
  }
}

/// `ports.NAME.match`: what a device must be. Each field that is there must fit; at least one is.
public struct PortMatch: Sendable, Hashable, CustomStringConvertible {
  /// USB vendor id, four lower-case hexadecimal digits.
  public var vendor: String?
  /// USB product id, likewise.
  public var product: String?
  /// USB serial number, as the device says it.
  public var serial: String?
  /// USB interface number; adapters with several lines have several.
  public var interface: Int?
  /// udev properties by name, `ID_PATH`: the whole value must be the same.
  public var properties: [String: String] = [:]

  public init(vendor: String? = nil, product: String? = nil, serial: String? = nil, interface: Int? = nil) {
    self.vendor = vendor
    self.product = product
    self.serial = serial
    self.interface = interface
  }

  /// `match 0403:6001 serial A50285BI interface 0`
  public var description: String {
    var words = ["match"]
    if vendor != nil || product != nil { words.append("\(vendor ?? "*"):\(product ?? "*")") }
    if let serial { words.append("serial \(serial)") }
    if let interface { words.append("interface \(interface)") }
    for (name, value) in properties.sorted(by: { $0.key < $1.key }) { words.append("\(name)=\(value)") }
    return words.joined(separator: " ")
  }
}
