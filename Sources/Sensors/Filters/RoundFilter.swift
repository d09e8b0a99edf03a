internal import Telemetry
internal import YAML

/// `round: 1`: to so many decimals, half away from zero. All but a DOUBLE passes as it is.
struct RoundFilter: Filter {
  static let range = 0...15
  static let entry = FilterEntry(name: "round", example: "{round: 1}") { reader in
    reader.integer("round", in: range).map { RoundFilter(decimals: $0) }
  }

  /// Above this every double is a whole number.
  private static let greatestFraction = 0x1p52

  private let power: Double

  /// - Parameter decimals: In `range`.
  init(decimals: Int) {
    power = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    guard case .double(let number) = value, number.isFinite, (number * power).magnitude < Self.greatestFraction else {
      return .pass(value)
    }
    let rounded = (number * power).rounded() / power
    // A minus sign before nothing would be news to `change`.
    return .pass(.double(rounded == 0 ? 0 : rounded))
  }
}
