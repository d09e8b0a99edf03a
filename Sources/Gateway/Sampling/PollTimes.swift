/// When one sensor is asked: at each multiple of its interval since the first time, whatever a cycle takes.
///
/// Time is `Uptime.boottime`: after a sleep of the machine the times missed are left out.
struct PollTimes {
  private(set) var interval: Duration
  /// When the next cycle is due.
  private(set) var due: Duration
  /// Whether a cycle is under way.
  private(set) var isUnderWay = false
  /// Whether a cycle was due that could not be asked, or was cut off: it is made up for, since the next may be a day away.
  private(set) var isOwed = false

  enum Verdict: Equatable {
    case begin
    /// The cycle before is still under way: this one is left out.
    case missed
    case notYet
  }

  /// - Parameters:
  ///   - first: When the first cycle is due.
  ///   - isOwed: Whether one is to be made up for before.
  init(every interval: Duration, first: Duration, isOwed: Bool = false) {
    self.interval = interval
    due = first
    self.isOwed = isOwed
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
    (isUnderWay, isOwed) = (true, false)
    return .begin
  }

  /// A command asks at once, apart from the interval.
  ///
  /// - Returns: Whether it is to begin; another cycle is under way otherwise.
  mutating func beginNow() -> Bool {
    if isUnderWay { return false }
    (isUnderWay, isOwed) = (true, false)
    return true
  }

  mutating func ended() { isUnderWay = false }

  /// The cycle that was begun cannot be asked now.
  mutating func putOff() { (isUnderWay, isOwed) = (false, true) }
}
