/// IEEE 754 binary16, by hand: not every board's Swift has a type for it.
enum HalfFloat {
  /// - Returns: Infinite or not a number where the bits say so.
  static func value(of bits: UInt16) -> Double {
    let fraction = Double(bits & 0x3FF)
    let magnitude: Double
    switch bits >> 10 & 0x1F {
    case 0: magnitude = fraction * 0x1p-24
    case 0x1F: magnitude = fraction == 0 ? .infinity : .nan
    case let exponent:
      magnitude = (1 + fraction * 0x1p-10) * Double(sign: .plus, exponent: Int(exponent) - 15, significand: 1)
    }
    return bits >> 15 == 1 ? -magnitude : magnitude
  }

  /// The nearest, ties to even; `nil` for what is beyond the greatest, 65504.
  static func bits(of value: Double) -> UInt16? {
    let magnitude = value.magnitude
    guard magnitude < 65520 else { return nil }
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    // Below 2^-14 steps have one size; above it each power of two has its own 1024 steps. A fraction that is rounded up
    // to the next power carries into the exponent by itself.
    let exponent = magnitude < 0x1p-14 ? -14 : Int(magnitude.exponent)
    let steps = (magnitude * Double(sign: .plus, exponent: 10 - exponent, significand: 1)).rounded(.toNearestOrEven)
    let base = magnitude < 0x1p-14 ? 0 : (exponent + 14) * 1024
    guard let bits = UInt16(exactly: Double(base) + steps), bits < 0x7C00 else { return nil }
    return sign | bits
  }
}
