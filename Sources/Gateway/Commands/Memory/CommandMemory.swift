/// What is known of the commands the server has handed over: each runs at most once and is answered until the server
/// has the answer.
///
/// ```
///             deliver: run        finish           acknowledge
///  (unknown) ─────────────▶ running ─────▶ finished ─────────▶ acknowledged ── 10 min ──▶ (unknown)
///      ▲                      │ wait        │ answer │ 10 min unheard of        │ ignore, from a poll opened before
///      └──────────────────────┴─────────────┴────────┘                          └ run, from one opened after
/// ```
/// Inputs in, decisions out: neither a disk nor a clock. Times are `Uptime.boottime`, so that a clock set by NTP moves
/// nothing. Source: contract.md §4, "What a client owes".
struct CommandMemory {
  /// Commands that run or whose reply the server has not confirmed, at most; beyond, the answer is `busy`.
  static let pendingLimit = 256
  /// Confirmed ones, at most, the oldest going first. Two polls bring the same command within the life of a poll, so
  /// those forgotten early are old enough.
  static let acknowledgedLimit = 4096
  /// Bytes of one reply that are kept.
  static let replySizeLimit = 32 << 10
  /// Bytes of all replies that are kept.
  static let replyBytesLimit = 128 << 10
  /// How long after its confirmation, or its last delivery, a command is remembered: dashboards wait for minutes.
  static let lifetime = Duration.seconds(600)

  /// What to do about a delivery.
  enum Delivery: Equatable {
    /// New: carry it out, then `finish`.
    case run
    /// It is under way.
    case wait
    /// Finished; its reply is being posted and should be tried at once.
    case hasten
    /// Finished, and nobody posts the reply (these bytes) any more: post it again.
    case answer([UInt8])
    /// An overlapping poll brought once more what was answered.
    case ignore
    /// There is no room to remember it: it must not run.
    case refuse
  }

  private enum State {
    case running
    /// `reply` is `nil` where it was too large to keep, of a command that may as well run again.
    case finished(reply: [UInt8]?, isPosting: Bool)
    case acknowledged(at: Duration)
  }

  private struct Entry {
    var state: State
    var hasLastingEffect: Bool
    var lastDelivery: Duration
    /// What the kept reply counts for in `replyBytes`.
    var replySize = 0
  }

  private var entries: [CommandKey: Entry] = [:]
  private var confirmed = ConfirmationOrder()
  private(set) var replyBytes = 0
  /// Commands that run or whose reply the server has not confirmed.
  private(set) var pending = 0

  var isEmpty: Bool { entries.isEmpty }

  // MARK: Inputs

  /// The server has handed a command over.
  ///
  /// - Parameter pollOpenedAt: When the poll that brought it was opened.
  mutating func deliver(
    _ key: CommandKey, hasLastingEffect: Bool, pollOpenedAt: Duration, now: Duration
  ) -> Delivery {
    guard var entry = entries[key] else { return begin(key, hasLastingEffect, now) }
    switch entry.state {
    case .running:
      entry.lastDelivery = now
      entries[key] = entry
      return .wait
    case .finished(let reply, let isPosting):
      entry.lastDelivery = now
      if isPosting {
        entries[key] = entry
        return .hasten
      }
      guard let reply else {
        entry.state = .running
        entries[key] = entry
        return .run
      }
      entry.state = .finished(reply: reply, isPosting: true)
      entries[key] = entry
      return .answer(reply)
    case .acknowledged(let time):
      // The server forgets a command with its answer. A poll that was opened after that brings a new one, under a
      // number the server's restart made free.
      if pollOpenedAt <= time { return .ignore }
      forget(key)
      return begin(key, hasLastingEffect, now)
    }
  }

  private mutating func begin(_ key: CommandKey, _ hasLastingEffect: Bool, _ now: Duration) -> Delivery {
    guard pending < Self.pendingLimit else { return .refuse }
    entries[key] = Entry(state: .running, hasLastingEffect: hasLastingEffect, lastDelivery: now)
    pending += 1
    return .run
  }

  /// Makes room for a running command's reply.
  ///
  /// - Returns: What is to be kept: the reply; a short one in its place; `nil` for a large one of a command without
  ///   lasting effect.
  mutating func reserve(_ reply: [UInt8], for key: CommandKey) -> [UInt8]? {
    guard var entry = entries[key] else { return nil }
    var kept: [UInt8]? = reply
    if reply.count > Self.replySizeLimit || replyBytes + reply.count > Self.replyBytesLimit {
      kept = entry.hasLastingEffect ? CommandError.replyNotKept.reply : nil
    }
    entry.replySize = kept?.count ?? 0
    replyBytes += entry.replySize
    entries[key] = entry
    return kept
  }

