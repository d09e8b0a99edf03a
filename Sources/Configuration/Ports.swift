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

extension MappingReader {
  /// The entries of the mapping under `key`; none, and a message, when there are more than `limit`.
  mutating func namedEntries(_ key: String, atMost limit: Int) -> [NamedNode] {
    let entries = entries(key, mayBeEmpty: true) ?? []
    if entries.count > limit {
      error(at: key, "\(path(of: key)) has \(entries.count) entries; at most \(limit) are possible")
      return []
    }
    return entries
  }
}

/// Names of ports and sensors appear in keys, log lines and shell commands.
func checkName(of node: NamedNode, _ diagnostics: Diagnostics) {
  let most = 64
  let bytes = node.name.utf8
  let isLegal =
    bytes.count <= most && bytes.first.map { isLetterOrDigit($0) || $0 == UInt8(ascii: "_") } ?? false
    && bytes.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
  if !isLegal {
    diagnostics.error(
      at: node.key,
      "\(quoted(node.name)) cannot be a name; expected up to \(most) letters, digits, _ . - with a letter, digit or _ first"
    )
  }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
  (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
}
