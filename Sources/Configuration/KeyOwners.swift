internal import Telemetry
internal import YAML

/// Who sends which telemetry key: of two that send the same, nobody could tell whose value stands there.
struct KeyOwners {
  private var owners: [Key: (path: String, line: Int)] = [:]

  /// - Parameters:
  ///   - path: Who sends it, `sensors.climate`.
  ///   - node: Where that stands.
  ///   - remedy: What to do where somebody else sends it too.
  mutating func add(_ key: Key, of path: String, at node: YAMLNode, remedy: String, _ diagnostics: Diagnostics) {
    guard let other = owners[key] else {
      owners[key] = (path, node.line)
      return
    }
    guard other.path != path else { return }
    diagnostics.error(
      at: node,
      "\(path) sends the key \(quoted(key.name)), which \(other.path) on line \(other.line) sends already; \(remedy)")
  }
}
