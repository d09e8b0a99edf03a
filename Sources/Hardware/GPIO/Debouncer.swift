internal import Telemetry

/// Lets a level through once it has stood for a time. Time is `Uptime.monotonic`.
struct Debouncer {
  enum Verdict: Equatable {
    /// Nothing is to be waited for.
    case rest
    /// Ask `settle` after this time.
    case wait(Duration)
    /// The level stands, since it was first seen at `time`.
    case stands(GPIOChange)
  }

  let period: Duration
  /// The level let through last.
  private(set) var level: Bool
  private var candidate: (change: GPIOChange, since: Duration)?

  /// - Parameter period: How long a level must stand; zero lets every change through.
  init(_ level: Bool, period: Duration) {
    self.level = level
    self.period = period
  }

  mutating func see(_ change: GPIOChange, now: Duration) -> Verdict {
    if change.value == level {
      candidate = nil
    } else if candidate == nil {
      candidate = (change, now)
    }
    return settle(now: now)
  }

  /// The time is up, perhaps.
  mutating func settle(now: Duration) -> Verdict {
    guard let (change, since) = candidate else { return .rest }
    guard now - since >= period else { return .wait(period - (now - since)) }
    candidate = nil
    level = change.value
    return .stands(change)
  }
}
