/// How long polls may be. What a proxy on the way cuts short is found out: an end alone says nothing, a second one at
/// the same age does. The full length is tried again from time to time.
struct PollLength {
  enum Finding: Equatable {
    /// Polls ask for this much from now on.
    case learned(Duration)
    /// Nothing cuts polls short any more.
    case forgotten
  }

  private let timing: PollTiming
  /// What polls ask for while something cuts longer ones short.
  private var limit: Duration?
  private var triesFullAt = Duration.zero
  /// The age at which the last poll ended too early.
  private var suspect: Duration?

  init(timing: PollTiming) { self.timing = timing }

  /// What a poll may be relied on for.
  var reliable: Duration { limit ?? timing.longest }

  /// What a poll that opens now asks for: more than `reliable` where it tries the full length again.
  mutating func ask(at now: Duration) -> Duration {
    guard let limit else { return timing.longest }
    guard now >= triesFullAt else { return limit }
    triesFullAt = now + timing.relearning
    return timing.longest
  }

  /// A poll was ended by somebody else than us.
  ///
  /// - Parameter age: How long it was open.
  mutating func ended(age: Duration, asked: Duration, at now: Duration) -> Finding? {
    if age >= asked - timing.margin / 2 {
      suspect = nil
      return outlived(age: age, asked: asked)
    }
    guard age >= timing.shortest + timing.margin else { return nil }
    if let limit, asked > limit {
      self.limit = max(timing.shortest, min(limit, age - timing.margin))
      return nil
    }
    guard let before = suspect, (before - age).magnitude <= timing.margin else {
      suspect = age
      return nil
    }
    let found = max(timing.shortest, min(before, age) - timing.margin)
    suspect = nil
    limit = found
    triesFullAt = now + timing.relearning
    return .learned(found)
  }

  /// A poll is or was open for `age`; one that tried the full length has shown that it may be had where nothing cut it.
  mutating func outlived(age: Duration, asked: Duration) -> Finding? {
    guard let limit, asked > limit, age > limit + timing.margin * 2 else { return nil }
    self.limit = nil
    return .forgotten
  }
}

extension Duration {
  fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}
