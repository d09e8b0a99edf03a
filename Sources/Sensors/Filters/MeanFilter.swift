internal import Telemetry
internal import YAML

/// `mean: 10`: the mean of the newest ten values, of those there are while there are fewer. Always a DOUBLE; what is no
/// number passes.
struct MeanFilter: Filter {
  static let range = 2...1000
  static let entry = FilterEntry(name: "mean", example: "{mean: 10}") { reader in
    reader.integer("mean", in: range).map { MeanFilter(size: $0) }
  }

  private let size: Int
  /// The newest values; `oldest` is the next to go once there are `size`.
  private var window: [Double] = []
  private var oldest = 0

  /// - Parameter size: In `range`.
  init(size: Int) {
    self.size = size
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    guard let number = value.finiteNumber else { return .pass(value) }
    if window.count < size {
      window.append(number)
    } else {
      window[oldest] = number
      oldest = (oldest + 1) % size
    }
    return .pass(.double(mean))
  }

  /// Added up anew each time: a running sum would keep each rounding error for years. What is added are the differences
  /// from the first, so that the mean of a value that stands still is that value.
  private var mean: Double {
    let (first, count) = (window.first ?? 0, Double(window.count))
    let mean = first + window.reduce(0) { $0 + ($1 - first) } / count
    // Between the two ends of the range the difference is beyond it.
    return mean.isFinite ? mean : window.reduce(0) { $0 + $1 / count }
  }
}
