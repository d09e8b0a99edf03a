/// When one sensor is asked: at each multiple of its interval since the first time, whatever a cycle takes.
///
/// Time is `Uptime.boottime`: after a sleep of the machine the times missed are left out.
struct PollTimes {
  private(set) var interval: Duration
  /// When the next cycle is due.
  private(set) var due: Duration
  /// Whether a cycle is under way.
  private(set) var isUnderWay = false

  enum Verdict: Equatable {
    case begin
    /// The cycle before is still under way: this one is left out.
    case missed
    case notYet
  }

  /// - Parameter first: When the first cycle is due.
  init(every interval: Duration, first: Duration) {
    self.interval = interval
    due = first
  }

  mutating func look(at now: Duration) -> Verdict {
    guard now >= due else { return .notYet }
    due += interval
    // Far behind, after a sleep or a stall: not one after the other.
    if due <= now {
      let behind = (now - due).wholeMilliseconds / max(1, interval.wholeMilliseconds) + 1
      due += interval * Int(clamping: min(behind, 1 << 31))
    }
    if isUnderWay { return .missed }
    isUnderWay = true
    return .begin
  }

  /// A command asks at once, apart from the interval.
  ///
  /// - Returns: Whether it is to begin; another cycle is under way otherwise.
  mutating func beginNow() -> Bool {
    if isUnderWay { return false }
    isUnderWay = true
    return true
  }

  mutating func ended() { isUnderWay = false }
}
