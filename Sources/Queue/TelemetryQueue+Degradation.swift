internal import EventLoop
internal import Logging

extension TelemetryQueue {
  // MARK: The hot log

  func hotFailed(_ error: SystemError) {
    let isNews = hotFailure == nil
    hotFailure = error
    hotRetryAt = clock() + Self.retryInterval
    if isNews {
      log.warning(
        """
        \(device): cannot \(isHotRecovered ? "write" : "open") the hot log \(hot.directory) (\(error)); records wait in memory \
        (at most \(options.memory) bytes) and go to the server from there; next try in 10 s
        """, metadata: ["device": "\(device)"])
    }
    schedule()
  }

  /// Tries the hot log again and puts into it what waits in memory.
  func retryHot() {
    hotRetryAt = clock() + Self.retryInterval
    do {
      try hot.makeDirectory()
      if !isHotRecovered { try adoptHot() }
      while let chunk = ring.chunks.first {
        try hot.append(
          chunk.bytes, first: chunk.first, last: chunk.last, released: released, mayReuse: upkeepSince == nil)
        ring.removeFirst()
      }
      try hot.store(cursor)
    } catch {
      hotFailure = error
      return
    }
    hotFailure = nil
    hotRetryAt = nil
    log.notice("\(device): the hot log \(hot.directory) is written again", metadata: ["device": "\(device)"])
  }

  /// Takes over, late, what the hot log held when this life began: its records get new sequences.
  private func adoptHot() throws(SystemError) {
    let found = try hot.recover(quarantine)
    isHotRecovered = true
    report(found.damages)
    newestTimestamp = max(newestTimestamp, found.newestTimestamp)
    let newest = hot.newest
    nextSequence = max(nextSequence, newest + 1, (found.cursor?.acknowledged ?? 0) + 1)
    renumber(from: found.cursor?.acknowledged ?? 0, through: newest)
    hot.raiseFloor(to: acknowledged)
  }

  /// Appends the hot log's records beyond `from`, up to `through`, again with new sequences; the old ones go.
  private func renumber(from: UInt64, through: UInt64) {
    let old = hot.segments
    hot.seal()
    var after = from
    while after < through {
      var batch = BatchBuilder(after: after, limit: BatchLimit(records: 1000, bytes: HotLog.segmentSize / 2))
      var damages = DamageList()
      do { try hot.read(into: &batch, &damages) } catch { break }
      let records = batch.records.filter { $0.sequence <= through }
      guard !records.isEmpty else { break }
      after = batch.after
      var bytes: [UInt8] = []
      let first = nextSequence
      for record in records {
        RecordFormat.append(
          timestamp: record.timestamp, boottime: record.boottime, payload: record.payload, sequence: nextSequence,
          bootID: record.bootID, to: &bytes)
        nextSequence += 1
      }
      countDropped(
        ring.append(
          MemoryRing.Chunk(bytes: bytes, first: first, last: nextSequence - 1), acknowledged: released),
        why: "memory is full")
    }
    for _ in old { _ = hot.dropFirst(released: .max) }
    hot.forgetHints()
    marks.appended(released + 1, at: clock())
  }

  // MARK: The card

  func cardFailed(_ error: SystemError) {
    let isNews = cardFailure == nil
    cardFailure = error
    cardRetryAt = clock() + Self.retryInterval
    if isNews {
      log.warning(
        """
        \(device): cannot \(isCardRecovered ? "write" : "read") the queue on the card, \(card.directory) (\(error)); records stay in the hot log \
        (at most \(HotLog.limit) bytes), which a power cut empties; next try in 10 s
        """, metadata: ["device": "\(device)"])
    }
  }

  func cardWorks() {
    cardRetryAt = nil
    guard cardFailure != nil else { return }
    cardFailure = nil
    log.notice("\(device): the queue on the card is written again", metadata: ["device": "\(device)"])
  }

  /// Tries again to read what the card held when this life began.
  func recoverCard() async {
    let card = card
    let result: Result<CardRecovery, SystemError> = await disk.run {
      Result { () throws(SystemError) in try card.recover() }
    }
    switch result {
    case .failure(let error): cardFailed(error)
    case .success(let found): adoptCard(found)
    }
  }

  private func adoptCard(_ found: CardRecovery) {
    isCardRecovered = true
    cardSummary = found.summary
    newestTimestamp = max(newestTimestamp, found.newestTimestamp)
    report(found.damages)
    cardWorks()
    guard cursorBase > 0, let first = cardSummary.segments.first, first.first < cursorBase else {
      cursorBase = 0
      return
    }
    // Older than all of this life: it goes first. What this life has had acknowledged is passed by the floor.
    hot.raiseFloor(to: acknowledged)
    persisted = max(persisted, acknowledged)
    acknowledged = found.cursor?.acknowledged ?? 0
    cursorBase = 0
    storeHotCursor()
    onAppend?()
  }
}
