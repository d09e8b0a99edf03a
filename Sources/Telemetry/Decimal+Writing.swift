extension Int64 {
  /// Appends the decimal digits.
  public func appendDecimal(to buffer: inout [UInt8]) {
    appendFixed(magnitude, decimals: nil, negative: self < 0, to: &buffer)
  }
}

extension Double {
  /// The most decimals a literal may have: with more the server stores a string.
  static let mostDecimals = 15

  /// Appends the value as a literal the server stores as DOUBLE wherever it can: with a point, without an exponent, with
  /// at most 15 decimals.
  ///
  /// The text is the shortest that reads back as the same double where 15 decimals suffice for it, else the value rounded
  /// to 15 decimals, ties to even. The integral part is exact below 2^63. A magnitude under 5e-16, -0.0 too, is `0.0`. A
  /// value that is not finite has no literal and becomes `null`; `Value.unsendable` is there to keep it from getting here.
  public func appendDecimal(to buffer: inout [UInt8]) {
    if !appendShortDecimal(to: &buffer) { appendLongDecimal(to: &buffer) }
  }

  /// Appends a value with at most 6 decimals and 15 digits, which is what sensors say; false, and nothing, for others.
  ///
  /// n / 10^k is correctly rounded as both are exact, so n with k decimals reads back as this value if the quotient is
  /// equal. Decimals of up to 15 digits differ as doubles, so there is no other n, and the first k is the shortest.
  func appendShortDecimal(to buffer: inout [UInt8]) -> Bool {
    let magnitude = self.magnitude
    var power = 1.0
    for decimals in 0...6 {
      let scaled = magnitude * power
      guard scaled < 1e15 else { return false }
      let digits = Int64(scaled + 0.5)
      if Double(digits) / power == magnitude {
        appendFixed(UInt64(digits), decimals: decimals, negative: self < 0, to: &buffer)
        return true
      }
      power *= 10
    }
    return false
  }

  /// Appends any value, by way of the digits of `description`.
  func appendLongDecimal(to buffer: inout [UInt8]) {
    guard isFinite else { return buffer.append(literal: "null") }
    let magnitude = self.magnitude
    if magnitude < 5e-16 { return buffer.append(literal: "0.0") }
    if magnitude < 0x1p63, let integral = UInt64(exactly: magnitude) {
      return appendFixed(integral, decimals: 0, negative: self < 0, to: &buffer)
    }
    let shortest = ShortestDecimal(magnitude)
    if shortest.decimals > Self.mostDecimals {
      return appendFixed(magnitude.roundedToMostDecimals, decimals: Self.mostDecimals, negative: self < 0, to: &buffer)
    }
    appendFixed(shortest.digits, decimals: max(0, shortest.decimals), negative: self < 0, to: &buffer)
    if shortest.decimals < 0 {
      // Beyond 2^63: zeros between the digits and the ".0".
      buffer.removeLast(2)
      buffer.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: -shortest.decimals))
      buffer.append(literal: ".0")
    }
  }

  /// The value times 10^15 as the nearest integer, ties to even, computed without any other rounding.
  ///
  /// For a magnitude that is not integral, at least 2^-51 and below 2^14.
  private var roundedToMostDecimals: UInt64 {
    // value = significand · 2^-shift; a magnitude of at least 5e-16 has a shift of at most 103.
    let significand = UInt128(significandBitPattern | 1 << 52)
    let shift = 52 - Int(exponent)
    let product = significand * 1_000_000_000_000_000
    let quotient = product >> shift
    let rest = product - quotient << shift
    let half = UInt128(1) << (shift - 1)
    let up = rest > half || (rest == half && quotient & 1 == 1)
    return UInt64(truncatingIfNeeded: up ? quotient + 1 : quotient)
  }
}

/// The shortest digits that read back as a double: value = digits · 10^-decimals.
private struct ShortestDecimal {
  var digits: UInt64 = 0
  var decimals = 0

  /// - Parameter magnitude: Finite and above 0.
  init(_ magnitude: Double) {
    // Forms of `description`: 12.5, 5e-324, 1.25e+20.
    var inFraction = false
    var exponent: Int?
    var exponentIsNegative = false
    for byte in magnitude.description.utf8 {
      switch byte {
      case UInt8(ascii: "."): inFraction = true
      case UInt8(ascii: "e"): exponent = 0
      case UInt8(ascii: "-"): exponentIsNegative = true
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let digit = byte - UInt8(ascii: "0")
        if let tens = exponent {
          exponent = tens * 10 + Int(digit)
        } else {
          digits = digits &* 10 &+ UInt64(digit)
          if inFraction { decimals += 1 }
        }
      default: break
      }
    }
    if let exponent { decimals += exponentIsNegative ? exponent : -exponent }
    while digits != 0, digits % 10 == 0 {
      digits /= 10
      decimals -= 1
    }
  }
}

/// Appends `digits` · 10^-`decimals`, without zeros at the end but one behind the point; an integer where `decimals` is
/// `nil`.
private func appendFixed(_ digits: UInt64, decimals: Int?, negative: Bool, to buffer: inout [UInt8]) {
  // 20 digits, a zero, a point and a sign; more zeros where the value is below 1.
  withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 40) { text in
    var rest = digits
    var next = text.count
    func put(_ byte: UInt8) {
      next -= 1
      text[next] = byte
    }
    if let decimals {
      var left = decimals
      while left > 1, rest % 10 == 0 {
        rest /= 10
        left -= 1
      }
      if left == 0 { put(UInt8(ascii: "0")) }
      while left > 0 {
        put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
        rest /= 10
        left -= 1
      }
      put(UInt8(ascii: "."))
    }
    repeat {
      put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    if negative { put(UInt8(ascii: "-")) }
    buffer.append(contentsOf: text[next...])
  }
}
