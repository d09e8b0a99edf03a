/// `scale` and `offset` of a key: value × scale + offset, always a double.
public struct LinearScale: Sendable, Hashable {
  let scale: Double
  let offset: Double
  /// Both as whole numbers over one power of ten, where they are such: 217 × 0.1 is then 21.7, not 21.700000000000003.
  private let numerator: Double
  private let addend: Double
  private let denominator: Double

  /// Beyond this a power of ten is no better than the decimal fraction itself.
  private static let mostDecimals = 15
  private static let greatestExactInteger = 9_007_199_254_740_992.0

  public init(scale: Double = 1, offset: Double = 0) {
    self.scale = scale
    self.offset = offset
    var power = 1.0
    for _ in 0...Self.mostDecimals {
      if let numerator = Self.whole(scale, over: power), let addend = Self.whole(offset, over: power) {
        (self.numerator, self.addend, denominator) = (numerator, addend, power)
        return
      }
      power *= 10
    }
    (numerator, addend, denominator) = (scale, offset, 1)
  }

  public func callAsFunction(_ value: Double) -> Double {
    (value * numerator + addend) / denominator
  }

  /// What `callAsFunction` makes `value` of; infinite where nothing finite does.
  func inverse(_ value: Double) -> Double {
    (value * denominator - addend) / numerator
  }

  private static func whole(_ fraction: Double, over power: Double) -> Double? {
    let candidate = (fraction * power).rounded()
    return abs(candidate) <= greatestExactInteger && candidate / power == fraction ? candidate : nil
  }
}
