internal import Hardware
internal import YAML

/// `gpio.lines:`, as the rest of the file speaks of them.
struct GPIOLines {
  struct Entry {
    let name: String
    /// Where the name stands.
    let key: YAMLNode
    /// The line's own mapping.
    let value: YAMLNode
    let owner: Owner
    /// `nil` where the entry was refused; its name is known all the same.
    let options: GPIOLineOptions?
  }

  let entries: [Entry]
  /// By owner, in the order of the file.
  let names: [Owner: [String]]

  /// - Parameters:
  ///   - options: What was read of the section; `nil` where it was refused or is not there.
  ///   - section: The section itself.
  init(_ options: GPIOOptions?, _ section: YAMLNode?) {
    let known = Dictionary((options?.lines ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    entries = (section?.member("lines")?.entries ?? []).map {
      Entry(name: $0.name, key: $0.key, value: $0.value, owner: Owner(of: $0.value), options: known[$0.name])
    }
    names = Dictionary(grouping: entries, by: \.owner).mapValues { $0.map(\.name) }
  }

  /// The lines of an owner that are counted or measured; `readNow` knows them as sensors.
  func metered(of owner: Owner) -> [String] {
    entries.filter { $0.owner == owner && $0.options?.meter != nil }.map(\.name)
  }

  /// Whose the line `name` is that is counted or measured; `nil` where there is no such line.
  func ownerOfMetered(_ name: String) -> Owner? {
    entries.first { $0.name == name && $0.options?.meter != nil }?.owner
  }

  /// Whose the line `name` is; `nil` where there is no such line.
  func owner(of name: String) -> Owner? { entries.first { $0.name == name }?.owner }

  /// Reports a reference to a line that is not there, that works the other way, or that is somebody else's.
  ///
  /// - Parameters:
  ///   - node: Where it stands; what is not text was reported by who read it.
  ///   - subject: What messages call it, `rpc.bind.setValue`.
  ///   - direction: What the line must be; `nil` where both will do.
  ///   - owner: Whose it must be; `nil` where anybody's will do.
  func check(
    _ node: YAMLNode?, _ subject: String, needs direction: GPIOLineOptions.Direction? = nil,
    of owner: Owner? = nil, _ diagnostics: Diagnostics
  ) {
    guard let node, let name = node.text, !name.isEmpty, !node.isNull else { return }
    guard let entry = entries.first(where: { $0.name == name }) else {
      let possible = owner.map { names[$0] ?? [] } ?? entries.map(\.name)
      // Nobody reads more, and finding near words takes time.
      let words = diagnostics.errorCount < Diagnostics.limit ? possible : []
      let near = nearestWord(to: name, among: words).map { "; did you mean \(quoted($0))?" } ?? ""
      diagnostics.error(at: node, "\(subject) is \(quoted(name)); \(describe(possible, of: owner))\(near)")
      return
    }
    if let owner, entry.owner != owner {
      diagnostics.error(
        at: node,
        "\(subject) is \(quoted(name)), which is a line of \(entry.owner) on line \(entry.key.line); "
          + describe(names[owner] ?? [], of: owner))
      return
    }
    if entry.options?.meter != nil {
      diagnostics.error(
        at: node,
        "\(subject) is \(quoted(name)), which is counted or measured on line \(entry.key.line), so it has no level; "
          + "expected an \(direction?.rawValue ?? "input or output")")
      return
    }
    guard let direction, let found = entry.options?.direction, found != direction else { return }
    diagnostics.error(
      at: node,
      "\(subject) is \(quoted(name)), which is an \(found.rawValue) on line \(entry.key.line); expected an "
        + direction.rawValue)
  }

  private func describe(_ possible: [String], of owner: Owner?) -> String {
    if !possible.isEmpty { return "gpio.lines has \(listed(possible))\(owner.map(Self.suffix) ?? "")" }
    if entries.isEmpty { return "there are no lines under gpio" }
    return "gpio.lines has none of \(owner ?? .gateway)"
  }

  /// The gateway's lines are simply the lines where no device is spoken of.
  private static func suffix(_ owner: Owner) -> String { owner == .gateway ? "" : " of \(owner)" }
}
