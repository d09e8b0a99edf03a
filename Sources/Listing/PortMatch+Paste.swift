internal import Hardware

extension PortMatch {
  /// The shortest that fits this USB device and none of the others: its serial number before the socket it is plugged
  /// into, which another cable changes.
  init?(tellingApart device: TTYDevice, from devices: [TTYDevice]) {
    guard let vendor = device.vendor, let product = device.product, device.properties["ID_BUS"] ?? "usb" == "usb" else {
      return nil
    }
    let serial = device.serial
    let path = device.properties["ID_PATH"]
    for (isByPath, isByInterface) in [(false, false), (false, true), (true, false), (true, true)] {
      self.init(vendor: vendor, product: product, serial: serial)
      if isByInterface {
        guard let number = device.interface else { continue }
        interface = number
      }
      if isByPath {
        guard let path else { continue }
        properties = ["ID_PATH": path]
      }
      if devices.filter(fits).count == 1 { return }
    }
    return nil
  }

  /// As it stands in a configuration: `{vendor: "0403", product: "6001", serial: "A50285BI"}`.
  var yaml: String {
    var members: [String] = []
    if let vendor { members.append("vendor: \"\(vendor)\"") }
    if let product { members.append("product: \"\(product)\"") }
    if let serial { members.append("serial: \(Self.quoted(serial))") }
    if let interface { members.append("interface: \(interface)") }
    if !properties.isEmpty {
      let named = properties.sorted { $0.key < $1.key }.map { "\($0.key): \(Self.quoted($0.value))" }
      members.append("properties: {\(named.joined(separator: ", "))}")
    }
    return "{\(members.joined(separator: ", "))}"
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
        let digits = String(scalar.value, radix: 16)
        result += "\\x\(digits.utf8.count < 2 ? "0" : "")\(digits)"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
