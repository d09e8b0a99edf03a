extension Double {
  /// Bytes of the longest decimal literal that is read.
  public static let longestDecimal = 1024

  /// Reads a decimal literal: an optional sign, digits with an optional point among, before or behind them, an optional
  /// exponent. No white space, hexadecimal digits, `nan` or `inf`.
  ///
  /// - Parameter bytes: The whole literal.
  /// - Returns: The nearest double, infinite where the literal is beyond all; `nil` for anything else than a literal, or
  ///   one of more than `longestDecimal` bytes.
  public init?(decimal bytes: ArraySlice<UInt8>) {
    guard bytes.count <= Self.longestDecimal, let literal = DecimalLiteral(bytes) else { return nil }
    if let exact = literal.exactValue {
      self = exact
    } else if let value = Double(String(decoding: bytes, as: UTF8.self)) {
      self = value
    } else {
      return nil
    }
  }
}

/// A decimal literal taken apart: ±significand · 10^exponent, as far as 64 bits hold it.
private struct DecimalLiteral {
  private var negative = false
  private var significand: UInt64 = 0
  private var exponent = 0
  /// Whether digits were left out because 64 bits did not hold them.
  private var truncated = false

  init?(_ bytes: ArraySlice<UInt8>) {
    var index = bytes.startIndex
    let end = bytes.endIndex
    if index < end, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
      negative = bytes[index] == UInt8(ascii: "-")
      index += 1
    }
    var digits = 0
    var inFraction = false
    while index < end {
      let byte = bytes[index]
      if byte.isDigit {
        digits += 1
        append(byte &- UInt8(ascii: "0"), inFraction: inFraction)
      } else if byte == UInt8(ascii: "."), !inFraction {
        inFraction = true
      } else {
        break
      }
      index += 1
    }
    if digits == 0 { return nil }
    if index < end {
      guard let written = Self.exponent(bytes[index...]) else { return nil }
      exponent += written
    }
  }

  private mutating func append(_ digit: UInt8, inFraction: Bool) {
    let (tenfold, overflow) = significand.multipliedReportingOverflow(by: 10)
    let (next, carried) = tenfold.addingReportingOverflow(UInt64(digit))
    if overflow || carried {
      truncated = true
    } else {
      significand = next
      if inFraction { exponent -= 1 }
    }
  }

  /// Beyond this the value is 0 or infinite whatever its digits are.
  private static let largestExponent = 100_000

  /// The number behind `e` or `E`; `nil` where there is none, or more than that.
  private static func exponent(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let letter = bytes.first, letter | 0x20 == UInt8(ascii: "e") else { return nil }
    var rest = bytes.dropFirst()
    let negative = rest.first == UInt8(ascii: "-")
    if negative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    if rest.isEmpty { return nil }
    var value = 0
    for byte in rest {
      guard byte.isDigit else { return nil }
      value = min(value * 10 + Int(byte &- UInt8(ascii: "0")), largestExponent)
    }
    return negative ? -value : value
  }

  /// The powers of ten a double holds exactly.
  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  /// The value where one correctly rounded operation on exact operands yields it; `nil` where more care is needed.
  var exactValue: Double? {
    guard !truncated, significand <= 1 << 53, abs(exponent) < Self.powersOfTen.count else { return nil }
    let power = Self.powersOfTen[abs(exponent)]
    let magnitude = exponent < 0 ? Double(significand) / power : Double(significand) * power
    return negative ? -magnitude : magnitude
  }
}
