/// Reads one mapping key by key and reports all that is wrong with it.
///
/// Each question marks its key as known and answers `nil` when the key is absent or its value unusable; the latter is
/// reported. `finish` reports the keys nobody asked for:
/// ```swift
/// init?(from reader: inout MappingReader) {
///   reader.require("unit")
///   let unit: UInt8? = reader.integer("unit", in: 1...247)
///   let timeout = reader.duration("timeout", in: .milliseconds(10) ... .seconds(10)) ?? .seconds(1)
///   guard reader.finish(), let unit else { return nil }
///   self.init(unit: unit, timeout: timeout)
/// }
/// ```
/// Messages: `sensors.house.unit is "300"; expected an integer from 1 to 247`.
public struct MappingReader {
  /// Where the mapping stands in the document, such as `sensors.house`; empty for the document itself.
  public let path: String
  /// The mapping's own name, the last part of `path`.
  public let name: String
  public let diagnostics: Diagnostics
  /// Whether a secret may stand here, so that messages show neither values nor unknown keys.
  public let isSecret: Bool
  /// The mapping itself.
  public let node: YAMLNode
  private let members: [String: YAMLNode.Entry]
  private let order: [YAMLNode.Entry]
  private var known: [String] = []
  private var missing: [String] = []
  /// Known, but not worth proposing.
  private var later: Set<String> = []
  private let errorsBefore: Int

