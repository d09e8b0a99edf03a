extension MappingReader {
  /// The entries of the mapping under `key`; none, and a message, when there are more than `limit`.
  public mutating func namedEntries(_ key: String, atMost limit: Int) -> [NamedNode] {
    let entries = entries(key, mayBeEmpty: true) ?? []
    if entries.count > limit {
      error(at: key, "\(path(of: key)) has \(entries.count) entries; at most \(limit) are possible")
      return []
    }
    return entries
  }
}

/// Names of ports, sensors and lines appear in keys, log lines and shell commands.
public func checkName(of node: NamedNode, _ diagnostics: Diagnostics) {
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
