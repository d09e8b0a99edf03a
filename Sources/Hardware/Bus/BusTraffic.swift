public import Telemetry

/// Who asks on a bus. Commands go before polls; a person waits for them.
public enum BusTraffic: Sendable, Hashable {
  case command
  case poll
}

/// What became of a question that was answered.
public struct BusAnswer: Sendable, Hashable {
  /// The answer without its framing; empty after a broadcast.
  public var bytes: [UInt8]
  /// When its last byte was read; after a broadcast, when the driver had taken it.
  public var time: CaptureTime

  public init(_ bytes: [UInt8], at time: CaptureTime) {
    self.bytes = bytes
    self.time = time
  }
}
