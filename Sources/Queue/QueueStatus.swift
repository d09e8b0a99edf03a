/// What the queue reports of itself.
public struct QueueStatus: Sendable, Equatable {
  /// Records that wait for the server's 200. Damaged ones on the card count until the reader has passed them.
  public var depthRecords = 0
  /// Bytes those records take in files and in memory, headers included; whole segments where it is not known closer.
  public var depthBytes = 0
  /// Of them, the bytes on the card, in the hot log and in memory.
  public var cardBytes = 0
  public var hotBytes = 0
  public var memoryBytes = 0
  /// When the oldest waiting record was captured, milliseconds since 1970; `nil` when none waits.
  public var oldestTimestamp: Int64?
  /// The newest timestamp ever seen in this device's records, recovered at the start; a floor for new ones.
  public var newestTimestamp: Int64?
  /// Appended in this life.
  public var appendedRecords: UInt64 = 0
  /// Dropped in this life for want of room, oldest first.
  public var droppedRecords: UInt64 = 0
  /// Damaged stretches met in this life; copies are in `quarantine/` as far as its bounds allow.
  public var quarantined = 0
  /// Records set aside because the server will never take them, in this life.
  public var parkedRecords: UInt64 = 0
  /// Why new records do not reach the file they belong in, for a person; `nil` when all is well.
  public var degraded: String?
  /// The newest record that was acknowledged.
  public var acknowledgedThrough: UInt64 = 0

  public init() {}
}
