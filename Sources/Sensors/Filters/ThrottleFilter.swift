internal import Telemetry
internal import YAML

/// `throttle: 10s`: after a value none for so long. Of any type.
struct ThrottleFilter: Filter {
  static let range = Duration.milliseconds(10) ... .seconds(24 * 3600)
  static let entry = FilterEntry(name: "throttle", example: "{throttle: 10s}") { reader in
    reader.duration("throttle", in: range).map { ThrottleFilter(pause: $0) }
  }

  /// Milliseconds.
  private let pause: Int64
  private var last: Int64?

  init(pause: Duration) {
    self.pause = milliseconds(pause)
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    if let last, !hasElapsed(pause, since: last, at: time) { return .withheld }
    last = time.boottime
    return .pass(value)
  }
}

/// Whole milliseconds of a duration of at most some days.
func milliseconds(_ duration: Duration) -> Int64 {
  let (seconds, attoseconds) = duration.components
  return seconds * 1000 + attoseconds / 1_000_000_000_000_000
}

/// Whether `pause` milliseconds have gone by since `boottime`. So it is, too, where time runs backwards, as in the second
/// of two captures that are played back: better a value too many than none for a day.
func hasElapsed(_ pause: Int64, since boottime: Int64, at time: CaptureTime) -> Bool {
  let elapsed = time.boottime &- boottime
  return elapsed >= pause || elapsed < 0
}
