public import Telemetry
public import ThingsBoard

/// `downlink:`: how the server is asked what it wants.
public struct DownlinkOptions: Sendable, Equatable {
  /// How one thing is asked for.
  public enum Mode: Sendable, Equatable {
    /// Overlapping long polls: at once.
    case on
    case off
    /// A look at this interval.
    case every(Duration)
  }

  /// Server-side RPC.
  public var rpc = Mode.on
  public var sharedAttributes = Mode.on

  public init() {}
}

/// `rpc:`: commands beyond those that name their line, and calls to the server.
public struct RPCOptions: Sendable, Equatable {
  /// Methods with a bare value, by the GPIO line each is bound to: `setValue: relay`.
  public var bind: [String: String] = [:]
  /// Methods of a dashboard, by what they mean here.
  public var alias: [String: CommandAlias] = [:]
  /// Programs `run` may start, by name: absolute path and arguments.
  public var run: [String: [String]] = [:]
  /// After this a program is ended.
  public var runTimeLimit = Duration.seconds(30)
  /// Client-side RPCs at an interval, in the order of the file.
  public var calls: [ScheduledCall] = []

  public init() {}
}

/// `rpc.alias.METHOD`.
public struct CommandAlias: Sendable, Equatable {
  public var method: String
  /// What the method is given; `nil` passes on what came.
  public var params: JSON?

  public init(method: String, params: JSON?) {
    self.method = method
    self.params = params
  }
}

/// `rpc.call.NAME`: a client-side RPC at an interval.
public struct ScheduledCall: Sendable, Equatable {
  public var name: String
  public var method: String
  public var params: JSON
  public var interval: Duration
  /// Members of the answer that become telemetry: path in the answer (`wind.speed`), key.
  public var values: [(path: [String], key: Key)]

  public init(name: String, method: String, params: JSON, interval: Duration, values: [(path: [String], key: Key)]) {
    self.name = name
    self.method = method
    self.params = params
    self.interval = interval
    self.values = values
  }

  public static func == (a: ScheduledCall, b: ScheduledCall) -> Bool {
    a.name == b.name && a.method == b.method && a.params == b.params && a.interval == b.interval
      && a.values.elementsEqual(b.values) { $0.path == $1.path && $0.key == $1.key }
  }
}

/// `claim:`: lets a customer take the device over.
public struct ClaimOptions: Sendable, Equatable {
  /// What the customer has to know; `nil` for the empty one.
  public var secret: Secret?
  /// `nil` for the server's own.
  public var duration: Duration?
  /// Whether claiming is opened at each start.
  public var atBoot = false
  /// A GPIO input that opens it when it comes on.
  public var button: String?

  public init() {}
}
