internal import Telemetry

extension PortError {
  /// Devices named in a message at most.
  private static let namedLimit = 3

  /// No device fits. Those that have something of it, and one thing at most otherwise, are named.
  package static func absent(_ match: PortMatch, among devices: [TTYDevice]) -> PortError {
    let near = devices.map { (device: $0, differences: match.differences(from: $0)) }
      .filter { $0.differences.count == 1 && match.count > 1 }
    let words = near.prefix(namedLimit).map { "\($0.device.node) has \($0.differences[0])" }
    let rest =
      words.isEmpty
      ? "not plugged in, or another device; `baudgate ports` lists what is there"
      : "\(oneLine(words.joined(separator: ", "))) and all else of it"
    return PortError(code: .absent, message: "nothing fits \(match): \(rest)")
  }

  /// More than one device fits.
  package static func ambiguous(_ match: PortMatch, _ devices: [TTYDevice]) -> PortError {
    let named = devices.prefix(namedLimit).map { "\($0.node) (\($0.serial.map { "serial \($0)" } ?? "no serial"))" }
    let more = devices.count > namedLimit ? " and \(devices.count - namedLimit) more" : ""
    let nodes = oneLine(named.joined(separator: ", ")) + more
    return PortError(
      code: .ambiguous, message: "\(match) fits \(nodes), so none is opened; \(advice(match, devices))")
  }

  /// What tells the devices apart.
  private static func advice(_ match: PortMatch, _ devices: [TTYDevice]) -> String {
    if match.serial == nil, Self.differ(devices.map(\.serial)) { return "add `serial:` to the match" }
    if match.interface == nil, Self.differ(devices.map { $0.interface.map(String.init) }) {
      return "add `interface:` to the match"
    }
    if Self.differ(devices.map { $0.properties["ID_PATH"] }) {
      return "add `properties: {ID_PATH: …}` to the match, the socket it is plugged into, from `baudgate ports`"
    }
    return "nothing udev knows tells them apart; name one by `path:`"
  }

  /// Whether all of them are there and no two are the same.
  private static func differ(_ values: [String?]) -> Bool {
    let there = values.compactMap { $0 }
    return there.count == values.count && Set(there).count == there.count
  }

  /// Another port of the configuration has the device.
  package static func claimed(_ location: PortLocation, _ node: String, by port: String) -> PortError {
    let what = location == .path(node) ? node : "\(location) is \(node), which"
    return PortError(
      code: .claimed,
      message: "\(what) belongs to ports.\(port) already; a device serves one port, so correct one of the two")
  }

  /// Another device has taken the place between looking and opening.
  static func exchanged(_ location: PortLocation, _ node: String) -> PortError {
    PortError(code: .gone, message: "\(node) became another device while \(location) was being opened")
  }
}
