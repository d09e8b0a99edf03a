/// The two kinds of packages ThingsBoard assigns to a device.
///
/// Source: contract.md §8.
public enum PackageKind: String, Sendable, Hashable, CaseIterable {
  case firmware
  case software

  /// What stands before the names of its attributes and telemetry keys: `fw_title`, `sw_state`.
  public var prefix: String {
    switch self {
    case .firmware: "fw"
    case .software: "sw"
    }
  }
}
