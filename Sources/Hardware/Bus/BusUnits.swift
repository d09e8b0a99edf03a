internal import EventLoop

/// The units of a bus: what became of their questions, and which of them are not asked for now. A value without a clock.
///
/// A unit that left a question unanswered is set aside, for longer each time, and then probed: asked once, without a
/// second attempt. All probes together may take a tenth of the time, so that the units that answer keep their pace; the
/// unit that has been due for longest is probed first. One answer takes it back.
struct BusUnits {
  /// How long a unit is set aside at first; doubled with each probe without an answer.
  static let firstRest = Duration.seconds(1)
  static let mostRest = Duration.seconds(60)
  /// How many times as long as a probe without an answer took no other may follow it: a tenth of the time in all.
  static let restPerProbe = 9
  /// How long the next probe is kept for a unit that asked for it and is not asked for again: its sensor may be gone.
  static let placeKept = Duration.seconds(10)
  /// Units that are known; those beyond are asked without being counted or set aside.
  static let limit = 256

  enum Admission: Equatable {
    case question
    /// Its one attempt finds out whether the unit is back.
    case probe
    case refused(silentFor: Duration, askedAgainIn: Duration)
  }

  private struct Absence {
    let since: Duration
    /// When it is due for a probe; the earliest of several goes first.
    var until: Duration
    var backoff = Backoff(first: BusUnits.firstRest, most: BusUnits.mostRest, jitter: .none)
    /// When a probe that was due was last put off.
    var putOffAt: Duration?

    mutating func makeDue(at now: Duration) {
      until = now
      backoff.reset()
    }
  }

  private struct Unit {
    var counts: BusUnitStatus
    var absence: Absence?
    var isToldLate = false
  }

  private var units: [Int: Unit] = [:]
  /// Before it no probe may be sent.
  private var probesFrom = Duration.zero
  private var generator = SystemRandomNumberGenerator()

  /// Says whether a unit may be asked now.
  mutating func admit(_ unit: Int, as traffic: BusTraffic, at now: Duration) -> Admission {
    guard let absence = units[unit]?.absence else { return .question }
    if traffic == .command { return .probe }
    let isEarly = now < absence.until
    if !isEarly, now >= probesFrom, !isPreceded(unit, absence, at: now) { return .probe }
    if !isEarly { units[unit]?.absence?.putOffAt = now }
    // A place kept for another is free again in a moment; that moment is the first rest.
    let wait = max(absence.until, probesFrom) - now
    return .refused(silentFor: now - absence.since, askedAgainIn: wait > .zero ? wait : Self.firstRest)
  }

  /// Whether another unit has been due for longer and still wants its probe.
  private func isPreceded(_ unit: Int, _ absence: Absence, at now: Duration) -> Bool {
    units.contains { other, entry in
      guard other != unit, let rival = entry.absence, let putOffAt = rival.putOffAt else { return false }
      return rival.until < absence.until && now - putOffAt <= Self.placeKept
    }
  }

  mutating func count(asked unit: Int, again: Bool) {
    if units[unit] == nil {
      guard units.count < Self.limit else { return }
      units[unit] = Unit(counts: BusUnitStatus(unit: unit))
    }
    if again { units[unit]?.counts.retries &+= 1 } else { units[unit]?.counts.asked &+= 1 }
  }

  /// An attempt had no answer; another may follow.
  mutating func count(timeoutOf unit: Int) { units[unit]?.counts.timeouts &+= 1 }

  /// Something came after the unit's time was over.
  mutating func count(lateAnswerOf unit: Int, timeout: Duration) -> BusNotice? {
    units[unit]?.counts.late &+= 1
    guard units[unit]?.isToldLate == false else { return nil }
    units[unit]?.isToldLate = true
    return .answersLate(unit: unit, timeout: timeout)
  }

  mutating func answered(_ unit: Int, after delay: Duration, at now: Duration) -> BusNotice? {
    guard var entry = units[unit] else { return nil }
    // Where none of them answered it was the cable, and the others are back too.
    if entry.absence != nil, units.values.allSatisfy({ $0.absence != nil }) { allAreDue(at: now) }
    let absence = entry.absence
    entry.absence = nil
    entry.counts.answered &+= 1
    entry.counts.longestAnswer = max(entry.counts.longestAnswer, delay)
    units[unit] = entry
    return absence.map { .answersAgain(unit: unit, after: now - $0.since) }
  }

  /// A question had no answer to any attempt.
  ///
  /// - Parameter cost: How long its last attempt held the bus.
  mutating func failed(_ unit: Int, _ failure: String, cost: Duration, at now: Duration) -> BusNotice? {
    guard var entry = units[unit] else { return nil }
    let isNews = entry.absence == nil
    // A command came in between: who keeps trying must not put off the unit's return.
    if let absence = entry.absence, absence.until > now - cost {
      units[unit]?.counts.lastFailure = failure
      probesFrom = max(probesFrom, now + cost * Self.restPerProbe)
      return nil
    }
    var absence = entry.absence ?? Absence(since: now, until: now)
    let rest = absence.backoff.next(using: &generator)
    absence.until = now + rest
    absence.putOffAt = nil
    entry.absence = absence
    entry.counts.lastFailure = failure
    units[unit] = entry
    guard isNews else {
      probesFrom = max(probesFrom, now + cost * Self.restPerProbe)
      return nil
    }
    return .fellSilent(unit: unit, failure: failure, askedAgainIn: max(rest, probesFrom - now))
  }

  /// The line or its settings are others now: whoever is set aside is probed again soon.
  mutating func allAreDue(at now: Duration) {
    for unit in units.keys { units[unit]?.absence?.makeDue(at: now) }
  }

  /// Other settings: what was told of units that answer late is no longer known.
  mutating func forgetLateness() {
    for unit in units.keys { units[unit]?.isToldLate = false }
  }

  /// By unit.
  func statuses(at now: Duration) -> [BusUnitStatus] {
    units.values.map { unit in
      var status = unit.counts
      if let absence = unit.absence {
        status.silentFor = now - absence.since
        status.setAsideFor = max(.zero, max(absence.until, probesFrom) - now)
      }
      return status
    }.sorted { $0.unit < $1.unit }
  }
}
