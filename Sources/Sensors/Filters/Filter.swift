internal import Telemetry
internal import YAML

/// One step a value goes through before it is sent. As the configuration makes it, it has seen nothing yet.
///
/// Called on the loop for every value: no waiting, no memory but its own, bounded by its options.
protocol Filter: Sendable, Equatable {
  /// - Parameter time: When the value was captured.
  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict
}

/// What a filter makes of a value.
enum FilterVerdict: Equatable {
  /// What goes on, the same value or another one of the same kind.
  case pass(Value)
  /// Says nothing new.
  case withheld
  /// Cannot be true.
  case rejected
}

/// What Baudgate has to know of a filter; adding one is a file and a line in `Filters.all`.
struct FilterEntry: Sendable {
  /// As an item of `filters:` says it.
  let name: String
  /// A whole item, for messages.
  let example: String
  /// Reads the value under `name`; what is wrong goes to the reader's diagnostics, and a `nil` is never without a
  /// message.
  let decode: @Sendable (inout MappingReader) -> (any Filter)?
}

/// The filters this version knows.
enum Filters {
  static let all = [
    MedianFilter.entry, MeanFilter.entry, DeadbandFilter.entry, ThrottleFilter.entry, RangeFilter.entry,
    RoundFilter.entry, ChangeFilter.entry,
  ]
}

extension Value {
  /// A number a filter can reckon with; `nil` for all else, NaN and infinity included.
  var finiteNumber: Double? {
    switch self {
    case .long(let number): Double(number)
    case .double(let number) where number.isFinite: number
    default: nil
    }
  }
}
