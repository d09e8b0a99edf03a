/// How fast pulses come, by the pulses' own times: the rate of a slow meter has no steps, however short the interval.
///
/// Times are `CLOCK_MONOTONIC` in nanoseconds.
struct PulseRate: Sendable, Equatable {
  /// After so long without a pulse nothing comes any more.
  private let idle: UInt64
  private let start: UInt64
  /// The pulse the present stretch begins with.
  private var first: UInt64?
  private var newest: UInt64?
  /// Pulses after `first`.
  private var count: UInt64 = 0
  /// Of the last stretch that ended.
  private var perSecond: Double?

  init(idle: Duration, start: Duration) {
    self.idle = idle.nanosecondsSinceBoot
    self.start = start.nanosecondsSinceBoot
  }

  mutating func add(_ pulses: UInt64, at time: UInt64) {
    guard let newest else {
      (first, self.newest) = (time, time)
      return
    }
    count &+= pulses
    self.newest = max(newest, time)
  }

  /// Ends a stretch.
  ///
  /// - Returns: Pulses a second as of `now`; `nil` while nothing is known.
  mutating func close(at now: UInt64) -> Double? {
    if count > 0, let first, let newest, newest > first {
      perSecond = Double(count) / (Double(newest - first) / 1e9)
      self.first = newest
      count = 0
    }
    return estimate(at: now)
  }

  /// The last stretch's rate, or what the silence since leaves of it: at most one pulse in that time.
  func estimate(at now: UInt64) -> Double? {
    let last = newest ?? start
    let silence = now > last ? now - last : 0
    if silence >= idle { return 0 }
    guard let perSecond else { return nil }
    return silence > 0 ? min(perSecond, 1e9 / Double(silence)) : perSecond
  }

  /// When silence has halved what was told, or made it nothing; `nil` for a rate of 0.
  ///
  /// - Parameter told: Pulses a second; `nil` where nothing was told yet.
  func nextFall(below told: Double?) -> UInt64? {
    let end = (newest ?? start).addingSaturated(idle)
    guard let told else { return end }
    guard told > 0 else { return nil }
    let half = 2e9 / told
    return half < Double(idle) ? min(end, (newest ?? start).addingSaturated(UInt64(half))) : end
  }
}

/// How long a line is on, as a mean over the pulses of an interval.
struct PulseWidth: Sendable, Equatable {
  private var rise: UInt64?
  private var sum = 0.0
  private var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func add(_ value: Bool, at time: UInt64, missed: UInt32) {
    defer { rise = value ? time : nil }
    // What lies between an edge and one before a gap is no pulse.
    guard !value, missed == 0, let rise, time >= rise else { return }
    sum += Double(time - rise)
    count += 1
  }

  /// The mean in milliseconds; begins anew. A pulse under way goes on.
  mutating func close() -> Double? {
    defer { (sum, count) = (0, 0) }
    return count == 0 ? nil : sum / Double(count) / 1e6
  }
}

extension Duration {
  /// As the kernel tells times; 0 for a negative one, bounded at 500 years.
  var nanosecondsSinceBoot: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(min(seconds, 16_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}

extension UInt64 {
  func addingSaturated(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
