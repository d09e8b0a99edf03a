internal import Telemetry
internal import YAML

/// `attributes:`: a person's own words about the gateway.
enum AttributeList {
  static let limit = 256

  /// - Returns: The attributes in the order of the file, without those that were refused.
  static func read(from root: inout MappingReader) -> [Reading] {
    var readings: [Reading] = []
    for node in root.namedEntries("attributes", atMost: limit) {
      let value = value(of: node, root.diagnostics)
      if let key = key(node.name, at: node.key, root.diagnostics), let value { readings.append(Reading(key, value)) }
    }
    return readings
  }

  private static func value(of node: NamedNode, _ diagnostics: Diagnostics) -> Value? {
    if node.value.value == .invalid { return nil }
    if node.value.isNull {
      diagnostics.error(at: node.value, "\(node.path) has no value; write one or remove the key")
      return nil
    }
    guard let value = Value(bySpellingOf: node.value) else {
      diagnostics.error(
        at: node.value, "\(node.path) is \(node.value.described()); expected text, a number, true or false")
      return nil
    }
    if let reason = value.unsendable {
      diagnostics.error(
        at: node.value, "\(node.path) is \(node.value.described()), \(reason); write a smaller number, or text")
      return nil
    }
    if case .string(let text) = value, looksLikeNumber(text) {
      diagnostics.warning(
        at: node.value, "\(node.path) is the text \(quoted(text)), which the server stores as a number all the same")
    }
    return value
  }

  /// Whether the server's type cast makes a number of text: `-?[0-9]*\.?[0-9]+`. Source: contract.md §1.
  private static func looksLikeNumber(_ text: String) -> Bool {
    var rest = text.utf8[...]
    if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    let parts = rest.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let last = parts.last, !last.isEmpty, parts.allSatisfy({ $0.allSatisfy { (0x30...0x39).contains($0) } })
    else { return false }
    // Beyond 64 bits it stays text.
    return Double(text).map { $0.magnitude < 0x1p63 } ?? false
  }
}

/// The key of a name a person wrote; `nil`, and a message at `node`, where the server would choke on it.
func key(_ name: String, at node: YAMLNode, _ diagnostics: Diagnostics) -> Key? {
  do throws(KeyError) { return try Key(name) } catch {
    diagnostics.error(at: node, "\(quoted(name)) cannot be a key: \(error)")
    return nil
  }
}
