public import Hardware
public import Logging
public import Queue
public import Sensors
public import Telemetry
public import ThingsBoard

/// A whole configuration file, checked: every value in it is legal and every name in it means something.
///
/// Source: docs/configuration.md.
public struct GatewayConfiguration: Sendable {
  /// Where state lives when neither the file nor the service manager says it.
  public static let defaultStateDirectory = "/var/lib/baudgate"
  /// Where the unit keeps the runtime directory, for a command line that is not told.
  public static let defaultRuntimeDirectory = "/run/baudgate"

  public var server: ServerOptions
  public var device: DeviceOptions
  /// What must survive a power cut: `state_directory`, else `$STATE_DIRECTORY`, else `defaultStateDirectory`.
  public var stateDirectory: String
  /// A directory in memory: `runtime_directory`, else `$RUNTIME_DIRECTORY`; `nil` without one.
  public var runtimeDirectory: String?
  /// The daemon's unix socket, for `baudgate status`.
  public var controlSocket: String?
  /// In the order of the file.
  public var ports: [(name: String, options: SerialOptions)]
  /// In the order of the file; each names one of `ports`, and those of one port speak one protocol.
  public var sensors: [SensorOptions]
  public var upload: UploadOptions
  public var queue: QueueOptions
  public var gpio: GPIOOptions
  public var downlink: DownlinkOptions
  /// `attributes:`, sent as client attributes, in the order of the file.
  public var attributes: [Reading]
  public var rpc: RPCOptions
  /// `claim:`; `nil` without it.
  public var claim: ClaimOptions?
  /// `devices:`, in the order of the file. Sensors and lines name them; those that name none are the gateway's own.
  public var devices: [ConnectedDevice] = []
  public var ota = OTAOptions()
  public var remote = RemoteOptions()
  /// `server.unreachable:`, by time.
  public var unreachable: [RecoveryStep] = []
  public var logLevel: Logger.Level
  /// What is legal and yet worth a look, as `file:line:column: warning: …`.
  public var warnings: [String]

  /// The sensors that are read: those without `enabled: false`.
  public var enabledSensors: [SensorOptions] { sensors.filter(\.isEnabled) }

  /// Whether commands can come, so that a port is of use without a sensor.
  public var takesCommands: Bool { Self.takesCommands(server, downlink) }

  static func takesCommands(_ server: ServerOptions, _ downlink: DownlinkOptions) -> Bool {
    downlink.rpc != .off && server.transport == .deviceAPI
  }

  /// What no log line may hold: of the device, of claiming and of the proxy.
  public var secrets: [Secret] {
    device.secrets + devices.flatMap(\.device.secrets) + [claim?.secret].compactMap { $0 } + server.proxy.secrets
  }
}

/// `device:`: who this gateway is to the server.
public struct DeviceOptions: Sendable, Equatable {
  /// The name it asks for when it provisions itself, with its placeholders; `nil` leaves it to the server.
  public var name: String?
  public var identity: DeviceIdentity

  /// What no log line may hold.
  public var secrets: [Secret] {
    switch identity {
    case .token(let credential): [credential.token]
    case .provision(let options): [options.key, options.secret]
    }
  }
}

/// How this gateway comes by its credential.
public enum DeviceIdentity: Sendable, Equatable {
  /// Somebody has put it there; it is never overwritten.
  case token(DeviceCredential)
  /// The server gives it at the first start; kept in the state directory.
  case provision(ProvisionOptions)
}

/// `device.provision:`.
public struct ProvisionOptions: Sendable, Equatable {
  /// The device profile's provision key and secret.
  public var key: Secret
  public var secret: Secret

  public init(key: Secret, secret: Secret) {
    self.key = key
    self.secret = secret
  }
}

/// `upload:`: how readings are put into requests.
public struct UploadOptions: Sendable, Equatable {
  public static let intervalRange = Duration.milliseconds(100) ... .seconds(3600)
  public static let maxBatchRange = 1...10_000
  public static let maxBytesRange = (1 << 10)...(8 << 20)

  /// The least time between two requests while readings keep coming.
  public var interval = Duration.seconds(1)
  /// Records in one request: a sensor's values of one instant are one record.
  public var maxBatch = 500
  /// Bytes of one request's body; proxies often stop at 1 MiB.
  public var maxBytes = 512 << 10

  public init() {}
}
