internal import Telemetry

/// Finds an answer among lines such as `:010304436633341B<CR><LF>`.
///
/// A colon begins anew wherever it comes. Digits may be small, and the carriage return may be missing.
/// Source: Modbus over Serial Line V1.02, 2.5.2.
struct ASCIIAnswerFinder: AnswerFinder {
  private let pattern: AnswerPattern
  /// The digits since the last colon; `nil` before one, and after more than a frame has.
  private var digits: [UInt8]?
  private var count = 0
  private(set) var awaitsEcho: Bool
  private(set) var hasUnexpectedEcho = false
  /// What the last line was, had it one.
  private var reason: String?

  init(_ pattern: AnswerPattern, hasEcho: Bool) {
    self.pattern = pattern
    awaitsEcho = hasEcho
  }

  mutating func expectEcho() { awaitsEcho = true }

  mutating func feed(_ bytes: [UInt8]) -> [UInt8]? {
    for byte in bytes {
      count &+= 1
      switch byte {
      case UInt8(ascii: ":"): digits = []
      case 0x0A:
        if let line = digits, let answer = answer(in: line) { return answer }
        digits = nil
      default:
        digits?.append(byte)
        if digits?.count ?? 0 > ModbusLimits.asciiFrame {
          digits = nil
          reason = "a line longer than any frame"
        }
      }
    }
    return nil
  }

  private mutating func answer(in line: [UInt8]) -> [UInt8]? {
    guard let frame = Self.bytes(line.last == 0x0D ? line.dropLast() : line[...]), frame.count > 2 else {
      reason = "\(quoted(line, limit: 16)) is no line of hexadecimal digits; check baud, data bits and parity"
      return nil
    }
    let message = frame.dropLast()
    let lrc = ModbusLRC.of(message)
    guard frame.last == lrc else {
      let (found, right) = (hexadecimal(UInt16(frame.last ?? 0), digits: 2), hexadecimal(UInt16(lrc), digits: 2))
      reason = "LRC \(found) where \(right) was expected; check parity, wiring and termination"
      return nil
    }
    if awaitsEcho {
      if message.elementsEqual(pattern.question) {
        awaitsEcho = false
        reason = "our own question, and no answer behind it"
      }
      return nil
    }
    if pattern.isUnlikeQuestion, message.elementsEqual(pattern.question) { hasUnexpectedEcho = true }
    if pattern.isAnswer(message) || pattern.isException(message) { return Array(message.dropFirst()) }
    reason = pattern.described(message)
    return nil
  }

  private static func bytes(_ digits: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    var high: UInt8?
    for digit in digits {
      guard let value = value(of: digit) else { return nil }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return bytes[...]
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }

  var complaint: String? {
    guard count > 0 else { return nil }
    if awaitsEcho { return notAnAnswer(count, "our own question did not come back, as it does on a line with echo") }
    return notAnAnswer(count, reason ?? (digits == nil ? "no line of them" : "a line that did not end"))
  }
}
