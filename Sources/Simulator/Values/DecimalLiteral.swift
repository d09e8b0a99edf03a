/// A decimal number of any size as an unscaled integer and a scale, value = unscaled × 10^-scale: Java's `BigDecimal`,
/// whose scale, digits written and not value, decides what the server stores.
struct DecimalLiteral {
  let isNegative: Bool
  /// ASCII digits without leading zeros; empty for zero.
  let unscaled: [UInt8]
  let scale: Int

  /// - Returns: `nil` where Java throws a `NumberFormatException`: not a number, or an exponent out of range.
  init?(_ text: String) {
    var rest = Substring(text).unicodeScalars
    var negative = false
    if let sign = rest.first, sign == "-" || sign == "+" {
      negative = sign == "-"
      rest.removeFirst()
    }
    var digits: [UInt8] = []
    var fractionDigits = 0
    var hasPoint = false
    while let scalar = rest.first, scalar != "e", scalar != "E" {
      rest.removeFirst()
      if scalar == ".", !hasPoint {
        hasPoint = true
      } else if let digit = Self.digit(scalar) {
        digits.append(0x30 + digit)
        if hasPoint { fractionDigits += 1 }
      } else {
        return nil
      }
    }
    guard !digits.isEmpty else { return nil }
    var exponent = 0
    if !rest.isEmpty {
      guard let value = Self.exponent(String(rest.dropFirst())) else { return nil }
      exponent = value
    }
    let scale = fractionDigits - exponent
    guard Int32(exactly: scale) != nil else { return nil }
    isNegative = negative
    unscaled = Array(digits.drop { $0 == 0x30 })
    self.scale = scale
  }

  /// A decimal digit of any script, as Java's `Character.isDigit` has it.
  static func digit(_ scalar: Unicode.Scalar) -> UInt8? {
    if scalar.isASCII { return scalar >= "0" && scalar <= "9" ? UInt8(scalar.value - 0x30) : nil }
    guard scalar.properties.generalCategory == .decimalNumber else { return nil }
    return scalar.properties.numericValue.map { UInt8($0) }
  }

  private static func exponent(_ text: String) -> Int? {
    let digits = text.first == "-" || text.first == "+" ? text.dropFirst() : Substring(text)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    // At most ten digits that count, then the range of a Java int.
    let significant = digits.drop { $0 == "0" }
    guard significant.count <= 10, let value = Int(significant.isEmpty ? "0" : significant) else { return nil }
    guard value <= Int(Int32.max) else { return nil }
    return text.first == "-" ? -value : value
  }

  var isZero: Bool { unscaled.isEmpty }

  /// Whether the value is a whole number, however it is written.
  var isIntegral: Bool {
    isZero || scale - unscaled.reversed().prefix { $0 == 0x30 }.count <= 0
  }

  /// The value where it is whole and fits.
  var integer: Int64? {
    if isZero { return 0 }
    let zeros = unscaled.reversed().prefix { $0 == 0x30 }.count
    let stripped = unscaled.dropLast(zeros)
    let padding = zeros - scale
    guard padding >= 0, stripped.count + padding <= 19 else { return nil }
    let digits = String(decoding: stripped, as: UTF8.self) + String(repeating: "0", count: padding)
    return Int64((isNegative ? "-" : "") + digits)
  }

  /// The nearest double; zero is never negative.
  var double: Double {
    if isZero { return 0 }
    return Double((isNegative ? "-" : "") + String(decoding: unscaled, as: UTF8.self) + "e\(-scale)") ?? .nan
  }

  /// How many characters ``plainText`` has, nearly.
  var plainTextCount: Int { unscaled.count + abs(scale) + 3 }

  /// All digits, without an exponent: `BigDecimal.toPlainString`.
  var plainText: String {
    let digits = String(decoding: isZero ? [0x30] : unscaled, as: UTF8.self)
    let sign = isNegative && !isZero ? "-" : ""
    if scale <= 0 { return isZero ? "0" : sign + digits + String(repeating: "0", count: -scale) }
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
    let point = padded.index(padded.endIndex, offsetBy: -scale)
    return sign + padded[..<point] + "." + padded[point...]
  }

  /// The low 64 bits of the whole part, as `BigDecimal.longValue` wraps.
  var wrappedInteger: Int64 {
    var value: UInt64 = 0
    let whole = scale > 0 ? unscaled.dropLast(min(scale, unscaled.count)) : unscaled[...]
    for digit in whole { value = value &* 10 &+ UInt64(digit &- 0x30) }
    // 10^64 and all higher powers are 0 modulo 2^64.
    if scale < 0 { for _ in 0..<min(64, -scale) { value = value &* 10 } }
    return Int64(bitPattern: isNegative ? 0 &- value : value)
  }
}
