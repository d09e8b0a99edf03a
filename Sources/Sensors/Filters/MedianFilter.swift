internal import Telemetry
internal import YAML

/// `median: 5`: the middle one of the newest five values; while there are fewer, of those there are, of two middle ones
/// the lesser. A single outlier never shows.
///
/// A LONG stays a LONG, and one that entered before the first DOUBLE leaves as a DOUBLE. What is no number passes.
struct MedianFilter: Filter {
  static let range = 3...99
  static let entry = FilterEntry(name: "median", example: "{median: 5}") { reader in
    guard let size = reader.integer("median", in: range) else { return nil }
    if size % 2 == 1 { return MedianFilter(size: size) }
    reader.mismatch("median", expected: "an odd number, of which one value is in the middle")
    return nil
  }

  private let size: Int
  /// The newest values; `oldest` is the next to go once there are `size`.
  private var window: [Value] = []
  private var oldest = 0
  /// The same, the least first.
  private var sorted: [Value] = []

  /// - Parameter size: Odd, in `range`.
  init(size: Int) {
    self.size = size
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    guard let number = value.finiteNumber else { return .pass(value) }
    if window.count < size {
      if window.isEmpty {
        window.reserveCapacity(size)
        sorted.reserveCapacity(size)
      }
      window.append(value)
    } else {
      let leaving = window[oldest]
      window[oldest] = value
      oldest = (oldest + 1) % size
      if let place = sorted.firstIndex(of: leaving) { sorted.remove(at: place) }
    }
    sorted.insert(value, at: sorted.firstIndex { Self.isLess(value, number, than: $0) } ?? sorted.endIndex)
    return .pass(Self.like(value, sorted[(sorted.count - 1) / 2]))
  }

  /// Two LONGs are compared as such: as doubles those beyond 2^53 would run together.
  private static func isLess(_ value: Value, _ number: Double, than other: Value) -> Bool {
    if case .long(let a) = value, case .long(let b) = other { return a < b }
    return number < other.finiteNumber ?? .infinity
  }

  private static func like(_ newest: Value, _ median: Value) -> Value {
    if case .double = newest, case .long(let number) = median { return .double(Double(number)) }
    return median
  }
}
