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
        \(device): cannot write the hot log \(hot.directory) (\(error)); records wait in memory \
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
      var damages: [Damage] = []
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
        \(device): cannot write the queue on the card, \(card.directory) (\(error)); records stay in the hot log \
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

  // MARK: Telling

  func readFailed(_ error: SystemError) {
    readRetryAt = clock() + Self.retryInterval
    if readGate.admit(1, at: clock()) != nil {
      log.warning(
        "\(device): cannot read the queue (\(error)); next try in 10 s, nothing is skipped meanwhile",
        metadata: ["device": "\(device)"])
    }
    schedule()
  }

  func countDropped(_ count: UInt64, why: String) {
    guard count > 0 else { return }
    counters.droppedRecords += count
    guard let told = dropGate.admit(count, at: clock()) else { return }
    log.warning(
      "\(device): \(told) records dropped, oldest first: \(why)", metadata: ["device": "\(device)"])
  }

  func report(_ damages: [Damage]) {
    for damage in damages {
      guard damage.cause != .torn else { continue }
      counters.quarantined += 1
      if case .unreadable(_, let records) = damage.cause { counters.droppedRecords += records }
      guard let told = damageGate.admit(1, at: clock()) else { continue }
      let more = told > 1 ? "; \(told - 1) other places since the last such line" : ""
      log.warning(
        "\(device): \(damage.path): \(damage.words); a copy is in \(quarantine.directory) if it had room\(more)",
        metadata: ["device": "\(device)"])
    }
  }

  /// Records that wait for the server's 200; cheap, unlike `status`.
  public var depth: Int {
    Int(
      clamping: cardSummary.records(after: acknowledged, through: hot.floor) + hot.records(after: live)
        + ring.records(after: live))
  }

  /// Beyond it, what waits is in the hot log and in memory.
  private var live: UInt64 { max(acknowledged, min(hot.floor, nextSequence - 1)) }

  /// What the queue reports of itself, as of now.
  public var status: QueueStatus {
    var status = counters
    status.acknowledgedThrough = acknowledged
    status.newestTimestamp = newestTimestamp > 0 ? newestTimestamp : nil
    status.depthRecords = depth
    status.cardBytes = cardSummary.bytes(after: acknowledged)
    status.hotBytes = hot.bytes(after: live)
    status.memoryBytes = ring.bytes
    status.depthBytes = status.cardBytes + status.hotBytes + status.memoryBytes
    if status.depthRecords > 0 { status.oldestTimestamp = oldestTimestamp }
    let reasons = [
      hotFailure.map { "hot log \(hot.directory): \($0); records wait in memory" },
      cardFailure.map { "card \(card.directory): \($0); records stay in the hot log" },
    ]
    let degraded = reasons.compactMap { $0 }.joined(separator: "; ")
    status.degraded = degraded.isEmpty ? nil : degraded
    return status
  }

  /// The oldest waiting record's: on the card, as of the last batch.
  private var oldestTimestamp: Int64? {
    if acknowledged < hot.floor, cardSummary.newest > acknowledged, let cardOldest { return cardOldest.timestamp }
    if let oldest = hot.oldest(beyond: acknowledged) { return oldest.timestamp }
    var batch = BatchBuilder(after: acknowledged, limit: BatchLimit(records: 1, bytes: 1))
    ring.read(into: &batch)
    return batch.records.first?.timestamp
  }
}

extension Damage {
  /// What happened to the bytes, for a person.
  var words: String {
    let place = range.map { "bytes \($0.lowerBound) to \($0.upperBound)" } ?? "the file"
    return switch cause {
    case .damaged: "\(place) are damaged and were passed over"
    case .torn: "\(place) are a record that was cut short"
    case .newerVersion(let version): "written by a newer version (format \(version)) and passed over"
    case .foreign: "no record in it; passed over"
    case .unreadable(let error, let records): "cannot be read (\(error)); \(records) records at most are lost"
    }
  }
}
