/// A record on its way into the queue.
public struct PendingRecord: Sendable, Hashable {
  /// Milliseconds since 1970-01-01 UTC.
  public var timestamp: Int64
  /// Milliseconds since boot, sleep included (`CLOCK_BOOTTIME`).
  public var boottime: Int64
  /// Opaque to the queue, at most `TelemetryQueue.maximumPayload` bytes; the Gateway puts the `{…}` of values here.
  public var payload: [UInt8]

  public init(timestamp: Int64, boottime: Int64, payload: [UInt8]) {
    self.timestamp = timestamp
    self.boottime = boottime
    self.payload = payload
  }
}

/// A record on its way out of the queue.
public struct QueueRecord: Sendable, Hashable {
  /// Its place in the device's order; what `TelemetryQueue.acknowledge(through:)` takes.
  public var sequence: UInt64
  /// Milliseconds since 1970-01-01 UTC.
  public var timestamp: Int64
  /// Milliseconds since the boot that `bootID` names.
  public var boottime: Int64
  /// The boot it was captured in: a clock that was wrong then can be corrected for the records of that boot.
  public var bootID: BootID
  /// The bytes as they were appended.
  public var payload: [UInt8]

  public init(sequence: UInt64, timestamp: Int64, boottime: Int64, bootID: BootID = .unknown, payload: [UInt8]) {
    self.sequence = sequence
    self.timestamp = timestamp
    self.boottime = boottime
    self.bootID = bootID
    self.payload = payload
  }
}

/// Records in ascending order of sequence, at least one.
public struct QueueBatch: Sendable, Hashable {
  public var records: [QueueRecord]
  /// All their payloads together.
  public var payloadBytes: Int

  /// What to acknowledge when the server has taken the whole batch.
  public var lastSequence: UInt64 { records.last?.sequence ?? 0 }
}
