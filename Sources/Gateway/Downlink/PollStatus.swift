internal import Telemetry
internal import ThingsBoard

/// How one way down is.
struct PollStatus: Sendable {
  enum State: Sendable, Equatable {
    /// Turned off in the configuration.
    case off
    case polling
    /// What a poll brought is being carried out; the next poll opens then.
    case delivering
    /// Between two looks; until this time of `Uptime.monotonic`.
    case waiting(until: Duration)
    case backingOff(until: Duration)
    /// The transport brings nothing down.
    case unsupported
    case stopped

    /// One word, as `status` shows it.
    var word: String {
      switch self {
      case .off: "off"
      case .polling: "polling"
      case .delivering: "delivering"
      case .waiting: "waiting"
      case .backingOff: "backing_off"
      case .unsupported: "unsupported"
      case .stopped: "stopped"
      }
    }
  }

  var state = State.stopped
  /// Requests the server has before it.
  var open = 0
  /// Commands or updates that came.
  var delivered: UInt64 = 0
  /// When the server last answered, be it with nothing.
  var lastAnswer: CaptureTime?
  /// The last failure, and whether anything has been answered since.
  var lastError: (message: String, code: DeviceAPIError.Code, at: CaptureTime)?
  var isFailing = false
}