  /// - Parameters:
  ///   - path: How messages call the mapping.
  ///   - name: Its last part; needed where a name has a dot in it.
  ///   - isSecret: Whether messages must not show what stands here.
  /// - Returns: `nil`, and a message, when `node` is not a mapping.
  public init?(
    _ node: YAMLNode, path: String, name: String? = nil, isSecret: Bool = false, diagnostics: Diagnostics
  ) {
    guard case .mapping(let entries) = node.value else {
      if !node.isInvalid {
        let subject = path.isEmpty ? "the document" : path
        let found = node.described(hidingText: isSecret)
        diagnostics.error(at: node, "\(subject) is \(found); expected keys, each on a line \"key: value\"")
      }
      return nil
    }
    self.path = path
    self.name = name ?? path.split(separator: ".").last.map(String.init) ?? ""
    self.isSecret = isSecret
    self.node = node
    self.diagnostics = diagnostics
    order = entries
    members = Dictionary(entries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    errorsBefore = diagnostics.errorCount
  }

  // MARK: Keys

  /// The value under `key`; `nil` when the key is absent. `key:` with nothing behind it is reported.
  public mutating func node(_ key: String) -> YAMLNode? {
    if !known.contains(key) { known.append(key) }
    guard let value = members[key]?.value, !value.isInvalid else { return nil }
    if value.isNull {
      diagnostics.error(at: value, "\(path(of: key)) has no value; write one or remove the key")
      return nil
    }
    return value
  }

  /// Whether `key` is there, with whatever value. Does not make it known.
  public func has(_ key: String) -> Bool { members[key] != nil }

  /// Makes `key` known without reading it.
  ///
  /// - Returns: Whether it is there, with whatever value.
  public mutating func makeKnown(_ key: String) -> Bool {
    if !known.contains(key) { known.append(key) }
    return has(key)
  }

  mutating func isNull(_ key: String) -> Bool {
    makeKnown(key) && members[key]?.value.isNull == true
  }

  /// Whether `finish` will ask about a key here if one of `keys` was meant.
  public func hasNearMiss(of keys: [String]) -> Bool {
    order.contains { !known.contains($0.name) && nearestWord(to: $0.name, among: keys) != nil }
  }

  /// Makes `finish` report each of `keys` that is absent, at the mapping's own place.
  public mutating func require(_ keys: String...) {
    for key in keys {
      if !known.contains(key) { known.append(key) }
      if !has(key), !missing.contains(key) { missing.append(key) }
    }
  }

  /// `path.key`, as messages call it.
  public func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Refuses `key`, which a later version of Baudgate reads, by name.
  ///
  /// - Parameter reason: What it belongs to, such as `Modbus`.
  public mutating func notYet(_ key: String, _ reason: String) {
    later.insert(key)
    guard makeKnown(key), let entry = members[key] else { return }
    diagnostics.error(at: entry.key, "\(path(of: key)) is not supported yet by this version (\(reason))")
  }

  /// Reports `message` at the value of `key`, or at the mapping where the key is absent.
  public mutating func error(at key: String, _ message: String) {
    diagnostics.error(at: members[key]?.value ?? node, message)
  }

  /// Reports `message` at the value of `key`, or at the mapping where the key is absent. The file is used all the same.
  public mutating func warning(at key: String, _ message: String) {
    diagnostics.warning(at: members[key]?.value ?? node, message)
  }

  /// Reports `PATH.key is VALUE; expected …`, with the nearest of `words`.
  public mutating func mismatch(_ key: String, expected: String, words: [String] = []) {
    guard let value = members[key]?.value else { return }
    mismatch(path(of: key), value, expected: expected, words: words)
  }

  func mismatch(_ subject: String, _ value: YAMLNode, expected: String, words: [String] = []) {
    guard !value.isInvalid else { return }
    var message = "\(subject) is \(value.described(hidingText: isSecret)); expected \(expected)"
    if let text = value.text, let near = nearestWord(to: text, among: words) {
      message += "; did you mean \(quoted(near))?"
    }
    diagnostics.error(at: value, message)
  }

  /// Reports every key that was not asked for and every required one that is absent.
  ///
  /// - Parameter hints: For keys that people expect here: what to do instead.
  /// - Returns: Whether nothing was reported since the reader was made, by it or in between.
  public mutating func finish(hints: [String: String] = [:]) -> Bool {
    var misspelt: Set<String> = []
    for entry in order where !known.contains(entry.name) {
      // Nobody reads the words any more, and finding near ones takes time.
      if diagnostics.isFull {
        diagnostics.error(at: entry.key, "unknown key")
        continue
      }
      let (message, near) = message(ofUnknown: entry.name, hint: hints[entry.name])
      if let near { misspelt.insert(near) }
      diagnostics.error(at: entry.key, message)
    }
    // A key that is there under a wrong spelling is not missing as well.
    for key in missing where !misspelt.contains(key) {
      diagnostics.error(at: node, "\(path.isEmpty ? "the document" : path) has no \(quoted(key)), which is required")
    }
    missing = []
    return diagnostics.errorCount == errorsBefore
  }
}

// MARK: - Unknown keys

extension MappingReader {
  /// - Returns: The message, and the key that was probably meant.
  private func message(ofUnknown name: String, hint: String?) -> (message: String, meant: String?) {
    let place = path.isEmpty ? "" : " in \(path)"
    // `{token:abc}` is one key to YAML, and its second half may be a secret.
    if let colon = name.firstIndex(of: ":"), known.contains(String(name[..<colon])) {
      let key = String(name[..<colon])
      return ("a space is missing after the colon of \(quoted(key))\(place)", key)
    }
    let near = nearestWord(to: name, among: known.filter { !has($0) }) ?? nearestWord(to: name, among: known)
    let shown = isSecret && near == nil && hint == nil ? "(not shown)" : quoted(name)
    let start = "unknown key \(shown)\(place)"
    if let hint { return ("\(start); \(hint)", nil) }
    if let near { return ("\(start); did you mean \(quoted(near))?", near) }
    let possible = known.filter { !later.contains($0) }
    return ("\(start); expected \(possible.isEmpty ? "no key at all" : listed(possible, or: true))", nil)
  }
}

/// `a, b and c`, or with `or`; the first twelve.
public func listed(_ words: [String], or isChoice: Bool = false) -> String {
  let most = 12
  guard words.count <= most else { return words.prefix(most).joined(separator: ", ") + ", …" }
  guard let last = words.last, words.count > 1 else { return words.first ?? "nothing" }
  return words.dropLast().joined(separator: ", ") + (isChoice ? " or " : " and ") + last
}
