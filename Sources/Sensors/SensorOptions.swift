public import Telemetry

/// One entry of `sensors:`, checked: every value in it is legal by itself. That the port exists is checked by who knows
/// the ports.
public struct SensorOptions: Sendable, Equatable {
  /// How a reading is sent.
  public enum Report: String, Sendable, Hashable, CaseIterable {
    /// A key per value.
    case telemetry
    /// The whole reading as one JSON value under the sensor's name: ten times fewer database operations on the server.
    case json
    /// As client attributes: for what changes rarely, such as a serial number.
    case attribute
  }

  public let name: String
  /// The name of its port under `ports:`; `nil` for a sensor that is read from files.
  public let port: String?
  public let protocolName: String
  /// The entry of `devices:` whose telemetry its readings are; `nil` for the gateway itself.
  public let device: String?
  /// `enabled: false` leaves the sensor out: what belongs to it is neither read nor sent.
  public let isEnabled: Bool
  /// Whether keys stand behind the sensor's name and a point, `climate.temperature`. Means nothing with `report: json`.
  public let prefix: Bool
  public let report: Report
  /// Units by value name without prefix, as text for people.
  public let units: [String: String]
  /// What happens to a value before it is sent, by its name without prefix; empty with `report: json`.
  public let filters: [String: FilterChain]
  /// The time from one poll to the next; `nil` for a sensor that sends by itself.
  public let interval: Duration?
  /// Without a sample for so long the sensor counts as stale; `nil`: never.
  public let staleAfter: Duration?
  /// What the protocol itself has to know.
  public let settings: any ProtocolSettings
  /// The keys it sends; `nil` where only what arrives will tell (`json` and `key_value` without `keys`).
  public let keys: [Key]?

  var naming: KeyNaming { KeyNaming(sensor: name, hasPrefix: prefix, report: report) }

  public static func == (a: SensorOptions, b: SensorOptions) -> Bool {
    a.name == b.name && a.port == b.port && a.protocolName == b.protocolName && a.prefix == b.prefix
      && a.report == b.report && a.units == b.units && a.device == b.device && a.isEnabled == b.isEnabled
      && a.staleAfter == b.staleAfter && a.interval == b.interval && a.filters == b.filters
      && areEqual(a.settings, b.settings)
  }

  private static func areEqual<Settings: ProtocolSettings>(_ a: Settings, _ b: any ProtocolSettings) -> Bool {
    a == b as? Settings
  }
}
