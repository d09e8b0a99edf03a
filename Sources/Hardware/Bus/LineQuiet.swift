/// How long a line has been silent, and when it may be used. A value without a clock.
struct LineQuiet {
  /// When something was last heard.
  private(set) var lastHeard: Duration
  /// When our own last character is out, computed.
  private var sentUntil: Duration
  /// What was heard last was no answer, so that more of it may come.
  private var isUnsettled = false
  /// Until then a second answer may come.
  private var disturbedUntil = Duration.zero
  /// Since when somebody wants to send.
  private var wantedSince: Duration?

  init(since now: Duration = .zero) { (lastHeard, sentUntil) = (now, now) }

  mutating func heard(at now: Duration) { lastHeard = now }

  mutating func heardUnexpected(at now: Duration) {
    lastHeard = now
    isUnsettled = true
    // It was this that was waited for.
    disturbedUntil = min(disturbedUntil, now)
  }

  /// What was heard is no answer.
  mutating func heardInVain() { isUnsettled = true }

  /// What was heard last was an answer's end.
  mutating func isSettled() { isUnsettled = false }

  mutating func mayBeDisturbed(until time: Duration) { disturbedUntil = time }

  mutating func isWanted(at now: Duration) { if wantedSince == nil { wantedSince = now } }

  mutating func sends(until end: Duration) {
    sentUntil = end
    isUnsettled = false
    disturbedUntil = .zero
    wantedSince = nil
  }

  /// The first moment at which a frame may begin.
  func freeAt(_ timing: BusTiming, gap: Duration) -> Duration {
    let quiet = timing.silence + (isUnsettled ? BusMachine.burst : .zero) + gap
    let quietAt = max(lastHeard + quiet, disturbedUntil)
    let ownEnd = sentUntil + timing.silence + gap
    return max(ownEnd, min(quietAt, patience(timing, gap) ?? quietAt))
  }

  /// Whether the line has been wanted for so long that nothing on it counts any more.
  func isUnrest(_ timing: BusTiming, gap: Duration, at now: Duration) -> Bool {
    patience(timing, gap).map { now >= $0 } ?? false
  }

  private func patience(_ timing: BusTiming, _ gap: Duration) -> Duration? {
    wantedSince.map { $0 + timing.silence + BusMachine.burst + gap + BusMachine.mostUnrest }
  }
}
