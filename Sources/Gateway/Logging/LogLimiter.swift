internal import EventLoop

/// Lets one line an interval and cause through, and says how many it kept back.
struct LogLimiter<Cause: Hashable> {
  /// Causes remembered at most; the longest silent one goes first.
  static var causeLimit: Int { 1024 }

  private let interval: Duration
  private var causes: [Cause: (next: Duration, suppressed: Int)] = [:]

  init(every interval: Duration = .seconds(60)) { self.interval = interval }

  /// - Returns: How many lines of this cause were kept back since the last one; `nil` when this one is to be, too.
  mutating func admit(_ cause: Cause, now: Duration = Uptime.monotonic) -> Int? {
    if let known = causes[cause], now < known.next {
      causes[cause] = (known.next, known.suppressed + 1)
      return nil
    }
    if causes[cause] == nil, causes.count >= Self.causeLimit,
      let oldest = causes.min(by: { $0.value.next < $1.value.next })?.key
    {
      causes[oldest] = nil
    }
    let suppressed = causes[cause]?.suppressed ?? 0
    causes[cause] = (now + interval, 0)
    return suppressed
  }

  /// `; 411 more like it were not logged`, or nothing.
  static func note(_ suppressed: Int) -> String {
    suppressed == 0 ? "" : "; \(suppressed) more like it were not logged"
  }
}
