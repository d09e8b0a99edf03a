/// One named value of a mapping whose names a person chose, such as a port under `ports`.
public struct NamedNode: Sendable {
  public let name: String
  /// Where the name stands.
  public let key: YAMLNode
  public let value: YAMLNode
  /// As messages call it, `ports.arduino`.
  public let path: String

  /// - Returns: A reader of the value; `nil`, and a message, when it is not a mapping.
  public func reader(_ diagnostics: Diagnostics, isSecret: Bool = false) -> MappingReader? {
    MappingReader(value, path: path, name: name, isSecret: isSecret, diagnostics: diagnostics)
  }
}

extension MappingReader {
  /// A reader of the mapping under `key`.
  ///
  /// - Parameter mayBeEmpty: Whether `key:` with nothing behind it, as when all below is commented out, is as good as
  ///   no key at all.
  public mutating func mapping(
    _ key: String, isSecret: Bool = false, mayBeEmpty: Bool = false
  ) -> MappingReader? {
    if mayBeEmpty, isNull(key) { return nil }
    guard let node = node(key) else { return nil }
    return MappingReader(
      node, path: path(of: key), name: key, isSecret: isSecret || self.isSecret, diagnostics: diagnostics)
  }

  /// The entries of the mapping under `key`, whose names a person chose, in the order of the file.
  ///
  /// - Parameter mayBeEmpty: As for `mapping`.
  public mutating func entries(_ key: String, mayBeEmpty: Bool = false) -> [NamedNode]? {
    if mayBeEmpty, isNull(key) { return nil }
    guard let node = node(key) else { return nil }
    guard case .mapping(let entries) = node.value else {
      mismatch(key, expected: "names, each on a line \"name: value\"")
      return nil
    }
    return entries.map {
      NamedNode(name: $0.name, key: $0.key, value: $0.value, path: path(of: key) + "." + $0.name)
    }
  }

  /// The items of the list under `key`.
  public mutating func list(_ key: String) -> [YAMLNode]? {
    guard let node = node(key) else { return nil }
    guard case .sequence(let items) = node.value else {
      mismatch(key, expected: "a list such as [a, b]")
      return nil
    }
    return items
  }

  /// The items of the list under `key`, each of them text.
  public mutating func strings(_ key: String) -> [String]? {
    guard let items = list(key) else { return nil }
    var result: [String] = []
    for (index, item) in items.enumerated() {
      if let text = item.text, !item.isNull {
        result.append(text)
      } else {
        mismatch("\(path(of: key))[\(index)]", item, expected: "text")
      }
    }
    return result.count == items.count ? result : nil
  }
}
