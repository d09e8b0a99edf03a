internal import Telemetry
internal import YAML

/// Who sends which telemetry key of which device: of two that send the same, nobody could tell whose value stands there.
struct KeyOwners {
  private struct Place: Hashable {
    let owner: Owner
    let key: Key
  }

  private var senders: [Place: (path: String, line: Int)] = [:]

  /// - Parameters:
  ///   - owner: Whose telemetry it becomes; the same key of two devices is two keys.
  ///   - path: Who sends it, `sensors.climate`.
  ///   - node: Where that stands.
  ///   - remedy: What to do where somebody else sends it too.
  mutating func add(
    _ key: Key, of owner: Owner, from path: String, at node: YAMLNode, remedy: String, _ diagnostics: Diagnostics
  ) {
    let place = Place(owner: owner, key: key)
    guard let other = senders[place] else {
      senders[place] = (path, node.line)
      return
    }
    guard other.path != path else { return }
    diagnostics.error(
      at: node,
      "\(path) sends the key \(quoted(key.name)), which \(other.path) on line \(other.line) sends already; \(remedy)")
  }
}
