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

  /// Only what is certain: that two matches fit one device is known when it is there.
  private func checkPaths(_ diagnostics: Diagnostics) {
    var first: [PortLocation: NamedNode] = [:]
    for entry in entries {
      guard let location = entry.options?.location else { continue }
      guard let other = first[location] else {
        first[location] = entry.node
        continue
      }
      let isMatch = if case .match = location { true } else { false }
      let key = isMatch ? "match" : "path"
      let what = isMatch ? "the same" : quoted("\(location)")
      diagnostics.error(
        at: entry.node.value.member(key) ?? entry.node.key,
        "\(entry.node.path).\(key) is \(what), which \(other.path) on line \(other.key.line) has already")
    }
  }
}
