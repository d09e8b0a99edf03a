internal import EventLoop
internal import ThingsBoard

/// Names one poll of a schedule.
struct PollID: Hashable, Sendable {
  let number: UInt64
}

/// When polls open, as a value: the next one before the one before it ends, so that the server always has one to answer.
///
/// A poll that ended without a command leaves a ghost on the server that swallows the next command while no poll is
/// open, and a change of an attribute between two polls is never told; while polls overlap there is no such moment. All
/// open polls are given the same: what comes twice is told apart by whom it is delivered to. Only the newest poll
/// decides about the next: an older one has its successor already.
///
/// Source: contract.md §3 and §4.
struct PollSchedule {
  /// What the owner does after an event, in order.
  enum Action: Equatable {
    /// Opens a poll; its end is an event.
    case open(PollID, for: Duration)
    /// Gives a poll up.
    case abandon(PollID)
    /// Something may have happened that no poll will tell.
    case gap
    /// Nothing comes until the next attempt, which is the `inARow`th; the first failure in a row is 1.
    case failing(next: Duration, inARow: Int)
    /// Says what was found out about the polls' length.
    case report(PollLength.Finding)
    /// The transport does not poll: all is over.
    case end
  }

  struct Poll: Equatable {
    let id: PollID
    let openedAt: Duration
    let asked: Duration
  }

  /// Polls that are open at a time; an older one is given up for one more.
  static let mostOpen = 2

  /// When `timer` is to be called next.
  private(set) var due: Duration?
  /// Oldest first.
  private(set) var polls: [Poll] = []
  /// Whether the last attempt failed.
  var isFailing: Bool { failures > 0 }

  private let timing: PollTiming
  private var length: PollLength
  private var newest: PollID?
  private var count: UInt64 = 0
  private var failures = 0
  private var quick: Backoff
  private var slow: Backoff
  /// What openings have used up: `burst` spacings ahead of the clock there is no more to be had.
  private var pace = Duration.zero

  init(timing: PollTiming = .standard) {
    self.timing = timing
    length = PollLength(timing: timing)
    quick = timing.quickRetry
    slow = timing.slowRetry
  }

  /// When the newest poll opened; `nil` when it is no longer open.
  var newestOpenedAt: Duration? { polls.last.flatMap { $0.id == newest ? $0.openedAt : nil } }

  // MARK: Events

  /// - Parameter delay: Until the first poll opens, so that those of many devices don't at once.
  mutating func start(at now: Duration, after delay: Duration = .zero) -> [Action] {
    quick.reset()
    slow.reset()
    failures = 0
    guard delay > .zero else { return [.gap] + open(at: now) }
    due = now + delay
    return [.gap]
  }

  mutating func stop() -> [Action] {
    defer { polls = [] }
    due = nil
    newest = nil
    return polls.map { .abandon($0.id) }
  }

  /// Opens a poll if it is time.
  mutating func timer(at now: Duration) -> [Action] {
    guard let due, now >= due else { return [] }
    return open(at: now)
  }

  /// A poll ended without anything.
  mutating func ended(_ id: PollID, at now: Duration) -> [Action] {
    guard let poll = take(id) else { return [] }
    succeeded()
    let finding = length.ended(age: now - poll.openedAt, asked: poll.asked, at: now)
    let report = finding.map { [Action.report($0)] } ?? []
    guard id == newest else { return report }
    // Somebody ended it before its successor was due.
    return report + [.gap] + openSoon(at: now)
  }

  /// A poll brought something. The next one opens when that is delivered.
  mutating func answered(_ id: PollID, at now: Duration) -> [Action] {
    guard take(id) != nil else { return [] }
    succeeded()
    if id == newest { due = nil }
    // The server answered every poll it had; what happens before the next one arrives is told by none.
    return [.gap]
  }

  /// What a poll brought has been delivered.
  mutating func delivered(_ id: PollID, at now: Duration) -> [Action] {
    id == newest && due == nil ? openSoon(at: now) : []
  }

  mutating func failed(
    _ id: PollID, _ error: DeviceAPIError, at now: Duration, using generator: inout some RandomNumberGenerator
  ) -> [Action] {
    guard let poll = take(id) else { return [] }
    if error.code == .unsupported { return stop() + [.end] }
    var actions: [Action] = [.gap]
    let age = now - poll.openedAt
    // Only an answer tells of a limit: without one it is the network.
    if error.status != nil, let finding = length.ended(age: age, asked: poll.asked, at: now) {
      actions.append(.report(finding))
      // An end, then, and no outage.
      if id == newest { return actions + openSoon(at: now) }
    }
    guard id == newest else { return actions }
    // One that waited that long had reached the server.
    if age >= poll.asked / 2 { quick.reset() }
    failures += 1
    // What one answer held is no reason to let what follows wait for a person.
    let delay =
      error.code == .poison
      ? quick.next(using: &generator)
      : PollTiming.delay(after: error, quick: &quick, slow: &slow, using: &generator)
    let time = max(now + delay, earliest)
    due = time
    return actions + [.failing(next: time - now, inARow: failures)]
  }

  // MARK: Steps

  private mutating func succeeded() {
    quick.reset()
    slow.reset()
    failures = 0
  }

  private mutating func take(_ id: PollID) -> Poll? {
    guard let index = polls.firstIndex(where: { $0.id == id }) else { return nil }
    return polls.remove(at: index)
  }

  /// Before this no poll opens.
  private var earliest: Duration { pace - timing.spacing * timing.burst }

  private mutating func openSoon(at now: Duration) -> [Action] {
    guard earliest <= now else {
      due = earliest
      return []
    }
    return open(at: now)
  }

  private mutating func open(at now: Duration) -> [Action] {
    var actions: [Action] = []
    while polls.count >= Self.mostOpen {
      let oldest = polls.removeFirst()
      if let finding = length.outlived(age: now - oldest.openedAt, asked: oldest.asked) {
        actions.append(.report(finding))
      }
      actions.append(.abandon(oldest.id))
    }
    count += 1
    let poll = Poll(id: PollID(number: count), openedAt: now, asked: length.ask(at: now))
    polls.append(poll)
    newest = poll.id
    pace = max(pace, now) + timing.spacing
    // One that tries the full length is not relied on for it.
    let reliable = length.reliable
    due = now + reliable - min(timing.lead, reliable / 2)
    return actions + [.open(poll.id, for: poll.asked)]
  }
}
