/// When each of many devices starts, so that their requests do not come in one burst, as a value.
///
/// A long poll lasts as long for all: what starts spread out stays so.
struct Spread: Sendable, Equatable {
  /// Over how much time polls are spread: the length of one, so that their ends are spread as well.
  static let polls = Spread(over: .seconds(25), atMost: .milliseconds(500))

  /// Uploads at an interval: each device keeps its place in it.
  static func uploads(every interval: Duration) -> Spread {
    Spread(over: min(interval, polls.window), atMost: .milliseconds(100))
  }

  /// What all starts together take at most.
  let window: Duration
  /// Between two of few devices.
  let step: Duration

  init(over window: Duration, atMost step: Duration) {
    self.window = window
    self.step = step
  }

  /// How long after the first one a device starts.
  ///
  /// - Parameters:
  ///   - index: Of the device, from 0; the gateway's own is the first.
  ///   - count: Of devices.
  /// - Returns: The same for the same device, and less than `window` where `index` is below `count`.
  func offset(of index: Int, in count: Int) -> Duration {
    guard index > 0, count > 1 else { return .zero }
    return min(window / count, step) * index
  }
}
