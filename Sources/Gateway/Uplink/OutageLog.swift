internal import EventLoop

/// Decides which of an uplink's failures and recoveries are worth a line: each cause once in ten minutes, and a server
/// that comes and goes does not start that anew each time it comes.
struct OutageLog {
  /// How long all must have been well for the next failure to be news.
  static let settled = Duration.seconds(60)

  private var limiter = Self.makeLimiter()
  private var began: Duration?
  private var recoveredAt: Duration?
  private var isTold = false

  /// A request failed.
  ///
  /// - Parameters:
  ///   - cause: What failures are told apart by.
  ///   - isOutage: Whether nothing gets through; a refused record is no outage.
  /// - Returns: How many lines of this cause were kept back since the last one; `nil` when this one is to be, too.
  mutating func failed(_ cause: String, isOutage: Bool, now: Duration = Uptime.monotonic) -> Int? {
    if isOutage && began == nil {
      began = now
      if let recoveredAt, now - recoveredAt >= Self.settled { limiter = Self.makeLimiter() }
    }
    guard let suppressed = limiter.admit(cause, now: now) else { return nil }
    if isOutage { isTold = true }
    return suppressed
  }

  /// Something got through.
  ///
  /// - Returns: How long nothing had, where that was told of.
  mutating func recovered(now: Duration = Uptime.monotonic) -> Duration? {
    guard let began else { return nil }
    self.began = nil
    recoveredAt = now
    guard isTold else { return nil }
    isTold = false
    return now - began
  }

  private static func makeLimiter() -> LogLimiter<String> { LogLimiter(every: .seconds(600)) }
}
