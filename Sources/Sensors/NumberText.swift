internal import Telemetry

/// Numbers as sensors print them: `21`, `-0.5`, `+3`, `.5`, `21.`, `1e3`, with spaces or tabs around.
///
/// Not `nan`, `inf`, hexadecimal or a decimal comma.
enum NumberText {
  /// The nearest double, infinite where the number is beyond all; `nil` for what is no number.
  static func double(_ text: ArraySlice<UInt8>) -> Double? {
    Double(decimal: trimmed(text))
  }

  enum Integer: Equatable {
    case number(Int64)
    case outOfRange
    case malformed
  }

  /// A whole number: digits only, with or without a sign.
  static func integer(_ text: ArraySlice<UInt8>) -> Integer {
    let digits = trimmed(text)
    var index = digits.startIndex
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { index += 1 }
    guard index < digits.endIndex else { return .malformed }
    var value: Int64 = 0
    var isInRange = true
    while index < digits.endIndex {
      let digit = digits[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return .malformed }
      // Counted downwards: Int64.min has no positive twin.
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, underflow) = tenfold.subtractingReportingOverflow(Int64(digit))
      isInRange = isInRange && !overflow && !underflow
      value = next
      index += 1
    }
    guard isInRange, isNegative || value != .min else { return .outOfRange }
    return .number(isNegative ? value : -value)
  }

  /// Whether `text` is no number, but one more digit would make it one: empty, `-`, `.` or `1e-`.
  static func isIncomplete(_ text: ArraySlice<UInt8>) -> Bool {
    let number = trimmed(text)
    return Double(decimal: number) == nil && Double(decimal: number + [UInt8(ascii: "0")]) != nil
  }

  /// Whether `text` is one of the words C's printf makes of what is no number, whatever the case and sign.
  static func isNotANumberWord(_ text: ArraySlice<UInt8>) -> Bool {
    var word = text
    if let first = word.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") { word = word.dropFirst() }
    guard (3...8).contains(word.count) else { return false }
    let lowercased = word.map { $0 | 0x20 }
    return ["nan", "inf", "infinity"].contains { lowercased.elementsEqual($0.utf8) }
  }

  static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  /// Without spaces and tabs around it.
  static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var start = text.startIndex
    var end = text.endIndex
    while start < end, isBlank(text[start]) { start += 1 }
    while end > start, isBlank(text[end - 1]) { end -= 1 }
    return text[start..<end]
  }
}
