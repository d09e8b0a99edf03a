internal import Configuration
internal import Hardware
internal import Sensors

/// What belongs to each device, looked up once for a configuration: with a thousand devices nobody searches each time.
struct Belongings: Sendable {
  private let sensors: [String: [SensorOptions]]
  private let lines: [String: [GPIOLineOptions]]

  init(_ configuration: GatewayConfiguration) {
    sensors = Dictionary(grouping: configuration.enabledSensors) { $0.device ?? DeviceProfile.ownName }
    lines = Dictionary(grouping: configuration.gpio.lines) { $0.device ?? DeviceProfile.ownName }
  }

  /// The sensors that are read for a device, in the order of the file.
  func sensors(of device: String) -> [SensorOptions] { sensors[device] ?? [] }

  /// The lines of a device, in the order of the file.
  func lines(of device: String) -> [GPIOLineOptions] { lines[device] ?? [] }
}
