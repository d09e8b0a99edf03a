internal import EventLoop
internal import Logging

// What the queue tells: status, and log lines at a bounded rate.
extension TelemetryQueue {
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

  func report(_ damages: DamageList) {
    counters.quarantined += damages.more
    for damage in damages.places {
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
