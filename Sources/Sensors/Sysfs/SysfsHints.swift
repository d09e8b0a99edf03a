internal import Telemetry

/// Keys people expect where they mean nothing: what to do instead.
enum SysfsHints {
  static let chip = [
    "name": "write the chip's name as chip:", "path": "write the chip's path as chip:",
    "label": "write the chip's label as chip:", "channel": "write channels: {NAME: CHANNEL}",
    "id": "write the chip's name, label or path as chip:",
  ]
}

extension SensorOptions {
  /// The key of the whole reading with `report: json`.
  var document: Key? { report == .json ? keys?.first : nil }
}