  /// A running command is over, and its reply is going to be posted.
  ///
  /// - Parameter kept: What `reserve` gave.
  mutating func finish(_ key: CommandKey, keeping kept: [UInt8]?) {
    entries[key]?.state = .finished(reply: kept, isPosting: true)
  }

  /// The server has the reply.
  mutating func acknowledge(_ key: CommandKey, now: Duration) {
    guard var entry = entries[key] else { return }
    if case .acknowledged = entry.state { return }
    pending -= 1
    replyBytes -= entry.replySize
    entry.replySize = 0
    entry.state = .acknowledged(at: now)
    entries[key] = entry
    if let oldest = confirmed.append(key, at: now, limit: Self.acknowledgedLimit) { forget(oldest) }
  }

  /// The reply is not posted any more; the next delivery asks for it again.
  mutating func giveUp(_ key: CommandKey) {
    guard case .finished(let reply, _) = entries[key]?.state else { return }
    entries[key]?.state = .finished(reply: reply, isPosting: false)
  }

  /// Takes over what an earlier life of the daemon left: replies to post should the server ask once more.
  ///
  /// - Parameter replies: The stored reply by command; a command without one was cut off.
  mutating func restore(_ replies: [(key: CommandKey, reply: [UInt8]?)], now: Duration) {
    for (key, reply) in replies where pending < Self.pendingLimit && entries[key] == nil {
      let kept = reply ?? CommandError.interrupted.reply
      entries[key] = Entry(
        state: .finished(reply: kept, isPosting: false), hasLastingEffect: true, lastDelivery: now,
        replySize: kept.count)
      replyBytes += kept.count
      pending += 1
    }
  }

  /// Forgets what can no longer come back.
  ///
  /// - Returns: Those with lasting effect whose answer the server never confirmed; the disk still knows them.
  mutating func expire(now: Duration) -> [CommandKey] {
    while let key = confirmed.removeFirst(before: now - Self.lifetime) { forget(key) }
    guard pending > 0 else { return [] }
    var unanswered: [CommandKey] = []
    for (key, entry) in entries {
      guard case .finished(_, isPosting: false) = entry.state, entry.lastDelivery <= now - Self.lifetime else {
        continue
      }
      forget(key)
      if entry.hasLastingEffect { unanswered.append(key) }
    }
    return unanswered
  }

  /// When there may be something to forget; `nil` while nothing is remembered.
  func nextExpiry(now: Duration) -> Duration? {
    var next: Duration?
    for entry in entries.values {
      let expiry: Duration
      switch entry.state {
      case .finished(_, isPosting: false): expiry = entry.lastDelivery + Self.lifetime
      case .acknowledged(let time): expiry = time + Self.lifetime
      case .running, .finished(_, isPosting: true): expiry = now + Self.lifetime
      }
      next = min(next ?? expiry, expiry)
    }
    return next
  }

  private mutating func forget(_ key: CommandKey) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    if case .acknowledged = entry.state { confirmed.remove(key) } else { pending -= 1 }
    replyBytes -= entry.replySize
  }
}

/// Commands in the order the server confirmed them.
private struct ConfirmationOrder {
  private var queue: [(key: CommandKey, time: Duration)] = []
  private var head = 0
  /// Where a command stands now: what the queue says of one that was confirmed again, or is gone, counts no more.
  private var times: [CommandKey: Duration] = [:]

  /// - Returns: The oldest, where there are more than `limit`.
  mutating func append(_ key: CommandKey, at time: Duration, limit: Int) -> CommandKey? {
    queue.append((key, time))
    times[key] = time
    guard times.count > limit else { return nil }
    return removeFirst(before: time)
  }

  /// - Returns: The oldest that was confirmed at `limit` or before.
  mutating func removeFirst(before limit: Duration) -> CommandKey? {
    while head < queue.count {
      let (key, time) = queue[head]
      let isCurrent = times[key] == time
      if isCurrent && time > limit { return nil }
      advance()
      guard isCurrent else { continue }
      times[key] = nil
      return key
    }
    return nil
  }

  mutating func remove(_ key: CommandKey) { times[key] = nil }

  private mutating func advance() {
    head += 1
    // The part that is over goes when it is half of all: a constant cost per command.
    guard head >= 64, head * 2 >= queue.count else { return }
    queue.removeFirst(head)
    head = 0
  }
}
