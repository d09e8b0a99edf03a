internal import Hardware
internal import YAML

/// `gpio.lines:`, as the rest of the file speaks of them.
struct GPIOLines {
  struct Entry {
    let name: String
    /// Where the name stands.
    let key: YAMLNode
    /// `nil` where the entry was refused; its name is known all the same.
    let options: GPIOLineOptions?
  }

  let entries: [Entry]
  private var names: [String] { entries.map(\.name) }

  /// - Parameters:
  ///   - options: What was read of the section; `nil` where it was refused or is not there.
  ///   - section: The section itself.
  init(_ options: GPIOOptions?, _ section: YAMLNode?) {
    let known = Dictionary((options?.lines ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    entries = (section?.member("lines")?.entries ?? []).map {
      Entry(name: $0.name, key: $0.key, options: known[$0.name])
    }
  }

  /// Reports a reference to a line that is not there, or that works the other way.
  ///
  /// - Parameters:
  ///   - node: Where it stands; what is not text was reported by who read it.
  ///   - subject: What messages call it, `rpc.bind.setValue`.
  ///   - direction: What the line must be; `nil` where both will do.
  func check(
    _ node: YAMLNode?, _ subject: String, needs direction: GPIOLineOptions.Direction? = nil,
    _ diagnostics: Diagnostics
  ) {
    guard let node, let name = node.text, !name.isEmpty, !node.isNull else { return }
    guard let entry = entries.first(where: { $0.name == name }) else {
      let known = names.isEmpty ? "there are no lines under gpio" : "gpio.lines has \(listed(names))"
      let near = nearestWord(to: name, among: names).map { "; did you mean \(quoted($0))?" } ?? ""
      diagnostics.error(at: node, "\(subject) is \(quoted(name)); \(known)\(near)")
      return
    }
    guard let direction, let found = entry.options?.direction, found != direction else { return }
    diagnostics.error(
      at: node,
      "\(subject) is \(quoted(name)), which is an \(found.rawValue) on line \(entry.key.line); expected an "
        + direction.rawValue)
  }
}
