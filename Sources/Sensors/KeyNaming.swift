internal import Telemetry

/// How a sensor's value names become keys: as they are, or behind the sensor's name and a point.
///
/// With `report: json` the names stay as they are: they are members of one document, whose key is the sensor's name.
struct KeyNaming: Sendable, Hashable {
  let sensor: String
  let hasPrefix: Bool
  let report: SensorOptions.Report

  init(sensor: String, hasPrefix: Bool = false, report: SensorOptions.Report = .telemetry) {
    self.sensor = sensor
    self.hasPrefix = hasPrefix
    self.report = report
  }

  /// The key of a name from the configuration.
  func key(_ name: String) throws(KeyError) -> Key {
    try Key(qualified(name))
  }

  /// The key of a name from a line, cleaned of what the server would choke on; `nil` if nothing is left.
  func key(cleaning name: String) -> Key? {
    guard let bare = Key.cleaned(name) else { return nil }
    return isPlain ? bare : Key.cleaned(qualified(bare.name))
  }

  private var isPlain: Bool { !hasPrefix || report == .json }

  private func qualified(_ name: String) -> String {
    isPlain ? name : "\(sensor).\(name)"
  }
}
