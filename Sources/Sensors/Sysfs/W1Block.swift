internal import Telemetry

/// What `w1_slave` of a thermometer says: the nine bytes of its scratchpad, whether their CRC is right, and the driver's
/// temperature.
///
/// ```
/// 8d 00 4b 46 7f ff 03 10 3e : crc=3e YES
/// 8d 00 4b 46 7f ff 03 10 3e t=8812
/// ```
/// Source: the kernel's Documentation/w1/slaves/w1_therm.rst.
struct W1Block: Equatable {
  static let length = 9
  /// Of both lines: nine bytes, `:`, `crc=3e` and the verdict, nine bytes and the temperature.
  private static let wordCount = 2 * length + 4

  let bytes: [UInt8]
  let isValid: Bool
  /// Thousandths of °C.
  let temperature: Int64

  /// - Returns: `nil` for anything else.
  init?(_ text: [UInt8]) {
    let words = SysfsText.words(text)
    guard words.count == Self.wordCount, let last = words.last, last.starts(with: "t=".utf8),
      case .number(let temperature) = NumberText.integer(last.dropFirst(2))
    else { return nil }
    bytes = words.prefix(Self.length).compactMap { UInt8(String(decoding: $0, as: UTF8.self), radix: 16) }
    switch String(decoding: words[Self.length + 2], as: UTF8.self) {
    case "YES": isValid = true
    case "NO": isValid = false
    default: return nil
    }
    guard bytes.count == Self.length else { return nil }
    self.temperature = temperature
  }
}
