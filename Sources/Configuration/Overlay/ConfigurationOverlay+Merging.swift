internal import Telemetry
internal import YAML

extension ConfigurationOverlay {
  /// The file's document with the overlay in it. What may not stand in an overlay is reported and left out.
  ///
  /// Nodes of the overlay know their JSON path, nodes of the file keep line and column.
  func laid(over document: YAMLNode, _ diagnostics: Diagnostics) -> YAMLNode {
    // Not a mapping: the mistake is the file's own, and is told as such.
    guard document.entries != nil else { return document }
    var sorter = OverlaySorter(diagnostics)
    return document.overlaid(with: sorter.node(of: json, beside: document))
  }
}

extension YAMLNode {
  /// Mappings become one, of anything else `other` stands.
  fileprivate func overlaid(with other: YAMLNode) -> YAMLNode {
    guard case .mapping(var merged) = value, case .mapping(let added) = other.value else { return other }
    let places = Dictionary(merged.indices.map { (merged[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
    for entry in added {
      guard let place = places[entry.name] else {
        merged.append(entry)
        continue
      }
      let old = merged[place]
      let value = old.value.overlaid(with: entry.value)
      // Whose value stands there, his is the key: a message about the key tells whom to ask.
      merged[place] = Entry(key: value.origin == nil ? old.key : entry.key, value: value)
    }
    return YAMLNode(.mapping(merged), line: line, column: column)
  }
}

/// Makes nodes of what `OverlayRules` allow and reports the rest.
private struct OverlaySorter {
  private let diagnostics: Diagnostics
  /// Nodes so far, so that messages come in the overlay's order.
  private var count = 0

  init(_ diagnostics: Diagnostics) {
    self.diagnostics = diagnostics
  }

  mutating func node(of overlay: JSON, beside document: YAMLNode) -> YAMLNode {
    guard case .object(let members) = overlay else { return node(.mapping([]), at: OverlayPath()) }
    return inner(members, at: OverlayPath(), rule: [], beside: document)
  }

  private mutating func node(_ value: YAMLNode.Value, at path: OverlayPath) -> YAMLNode {
    YAMLNode(value, origin: path.origin, order: nextPlace())
  }

  private mutating func nextPlace() -> Int {
    count += 1
    return count
  }

  // MARK: Above what may be set

  /// - Parameters:
  ///   - rule: The path as `OverlayRules` has it.
  ///   - file: What the file has at the same place.
  private mutating func inner(
    _ members: [JSON.Member], at path: OverlayPath, rule: [String], beside file: YAMLNode?
  ) -> YAMLNode {
    let order = nextPlace()
    var entries: [YAMLNode.Entry] = []
    let isNamed = OverlayRules.keys(below: rule).settable == ["*"]
    for member in members {
      let place = path.appending(member.name)
      let key = node(.scalar(member.name, isPlain: true), at: place)
      let known = file?.member(member.name)
      if isNamed, known == nil {
        reportUnknownName(member.name, at: key, path, beside: file)
        continue
      }
      if let value = value(of: member, at: place, key: key, rule: rule + [isNamed ? "*" : member.name], beside: known) {
        entries.append(YAMLNode.Entry(key: key, value: value))
      }
    }
    return YAMLNode(.mapping(entries), origin: path.origin, order: order)
  }

  /// - Returns: `nil` where nothing of it may stand.
  private mutating func value(
    of member: JSON.Member, at path: OverlayPath, key: YAMLNode, rule: [String], beside file: YAMLNode?
  ) -> YAMLNode? {
    switch OverlayRules.verdict(on: rule) {
    case .fixed(let reason): diagnostics.error(at: key, "cannot be set remotely: \(reason)")
    case .unknown: reportUnknownKey(member.name, at: key, rule.dropLast())
    case .settable where member.value == .null, .inner where member.value == .null: reportNull(path, at: key)
    case .settable where rule == ["downlink", "shared_attributes"] && member.value == .string("off"):
      diagnostics.error(
        at: key, "\(path) cannot be off here: nothing could take it back; expected on or an interval such as 5m")
    case .settable: return leaf(member.value, at: path)
    case .inner:
      guard case .object(let members) = member.value else {
        diagnostics.error(at: key, "\(path) is \(member.value.kind); expected an object")
        return nil
      }
      // A mistake of the file stays one: its decoder tells it.
      if let file, !file.isNull, file.entries == nil { return nil }
      return inner(members, at: path, rule: rule, beside: file)
    }
    return nil
  }

  // MARK: What may be set

  /// Text is text in quotes to the decoders, numbers and truth values are plain.
  private mutating func leaf(_ json: JSON, at path: OverlayPath) -> YAMLNode {
    switch json {
    case .null:
      let refused = node(.invalid, at: path)
      reportNull(path, at: refused)
      return refused
    case .bool(let value): return node(.scalar(value ? "true" : "false", isPlain: true), at: path)
    case .integer, .double: return node(.scalar(json.text, isPlain: true), at: path)
    case .string(let text): return node(.scalar(text, isPlain: false), at: path)
    case .array(let elements):
      let order = nextPlace()
      var items: [YAMLNode] = []
      for (index, element) in elements.enumerated() { items.append(leaf(element, at: path.appending(index))) }
      return YAMLNode(.sequence(items), origin: path.origin, order: order)
    case .object(let members):
      let order = nextPlace()
      var entries: [YAMLNode.Entry] = []
      for member in members {
        let place = path.appending(member.name)
        let key = node(.scalar(member.name, isPlain: false), at: place)
        entries.append(YAMLNode.Entry(key: key, value: leaf(member.value, at: place)))
      }
      return YAMLNode(.mapping(entries), origin: path.origin, order: order)
    }
  }

  // MARK: Mistakes

  private func reportNull(_ path: OverlayPath, at node: YAMLNode) {
    diagnostics.error(at: node, "null removes nothing; leave \(path) out, and the file's own value counts")
  }

  private func reportUnknownName(_ name: String, at key: YAMLNode, _ section: OverlayPath, beside file: YAMLNode?) {
    // Nobody reads more, and a thousand names take time.
    let isTold = diagnostics.errorCount < Diagnostics.limit
    let names = isTold ? file?.entries?.map(\.name) ?? [] : []
    let known = names.isEmpty ? "\(section) has none" : "\(section) has \(listed(names))"
    diagnostics.error(
      at: key,
      "\(quoted(name)) is not in the file, and none can be added remotely; \(known)" + hint(for: name, among: names))
  }

  private func reportUnknownKey(_ name: String, at key: YAMLNode, _ rule: [String]) {
    let keys = OverlayRules.keys(below: rule)
    var message = "unknown key \(quoted(name)); "
    if let near = near(to: name, among: keys.settable + keys.fixed) {
      message += "did you mean \(quoted(near))" + (keys.settable.contains(near) ? "?" : ", which stays in the file?")
    } else {
      message += "expected \(listed(keys.settable, or: true))"
    }
    diagnostics.error(at: key, message)
  }

  private func hint(for name: String, among names: [String]) -> String {
    near(to: name, among: names).map { "; did you mean \(quoted($0))?" } ?? ""
  }

  private func near(to name: String, among words: [String]) -> String? {
    // Nobody reads more, and finding near words takes time.
    diagnostics.errorCount < Diagnostics.limit ? nearestWord(to: name, among: words) : nil
  }
}

/// A place in an overlay, as messages call it.
private struct OverlayPath: CustomStringConvertible {
  private(set) var description = ""

  /// What stands in the place of file, line and column.
  var origin: String {
    description.isEmpty ? ConfigurationOverlay.subject : "\(ConfigurationOverlay.subject), \(self)"
  }

  func appending(_ name: String) -> OverlayPath {
    // A name out of the ordinary could be taken for the message's own words; `quoted` cuts it, too.
    let isPlain =
      name.utf8.count <= 64
      && name.utf8.allSatisfy {
        "_-".utf8.contains($0) || (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20)
      }
    return OverlayPath(description: (description.isEmpty ? "" : description + ".") + (isPlain ? name : quoted(name)))
  }

  func appending(_ index: Int) -> OverlayPath {
    OverlayPath(description: "\(description)[\(index)]")
  }

  init() {}
  private init(description: String) { self.description = description }
}
