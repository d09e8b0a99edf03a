internal import EventLoop
internal import Logging

// One timer serves all that is due: persisting, the card's cursor, retries, a word about a slow card.
extension TelemetryQueue {
  /// Arms the timer for what is due first. It is left armed when nothing is: one wake-up in vain is cheaper than
  /// setting it at each append and acknowledgement.
  func schedule() {
    guard let due = nextDue, !isClosed else { return }
    if let armedFor, armedFor <= due { return }
    timer?.arm(after: .milliseconds(max(0, due - clock())))
    armedFor = due
  }

  /// When something is due first, milliseconds on `clock`.
  var nextDue: Int64? {
    var due = [hotRetryAt, readRetryAt].compactMap { $0 }.min()
    func consider(_ time: Int64?) {
      if let time { due = min(due ?? time, time) }
    }
    if let upkeepSince {
      if !isSlowPersistTold { consider(upkeepSince + Self.slowPersist) }
    } else {
      consider(upkeepDue)
    }
    return due
  }

  /// When the disk thread has something to do.
  private var upkeepDue: Int64? {
    // After a failure the retry comes even when nothing is due: the status should not tell of it for ever.
    cardRetryAt ?? [persistDue, cursorDueAt, trimDueAt].compactMap { $0 }.min()
  }

  private var persistDue: Int64? {
    marks.oldest(beyond: released, newest: nextSequence - 1).map { $0 + persistAfter - accuracy }
  }

  func timerFired() {
    armedFor = nil
    guard !isClosed else { return }
    let now = clock()
    if let at = hotRetryAt, at <= now { retryHot() }
    if let at = readRetryAt, at <= now {
      readRetryAt = nil
      onAppend?()
    }
    if let since = upkeepSince {
      if !isSlowPersistTold, now - since >= Self.slowPersist { tellSlowPersist() }
    } else if let due = upkeepDue, due <= now {
      upkeepSince = now
      Task(executorPreference: loop) { await self.upkeep() }
    }
    schedule()
  }

  private func tellSlowPersist() {
    isSlowPersistTold = true
    log.warning(
      """
      \(device): the card has not answered for \(Self.slowPersist / 1000) s; \
      records stay in the hot log and go to the server from there
      """, metadata: ["device": "\(device)"])
  }

  /// One turn of the disk thread; `upkeepSince` is set. Everything that waits is persisted when `isFinal`.
  func upkeep(isFinal: Bool = false) async {
    if !isCardRecovered { await recoverCard() }
    if isCardRecovered {
      let now = clock()
      let isDue = isFinal || persistDue.map { $0 <= now } ?? false
      let plan = PersistPlan(
        pieces: isDue ? hot.pieces(after: released) : [],
        chunks: isDue ? ring.chunks.filter { $0.last > released } : [],
        after: released, through: isDue ? nextSequence - 1 : released, cursor: cursor,
        storesCursor: cardFailure != nil || needsCardCursor && (isFinal || cursorDueAt.map { $0 <= now } ?? false),
        maxSize: options.maxSize, trims: trimDueAt != nil)
      if plan.storesCursor || plan.trims || plan.through > plan.after {
        let card = card
        apply(await disk.run { card.carryOut(plan) }, of: plan)
      }
    }
    if isSlowPersistTold, let upkeepSince {
      log.notice(
        "\(device): the card answered after \((clock() - upkeepSince) / 1000) s", metadata: ["device": "\(device)"])
    }
    isSlowPersistTold = false
    upkeepSince = nil
    hot.release(through: released)
    let waiters = upkeepWaiters
    upkeepWaiters = []
    for waiter in waiters { waiter.resume() }
    schedule()
  }

  private func apply(_ outcome: PersistOutcome, of plan: PersistPlan) {
    cardSummary = outcome.summary
    if outcome.droppedThrough > acknowledged {
      acknowledged = outcome.droppedThrough
      storeHotCursor()
    }
    countDropped(outcome.dropped, why: "the queue on the card has reached max_size")
    if outcome.persisted > persisted {
      persisted = outcome.persisted
      storeHotCursor()
      hot.persisted(through: persisted, outcome.error == nil ? plan.pieces.last : nil)
      // What memory held is nowhere but on the card now, so it is read from there.
      if let first = plan.chunks.first, first.first <= persisted { hot.raiseFloor(to: persisted) }
      ring.remove(through: persisted)
    }
    if let error = outcome.error { return cardFailed(error) }
    cardWorks()
    // It may have become smaller once more meanwhile.
    if plan.trims, plan.maxSize <= options.maxSize { trimDueAt = nil }
    cursorDueAt = needsCardCursor ? plan.storesCursor ? clock() + persistAfter : cursorDueAt : nil
    if needsCardCursor, cursorDueAt == nil { cursorDueAt = clock() + persistAfter }
  }

  /// Persists the rest, syncs, writes the cursors and closes the files; appends are refused from here on.
  ///
  /// A card that does not answer keeps it waiting: the caller bounds it. What could not be persisted is still in the
  /// hot log.
  public func close() async {
    guard !isClosed else { return }
    isClosed = true
    timer?.disarm()
    while upkeepSince != nil {
      await withCheckedContinuation { upkeepWaiters.append($0) }
    }
    upkeepSince = clock()
    await upkeep(isFinal: true)
    let lost = ring.records(after: released)
    countDropped(lost, why: "no file took them before the stop")
    let card = card
    await disk.run { card.close() }
    hot.close()
    timer = nil
  }

  /// How long the disk thread's call has been running; `nil` while none is. For the watchdog.
  public nonisolated var diskBusyFor: Duration? { disk.longestCall }
}
