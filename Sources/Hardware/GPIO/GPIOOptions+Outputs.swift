internal import YAML

// MARK: - What outputs alone have

/// `safe_after`: a duration or `never`, of one line or of all that say nothing.
struct SafeAfter {
  static let range = Duration.seconds(10) ... .seconds(30 * 86_400)

  /// `nil` for never.
  let duration: Duration?

  /// Reads `safe_after` where it is there.
  ///
  /// - Parameter safe: The line's own.
  init?(from reader: inout MappingReader, _ safe: GPIOLineOptions.Safe? = nil) {
    guard let node = reader.node("safe_after") else { return nil }
    if node.text == "never" {
      duration = nil
      return
    }
    guard let text = node.text, let duration = Duration(configured: text), Self.range.contains(duration) else {
      reader.mismatch(
        "safe_after",
        expected: "never, or a duration from \(Self.range.lowerBound.configured) to "
          + "\(Self.range.upperBound.configured) such as 10m")
      return nil
    }
    if safe == .hold {
      reader.error(
        at: "safe_after",
        "\(reader.path(of: "safe_after")) means nothing with \"safe: hold\", which has no safe value; write safe: on or "
          + "safe: off, or remove it")
    }
    self.duration = duration
  }
}

extension GPIOLineOptions {
  /// Takes the section's `safe_after` where the line has none of its own.
  ///
  /// - Parameter node: The line's own mapping.
  mutating func inherit(_ common: SafeAfter?, has node: YAMLNode) {
    guard let common, direction == .output, safe != .hold, case .mapping(let entries) = node.value,
      !entries.contains(where: { $0.name == "safe_after" })
    else { return }
    safeAfter = common.duration
  }
}

extension GPIOInterlock {
  /// More than any board needs.
  static let limit = 64
  static let lineLimit = 16
  /// A stop waits for it, twice at most.
  static let gapRange = Duration.zero ... .seconds(1)

  /// Reads `interlocks`: lists of names, or mappings with `lines` and `gap`.
  ///
  /// - Parameter lines: Those that were read without a mistake.
  static func list(from reader: inout MappingReader, among lines: [GPIOLineOptions]) -> [GPIOInterlock] {
    guard let items = reader.list("interlocks") else { return [] }
    let path = reader.path(of: "interlocks")
    guard items.count <= limit else {
      reader.error(at: "interlocks", "\(path) has \(items.count) entries; at most \(limit) are possible")
      return []
    }
    // Lines with mistakes of their own are known, if only by name.
    var known: Set<String> = []
    if case .mapping(let section) = reader.node.value,
      case .mapping(let entries) = section.first(where: { $0.name == "lines" })?.value.value
    {
      known = Set(entries.map(\.name))
    }
    let options = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    return items.enumerated().compactMap { index, item in
      var decoder = InterlockDecoder(
        path: "\(path)[\(index)]", node: item, known: known, options: options, diagnostics: reader.diagnostics)
      return decoder.interlock
    }
  }
}

/// Reads one entry of `interlocks`.
private struct InterlockDecoder {
  let path: String
  let node: YAMLNode
  let known: Set<String>
  let options: [String: GPIOLineOptions]
  let diagnostics: Diagnostics

  var interlock: GPIOInterlock? {
    mutating get {
      var gap = Duration.zero
      var list = node
      if case .mapping = node.value {
        guard var reader = MappingReader(node, path: path, diagnostics: diagnostics) else { return nil }
        reader.require("lines")
        gap = reader.duration("gap", in: GPIOInterlock.gapRange) ?? .zero
        let lines = reader.node("lines")
        guard reader.finish(), let lines else { return nil }
        list = lines
      }
      guard case .sequence(let items) = list.value, (2...GPIOInterlock.lineLimit).contains(items.count) else {
        diagnostics.error(
          at: node, "\(path) is no list of 2 to \(GPIOInterlock.lineLimit) outputs; expected such as [up, down]")
        return nil
      }
      let names = names(of: items)
      guard names.count == items.count else { return nil }
      check(names)
      return GPIOInterlock(names, gap: gap)
    }
  }

  private func names(of items: [YAMLNode]) -> [String] {
    var names: [String] = []
    for item in items {
      guard let name = item.text, !item.isNull, !name.isEmpty else {
        diagnostics.error(at: item, "\(path) has something that is no name of a line")
        continue
      }
      if names.contains(name) {
        diagnostics.error(at: item, "\(path) has \(quoted(name)) twice")
      } else if !known.contains(name) {
        let near = nearestWord(to: name, among: known.sorted()).map { "; did you mean \(quoted($0))?" } ?? ""
        let lines = known.isEmpty ? "there are no lines" : "gpio.lines has \(listed(known.sorted()))"
        diagnostics.error(at: item, "\(path) has \(quoted(name)); \(lines)\(near)")
      } else if let line = options[name], line.direction != .output {
        diagnostics.error(at: item, "\(path) has \(quoted(name)), which is no output; only outputs are driven")
      } else {
        names.append(name)
      }
    }
    return names
  }

  /// What the lines are at by themselves must not contradict.
  private func check(_ names: [String]) {
    let lines = names.compactMap { options[$0] }
    let started = lines.filter(\.initial).map(\.name)
    if started.count > 1 {
      diagnostics.error(
        at: node, "\(path): \(listed(started)) would be on together from the start; write initial: off for all but one")
    }
    guard let on = lines.first(where: { $0.safe == .on }) else { return }
    for other in lines where other.name != on.name && other.safe != .off {
      diagnostics.error(
        at: node,
        "\(path): \(on.name) has \"safe: on\" and \(other.name) \"safe: \(other.safe.rawValue)\", so that both may be on "
          + "when the daemon ends; write safe: off for all but one")
    }
  }
}
