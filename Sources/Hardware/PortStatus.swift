public import Telemetry

/// A port at one moment, for `baudgate status`.
public struct PortStatus: Sendable, Hashable {
  public enum State: Sendable, Hashable {
    case closed
    case opening
    case open
    case closing
    /// Not open; the next attempt comes after this time.
    case waiting(retryIn: Duration)

    /// `closed`, `opening`, `open`, `closing`, `waiting`
    public var name: String {
      switch self {
      case .closed: "closed"
      case .opening: "opening"
      case .open: "open"
      case .closing: "closing"
      case .waiting: "waiting"
      }
    }
  }

  /// As the configuration names it.
  public var name: String
  /// Where the configuration has it: a path, or a match in words.
  public var path: String
  /// The node that is open; `nil` while none is.
  public var device: String?
  public var state: State
  /// When the state began; `nil` before the first start.
  public var since: CaptureTime?
  /// What last went wrong, even if all is well by now.
  public var lastError: PortError?
  /// What the driver granted at the last opening; `nil` before the first.
  public var granted: SerialOptions?
  public var bytesReceived: UInt64
  public var bytesSent: UInt64
  /// Openings after the first.
  public var reopenCount: Int
  /// `nil` where the driver counts nothing.
  public var driverErrors: LineErrorCounts?
}
