extension JSON {
  /// Appends the document's text, without white space.
  ///
  /// Doubles keep a point and never have an exponent (`Double.appendDecimal`); one that is not finite becomes `null`.
  public func write(into buffer: inout [UInt8]) {
    switch self {
    case .null: buffer.append(literal: "null")
    case .bool(let value): buffer.append(literal: value ? "true" : "false")
    case .integer(let value): value.appendDecimal(to: &buffer)
    case .double(let value): value.appendDecimal(to: &buffer)
    case .string(let text): text.appendJSON(to: &buffer)
    case .array(let elements):
      buffer.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { buffer.append(UInt8(ascii: ",")) }
        element.write(into: &buffer)
      }
      buffer.append(UInt8(ascii: "]"))
    case .object(let members):
      buffer.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { buffer.append(UInt8(ascii: ",")) }
        member.name.appendJSON(to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        member.value.write(into: &buffer)
      }
      buffer.append(UInt8(ascii: "}"))
    }
  }

  /// The document's text.
  public var text: String {
    var buffer: [UInt8] = []
    write(into: &buffer)
    return String(decoding: buffer, as: UTF8.self)
  }
}

extension String {
  /// Appends the string as a JSON literal, quotes included.
  ///
  /// U+0000 is left out, as the server would; U+2028 and U+2029 are escaped, which spares readers that take JSON for
  /// JavaScript.
  public func appendJSON(to buffer: inout [UInt8]) {
    buffer.append(UInt8(ascii: "\""))
    let written: Void? = utf8.withContiguousStorageIfAvailable { appendEscaped($0, to: &buffer) }
    // Only strings bridged from elsewhere are not contiguous.
    if written == nil { Array(utf8).withUnsafeBufferPointer { appendEscaped($0, to: &buffer) } }
    buffer.append(UInt8(ascii: "\""))
  }
}

/// Appends UTF-8 in runs between the few bytes that need an escape.
private func appendEscaped(_ bytes: UnsafeBufferPointer<UInt8>, to buffer: inout [UInt8]) {
  var start = 0
  for index in bytes.indices {
    let byte = bytes[index]
    if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte != 0xE2 { continue }
    var length = 1
    var escape: StaticString?
    switch byte {
    case UInt8(ascii: "\""): escape = "\\\""
    case UInt8(ascii: "\\"): escape = "\\\\"
    case 0x0A: escape = "\\n"
    case 0x0D: escape = "\\r"
    case 0x09: escape = "\\t"
    case 0x00: escape = ""
    case 0xE2:
      // E2 80 A8 and E2 80 A9; all other characters that begin with E2 stay.
      if index + 2 >= bytes.count || bytes[index + 1] != 0x80 || bytes[index + 2] & 0xFE != 0xA8 { continue }
      escape = bytes[index + 2] == 0xA8 ? "\\u2028" : "\\u2029"
      length = 3
    default: break
    }
    buffer.append(contentsOf: bytes[start..<index])
    if let escape {
      buffer.append(literal: escape)
    } else {
      buffer.append(literal: "\\u00")
      buffer.append(hexadecimal: byte)
    }
    start = index + length
  }
  buffer.append(contentsOf: bytes[start...])
}

extension [UInt8] {
  mutating func append(literal: StaticString) {
    literal.withUTF8Buffer { append(contentsOf: $0) }
  }

  /// Appends two lower-case hexadecimal digits.
  mutating func append(hexadecimal byte: UInt8) {
    for digit in [byte >> 4, byte & 0x0F] {
      append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
