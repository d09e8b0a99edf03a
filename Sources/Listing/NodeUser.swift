internal import Hardware

/// A process that has a node open.
public struct NodeUser: Sendable, Hashable, CustomStringConvertible {
  public var pid: Int
  /// `baudgated`, `ModemManager`
  public var name: String

  public init(pid: Int, name: String) {
    self.pid = pid
    self.name = name
  }

  /// `ModemManager (pid 512)`
  public var description: String { "\(name) (pid \(pid))" }

  /// Who has which of these nodes open, as far as this user may see: all for root, else one's own. Reads `/proc`.
  static func all(of nodes: Set<String>, proc: String = "/proc") -> [String: [NodeUser]] {
    var users: [String: [NodeUser]] = [:]
    for pid in KernelTree.names(in: proc).compactMap({ Int($0) }).sorted() {
      let directory = "\(proc)/\(pid)/fd"
      var seen: Set<String> = []
      for descriptor in KernelTree.names(in: directory) {
        guard let target = KernelTree.target(of: "\(directory)/\(descriptor)"), nodes.contains(target),
          seen.insert(target).inserted
        else { continue }
        users[target, default: []].append(NodeUser(pid: pid, name: KernelTree.text("\(proc)/\(pid)/comm") ?? "?"))
      }
    }
    return users
  }
}
