internal import YAML

/// A protocol's own options of one sensor, checked: every value in them is legal.
public protocol ProtocolSettings: Sendable, Equatable {
  /// The names of the values it delivers, without prefix; `nil` where only what arrives will tell.
  var valueNames: [String]? { get }
  /// Units by value name where the protocol's own options say them; the sensor's `units` go before them.
  var units: [String: String] { get }
}

extension ProtocolSettings {
  public var units: [String: String] { [:] }
}

/// What Baudgate has to know of a protocol; adding one is a file in `Protocols` and a line in `SensorProtocols`.
public struct ProtocolEntry: Sendable {
  /// As `protocol:` says it.
  public let name: String
  /// Reads the protocol's own keys of a sensor's mapping; what is wrong goes to the reader's diagnostics, and a `nil`
  /// is never without a message. Unknown keys are left to the caller's `finish`.
  let decode: @Sendable (inout MappingReader, KeyNaming) -> (any ProtocolSettings)?
  /// For keys people expect where they mean nothing: what to do instead.
  let hints: [String: String]
  let source: SensorSource
}

/// Where a protocol's readings come from.
enum SensorSource: Sendable {
  /// A port that sends by itself. Makes the decoder of a port whose sensors all speak this protocol.
  case stream(@Sendable ([SensorOptions]) -> any PortDecoder)
  /// A port whose units are asked; `settings` are `PolledSettings`. Makes one sensor's poll.
  case bus(@Sendable (SensorOptions) -> (any SensorPoll)?)
  /// The kernel's files, without a port. Makes one sensor.
  case files(@Sendable (SensorOptions) -> (any FileSensor)?)

  var hasPort: Bool { if case .files = self { false } else { true } }
  /// Whether it is Baudgate that asks, at each `interval`.
  var isPolled: Bool { if case .stream = self { false } else { true } }
}

/// The protocols this version knows, and those a later one will.
public enum SensorProtocols {
  public static let all: [ProtocolEntry] = [
    LineProtocol.entry, ModbusProtocol.rtu, ModbusProtocol.ascii, W1Protocol.entry, IIOProtocol.entry,
    HwmonProtocol.entry, ThermalProtocol.entry,
  ]

  /// Refused by name, so that nobody hunts for a typing error.
  static let announced = [
    "frame", "sml", "d0", "dsmr", "nmea", "tic", "vedirect", "mbus",
    "wmbus", "ebus", "rflink", "rfxtrx", "enocean", "poll",
  ]

  /// Names people look for where another one is meant: what to write instead.
  static let hints = [
    "modbus_rtu_tcp": "write modbus_rtu, and give the port a path such as tcp://192.0.2.7:4001",
    "modbus": "write modbus_rtu or modbus_ascii; RTU over TCP is modbus_rtu on a port with a path such as "
      + "tcp://192.0.2.7:4001",
  ]

  public static func entry(named name: String) -> ProtocolEntry? {
    all.first { $0.name == name }
  }

  /// Makes the decoder of one port.
  ///
  /// - Parameter sensors: All sensors of the port, which speak the same protocol.
  /// - Returns: `nil` when there is none, or when their protocols differ (the configuration refuses that).
  public static func decoder(for sensors: [SensorOptions]) -> (any PortDecoder)? {
    guard let first = sensors.first, sensors.allSatisfy({ $0.protocolName == first.protocolName }) else { return nil }
    guard case .stream(let makeDecoder) = entry(named: first.protocolName)?.source else { return nil }
    return makeDecoder(sensors)
  }

  /// Whether the sensors of a port are asked rather than listened to.
  public static func isBus(_ sensors: [SensorOptions]) -> Bool {
    guard let first = sensors.first, case .bus = entry(named: first.protocolName)?.source else { return false }
    return true
  }

  /// Makes the poll of a sensor on a bus; `nil` for any other.
  public static func poll(of sensor: SensorOptions) -> (any SensorPoll)? {
    guard case .bus(let makePoll) = entry(named: sensor.protocolName)?.source else { return nil }
    return makePoll(sensor)
  }

  /// Makes a sensor that is read from files; `nil` for any other.
  public static func fileSensor(_ sensor: SensorOptions) -> (any FileSensor)? {
    guard case .files(let makeSensor) = entry(named: sensor.protocolName)?.source else { return nil }
    return makeSensor(sensor)
  }
}
