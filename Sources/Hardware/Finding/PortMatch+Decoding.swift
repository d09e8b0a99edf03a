internal import YAML

extension PortMatch {
  /// udev properties in a match at most.
  static let propertyLimit = 16
  static let interfaceRange = 0...255
  /// Bytes of a serial number and of a property at most: a USB string has 126 characters.
  static let textLimit = 1024

  /// Reads `match` of `ports.NAME`, and refuses a `path` beside it.
  ///
  /// - Returns: `nil` where there is none, or where something is wrong with it, which is reported.
  init?(in port: inout MappingReader) {
    guard port.makeKnown("match") else { return nil }
    if port.has("path") {
      port.error(
        at: "match", "\(port.path) has a path and a match; expected one of the two, as a device is found by one alone")
    }
    guard var reader = port.mapping("match") else { return nil }
    self.init()
    vendor = Self.hexadecimal("vendor", &reader)
    product = Self.hexadecimal("product", &reader)
    serial = Self.text(reader.nonEmptyString("serial"), "serial", &reader)
    interface = reader.integer("interface", in: Self.interfaceRange)
    readProperties(&reader)
    let hints = [
      "idVendor": "the key is \"vendor\"", "vid": "the key is \"vendor\"", "vendor_id": "the key is \"vendor\"",
      "idProduct": "the key is \"product\"", "pid": "the key is \"product\"", "product_id": "the key is \"product\"",
      "model": "the key is \"product\"", "serial_number": "the key is \"serial\"",
      "ID_PATH": "udev's own names stand in \"properties\"",
      "path": "\"path\" stands in \(port.path), or below as ID_PATH",
    ]
    guard reader.finish(hints: hints) else { return nil }
    if count == 0 {
      port.error(
        at: "match", "\(reader.path) asks for nothing; expected vendor, product, serial, interface or properties")
      return nil
    }
  }

  private static func hexadecimal(_ key: String, _ reader: inout MappingReader) -> String? {
    guard let text = reader.string(key) else { return nil }
    let digits = hexadecimal(text)
    if let digits, digits.utf8.count == text.utf8.count { return digits }
    let remedy = digits.map { "; write \(quoted($0)), without 0x" } ?? " such as \"0403\""
    reader.mismatch(key, expected: "four hexadecimal digits\(remedy)")
    return nil
  }

  private static func text(_ text: String?, _ key: String, _ reader: inout MappingReader) -> String? {
    guard let text, text.utf8.count > textLimit else { return text }
    reader.error(at: key, "\(reader.path(of: key)) is longer than the \(textLimit) bytes any device says")
    return nil
  }

  private mutating func readProperties(_ reader: inout MappingReader) {
    let entries = reader.namedEntries("properties", atMost: Self.propertyLimit)
    for entry in entries {
      let isName = entry.name.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
      guard isName, entry.name.utf8.first != nil else {
        reader.diagnostics.error(
          at: entry.key,
          "\(entry.path) is no property of udev's; expected one such as ID_PATH, see `baudgate ports --json`")
        continue
      }
      guard let value = entry.value.text, !entry.value.isNull, !value.isEmpty, value.utf8.count <= Self.textLimit else {
        reader.diagnostics.error(
          at: entry.value, "\(entry.path) is \(entry.value.described()); expected the property's whole value as text")
        continue
      }
      properties[entry.name] = value
    }
  }
}
