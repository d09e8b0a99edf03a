/// Bytes from outside as a log line can hold them: printable ASCII between quotes, everything else as `\xNN`.
///
/// - Parameters:
///   - bytes: What a device sent.
///   - limit: How many of them to show.
/// - Returns: `"T=21\x00"`, and `"T=2"… (300 bytes)` where there are more than `limit`.
public func quoted(_ bytes: some Collection<UInt8>, limit: Int = 80) -> String {
  var text = [UInt8(ascii: "\"")]
  for byte in bytes.prefix(max(0, limit)) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      text.append(UInt8(ascii: "\\"))
      text.append(byte)
    case 0x20...0x7E: text.append(byte)
    default:
      text.append(literal: "\\x")
      text.append(hexadecimal: byte)
    }
  }
  text.append(UInt8(ascii: "\""))
  let shown = String(decoding: text, as: UTF8.self)
  return bytes.count > limit ? "\(shown)… (\(bytes.count) bytes)" : shown
}

/// Text from outside on one line that no terminal obeys: control characters, those of ISO 6429's C1 set too, become
/// blanks.
public func oneLine(_ text: String) -> String {
  // C1 in UTF-8 is C2 followed by 80…9F.
  guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 }) else { return text }
  return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? " " : $0 }))
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
  scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
}
