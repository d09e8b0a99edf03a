/// Answers how long to wait before the next attempt: twice as long each time, up to a bound.
public struct Backoff: Sendable, Hashable {
  /// How a delay is drawn below the ceiling of its attempt.
  public enum Jitter: Sendable, Hashable {
    /// The ceiling itself.
    case none
    /// From half the ceiling to the ceiling: for one device that must not be asked too soon.
    case equal
    /// From nothing to the ceiling: for many gateways that lost one server at the same moment.
    case full
  }

  /// The ceiling of the first delay.
  public let first: Duration
  /// What no delay exceeds, whatever the jitter.
  public let most: Duration
  public let jitter: Jitter
  private var ceiling: UInt64

  /// - Parameters:
  ///   - first: At least 1 µs; shorter ones are raised to it.
  ///   - most: At least `first`; shorter ones are raised to it. Counted in whole microseconds, 100 years at most.
  public init(first: Duration, most: Duration, jitter: Jitter = .full) {
    self.first = max(first, .microseconds(1))
    self.most = max(most, self.first)
    self.jitter = jitter
    ceiling = self.first.microseconds
  }

  /// The delay before the next attempt.
  public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
    let limit = most.microseconds
    let delay: UInt64 =
      switch jitter {
      case .none: ceiling
      case .equal: UInt64.random(in: ceiling / 2...ceiling, using: &generator)
      case .full: UInt64.random(in: 0...ceiling, using: &generator)
      }
    // No overflow: a ceiling is at most 100 years of microseconds.
    ceiling = min(ceiling * 2, limit)
    return .microseconds(Int64(min(delay, limit)))
  }

  /// Starts over at `first`: the attempt succeeded.
  public mutating func reset() { ceiling = first.microseconds }
}
