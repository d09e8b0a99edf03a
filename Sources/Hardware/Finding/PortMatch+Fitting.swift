extension PortMatch {
  /// Four lower-case hexadecimal digits from `0403`, `1A86` or `0x1a86`; `nil` for anything else.
  static func hexadecimal(_ text: String) -> String? {
    var digits = text.lowercased()[...]
    if digits.hasPrefix("0x") { digits.removeFirst(2) }
    let isHexadecimal = digits.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    return digits.utf8.count == 4 && isHexadecimal ? String(digits) : nil
  }

  package func fits(_ device: TTYDevice) -> Bool { differences(from: device).isEmpty }

  /// What a device has other than this asks for, in words such as `serial A50285BI` and `no serial`; empty when it fits.
  func differences(from device: TTYDevice) -> [String] {
    var found: [String] = []
    if let vendor, vendor != device.vendor { found.append(Self.words("vendor", device.vendor)) }
    if let product, product != device.product { found.append(Self.words("product", device.product)) }
    if let serial, serial != device.serial, serial != device.properties["ID_SERIAL_SHORT"] {
      found.append(Self.words("serial", device.serial))
    }
    if let interface, interface != device.interface {
      found.append(Self.words("interface", device.interface.map(String.init)))
    }
    for (name, value) in properties.sorted(by: { $0.key < $1.key }) where device.properties[name] != value {
      found.append(device.properties[name].map { "\(name)=\($0)" } ?? "no \(name)")
    }
    return found
  }

  private static func words(_ name: String, _ value: String?) -> String {
    value.map { "\(name) \($0)" } ?? "no \(name)"
  }

  /// How many things it asks for.
  var count: Int {
    (vendor == nil ? 0 : 1) + (product == nil ? 0 : 1) + (serial == nil ? 0 : 1) + (interface == nil ? 0 : 1)
      + properties.count
  }
}
