internal import YAML

/// A protocol's own options of one sensor, checked: every value in them is legal.
public protocol ProtocolSettings: Sendable, Equatable {
  /// The names of the values it delivers, without prefix; `nil` where only what arrives will tell.
  var valueNames: [String]? { get }
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
  /// Makes the decoder of a port whose sensors all speak this protocol.
  let makeDecoder: @Sendable ([SensorOptions]) -> any PortDecoder
}

/// The protocols this version knows, and those a later one will.
public enum SensorProtocols {
  public static let all: [ProtocolEntry] = [LineProtocol.entry]

  /// Refused by name, so that nobody hunts for a typing error.
  static let announced = [
    "modbus_rtu", "modbus_ascii", "modbus_rtu_tcp", "frame", "sml", "d0", "dsmr", "nmea", "tic", "vedirect", "mbus",
    "wmbus", "ebus", "rflink", "rfxtrx", "enocean", "poll", "w1",
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
    return entry(named: first.protocolName)?.makeDecoder(sensors)
  }
}
