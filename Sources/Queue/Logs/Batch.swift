/// How much a batch may hold; at least one record whatever its size.
struct BatchLimit: Sendable {
  var records: Int
  var bytes: Int
}

/// Records gathered from card, hot log and memory in this order.
struct BatchBuilder: Sendable {
  private(set) var records: [QueueRecord] = []
  private(set) var payloadBytes = 0
  /// The newest sequence taken, or passed over as acknowledged; what is not beyond it is a duplicate.
  private(set) var after: UInt64
  let limit: BatchLimit

  init(after: UInt64, limit: BatchLimit) {
    self.after = after
    self.limit = limit
  }

  /// Whether a record had to stay outside, or the next one would have to.
  private(set) var isFull = false

  /// Whether a payload of this many bytes still goes in; if not, nothing behind it does either.
  mutating func hasRoom(for bytes: Int) -> Bool {
    if !isFull, !records.isEmpty, payloadBytes + bytes > limit.bytes { isFull = true }
    return !isFull
  }

  mutating func add(_ header: RecordHeader, _ payload: ArraySlice<UInt8>) {
    records.append(
      QueueRecord(
        sequence: header.sequence, timestamp: header.timestamp, boottime: header.boottime, bootID: header.bootID,
        payload: Array(payload)))
    payloadBytes += payload.count
    after = max(after, header.sequence)
    if records.count >= limit.records || payloadBytes >= limit.bytes { isFull = true }
  }

  /// Everything up to `sequence` was looked through.
  mutating func skip(through sequence: UInt64) { after = max(after, sequence) }

  /// Lets go of what was acknowledged or dropped meanwhile.
  mutating func drop(through sequence: UInt64) {
    guard let first = records.first, first.sequence <= sequence else { return skip(through: sequence) }
    records.removeAll { $0.sequence <= sequence }
    payloadBytes = records.reduce(0) { $0 + $1.payload.count }
    skip(through: sequence)
  }
}
