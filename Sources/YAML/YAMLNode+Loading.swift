/// Bounds of a document; a configuration by hand stays far below them.
public enum YAMLLimits {
  /// Bytes.
  public static let size = 1 << 20
  /// Lists and mappings inside one another.
  public static let depth = 32
  /// Scalars, lists and mappings.
  public static let nodes = 100_000
}

extension YAMLNode {
  /// Reads one YAML document.
  ///
  /// Anchors, aliases, tags, merge keys, duplicate keys and a second document are refused: they make a file mean
  /// something else than it shows.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8, at most `YAMLLimits.size`; a byte-order mark is skipped.
  ///   - file: The name messages bear.
  ///   - diagnostics: Receives everything that is wrong.
  /// - Returns: The document; `nil` when it is empty or not well-formed. What was refused inside it is `.invalid`.
  /// - Source: YAML 1.1, as libyaml reads it.
  public static func load(_ bytes: [UInt8], file: String, diagnostics: Diagnostics) -> YAMLNode? {
    diagnostics.file = file
    guard bytes.count <= YAMLLimits.size else {
      diagnostics.error(
        line: 0, column: 0, "the file has \(bytes.count) bytes; at most \(YAMLLimits.size) (1 MiB) are read")
      return nil
    }
    let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    return text.withUnsafeBufferPointer { input in
      guard let parser = EventParser(input) else {
        diagnostics.error(line: 0, column: 0, "not enough memory to read the file")
        return nil
      }
      var composer = Composer(parser: parser, input: input, diagnostics: diagnostics)
      return composer.document()
    }
  }
}

/// Makes the tree from the parser's events.
private struct Composer: ~Copyable {
  var parser: EventParser
  let input: UnsafeBufferPointer<UInt8>
  let diagnostics: Diagnostics
  var nodes = 0
  /// Set once nothing more can be understood.
  var isOver = false

  init(parser: consuming EventParser, input: UnsafeBufferPointer<UInt8>, diagnostics: Diagnostics) {
    self.parser = parser
    self.input = input
    self.diagnostics = diagnostics
  }

  mutating func document() -> YAMLNode? {
    var root: YAMLNode?
    while let (event, place) = next() {
      switch event {
      case .streamStart, .documentEnd: continue
      case .streamEnd:
        if root == nil { diagnostics.error(line: 1, column: 1, "the file is empty") }
        return root
      case .documentStart:
        guard root == nil else {
          fail(at: place, "a second document begins here; a file is one document, remove the line with ---")
          return nil
        }
      default:
        root = node(event, place, depth: 1)
      }
    }
    return nil
  }

  /// The next event; `nil` after a failure, which is reported here.
  private mutating func next() -> (event: EventParser.Event, place: EventParser.Place)? {
    if isOver { return nil }
    if let event = parser.next() { return event }
    isOver = true
    let failure = parser.failure
    let (place, message) = SyntaxMessage.of(failure, in: input)
    diagnostics.error(line: place.line, column: place.column, message)
    return nil
  }

  private mutating func fail(at place: EventParser.Place, _ message: String) {
    isOver = true
    diagnostics.error(line: place.line, column: place.column, message)
  }

  private mutating func node(_ event: EventParser.Event, _ place: EventParser.Place, depth: Int) -> YAMLNode? {
    nodes += 1
    if nodes > YAMLLimits.nodes {
      fail(at: place, "more than \(YAMLLimits.nodes) values; nothing beyond this one is read")
      return nil
    }
    switch event {
    case .scalar(let text, let isPlain, let properties):
      guard accepts(properties, at: place) else { return YAMLNode(.invalid, line: place.line, column: place.column) }
      if text.utf8.contains(0) {
        diagnostics.error(line: place.line, column: place.column, "text with a NUL character (\\0) is not accepted")
        return YAMLNode(.invalid, line: place.line, column: place.column)
      }
      return YAMLNode(.scalar(text, isPlain: isPlain), line: place.line, column: place.column)
    case .alias:
      diagnostics.error(
        line: place.line, column: place.column,
        "aliases (*name) are not supported; write the value out, or quote text that begins with *")
      return YAMLNode(.invalid, line: place.line, column: place.column)
    case .sequenceStart where depth > YAMLLimits.depth, .mappingStart where depth > YAMLLimits.depth:
      fail(at: place, "nested deeper than \(YAMLLimits.depth) levels")
      return nil
    case .sequenceStart(let properties):
      _ = accepts(properties, at: place)
      return sequence(place, depth)
    case .mappingStart(let properties):
      _ = accepts(properties, at: place)
      return mapping(place, depth)
    default:
      return nil
    }
  }

  private func accepts(_ properties: EventParser.Properties, at place: EventParser.Place) -> Bool {
    // What stands there is not shown: it may be a secret somebody forgot to quote.
    if properties.anchor {
      diagnostics.error(
        line: place.line, column: place.column,
        "anchors (&name) are not supported; write the value out, or quote text that begins with &")
      return false
    }
    if properties.tag {
      diagnostics.error(
        line: place.line, column: place.column,
        "tags (!name) are not supported; leave it out, or quote text that begins with !")
      return false
    }
    return true
  }

  private mutating func sequence(_ place: EventParser.Place, _ depth: Int) -> YAMLNode? {
    var items: [YAMLNode] = []
    while let (event, itemPlace) = next() {
      if case .sequenceEnd = event { return YAMLNode(.sequence(items), line: place.line, column: place.column) }
      guard let item = node(event, itemPlace, depth: depth + 1) else { return nil }
      items.append(item)
    }
    return nil
  }

  private mutating func mapping(_ place: EventParser.Place, _ depth: Int) -> YAMLNode? {
    var entries: [YAMLNode.Entry] = []
    var lineOfName: [String: Int] = [:]
    while let (event, keyPlace) = next() {
      if case .mappingEnd = event { return YAMLNode(.mapping(entries), line: place.line, column: place.column) }
      guard let key = node(event, keyPlace, depth: depth + 1), let (valueEvent, valuePlace) = next(),
        let value = node(valueEvent, valuePlace, depth: depth + 1)
      else { return nil }
      switch key.value {
      case .invalid: continue
      case .sequence, .mapping:
        diagnostics.error(at: key, "\(key.described()) cannot be a key; quote text that begins with { or [")
        continue
      case .scalar(let name, let isPlain):
        if name == "<<", isPlain {
          diagnostics.error(at: key, "\"<<\": merge keys are not supported; write the values out")
        } else if name.isEmpty {
          diagnostics.error(at: key, "a key is missing before the colon")
        } else if let first = lineOfName[name] {
          diagnostics.error(at: key, "\(quoted(name)) stands twice here; it is on line \(first) already")
        } else {
          lineOfName[name] = keyPlace.line
          entries.append(YAMLNode.Entry(key: key, value: value))
        }
      }
    }
    return nil
  }
}
