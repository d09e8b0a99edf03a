internal import Hardware
internal import YAML

/// `ports:`, and where each name stands.
struct Ports {
  struct Entry {
    let node: NamedNode
    /// `nil` where the entry was refused; its name is known all the same.
    let options: SerialOptions?
  }

  /// More serial lines than any board has.
  static let limit = 256

  private(set) var entries: [Entry] = []

  var names: [String] { entries.map(\.node.name) }
  var usable: [(name: String, options: SerialOptions)] {
    entries.compactMap { entry in entry.options.map { (entry.node.name, $0) } }
  }

  init(from root: inout MappingReader) {
    for node in root.namedEntries("ports", atMost: Self.limit) {
      checkName(of: node, root.diagnostics)
      var options: SerialOptions?
      if var reader = node.reader(root.diagnostics) { options = SerialOptions(from: &reader) }
      entries.append(Entry(node: node, options: options))
    }
    checkPaths(root.diagnostics)
  }

  private func checkPaths(_ diagnostics: Diagnostics) {
    var first: [String: NamedNode] = [:]
    for entry in entries {
      guard let path = entry.options?.path else { continue }
      if let other = first[path] {
        diagnostics.error(
          at: entry.node.value.member("path") ?? entry.node.key,
          "\(entry.node.path).path is \(quoted(path)), which \(other.path) on line \(other.key.line) has already")
      } else {
        first[path] = entry.node
      }
    }
  }
}
