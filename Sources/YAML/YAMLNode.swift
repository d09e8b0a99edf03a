/// One value of a YAML document and where it stands.
///
/// A scalar stays text: whether `on` is a word, `0403` a number or `5m` a duration is decided by who asks for it,
/// not by YAML's own types.
public struct YAMLNode: Sendable, Hashable {
  public indirect enum Value: Sendable, Hashable {
    /// Text; `isPlain` when it was written without quotes and not as a block.
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    /// Entries in the order of the file; no name comes twice.
    case mapping([Entry])
    /// What the loader has refused and reported. Readers take it for absent, without a second message.
    case invalid
  }

  /// One `name: value` of a mapping.
  public struct Entry: Sendable, Hashable {
    /// A scalar.
    public let key: YAMLNode
    public let value: YAMLNode
    public var name: String { key.text ?? "" }

    public init(key: YAMLNode, value: YAMLNode) {
      self.key = key
      self.value = value
    }
  }

  public let value: Value
  /// From 1; 0 for a node that stands in no file.
  public let line: Int
  /// In Unicode scalars, from 1. Of nodes that stand in no file the order.
  public let column: Int
  /// What messages say in the place of file, line and column; `nil` for a node of a file.
  public let origin: String?

  public init(_ value: Value, line: Int, column: Int) {
    self.value = value
    self.line = line
    self.column = column
    origin = nil
  }

  /// A node that stands in no file.
  ///
  /// - Parameters:
  ///   - origin: Where it comes from, such as `attribute baudgate, upload.interval`.
  ///   - order: Messages about nodes without a file come in this order, before those about the file.
  public init(_ value: Value, origin: String, order: Int) {
    self.value = value
    line = 0
    column = order
    self.origin = origin
  }

  /// A scalar's text; `nil` for anything else.
  public var text: String? {
    if case .scalar(let text, _) = value { text } else { nil }
  }

  /// Whether nothing stands here: `key:`, `key: ~` or `key: null`.
  public var isNull: Bool {
    if case .scalar("", isPlain: true) = value { return true }
    if case .scalar("~", isPlain: true) = value { return true }
    if case .scalar("null", isPlain: true) = value { return true }
    return false
  }

  var isInvalid: Bool {
    if case .invalid = value { true } else { false }
  }

  /// What stands here, for a message: quoted text, `a list`, `a mapping`, `nothing`.
  ///
  /// - Parameter hidesText: Whether to say `text` rather than show it.
  public func described(hidingText hidesText: Bool = false) -> String {
    if isNull { return "nothing" }
    switch value {
    case .scalar(let text, _): return hidesText ? "text" : quoted(text)
    case .sequence: return "a list"
    case .mapping: return "a mapping"
    case .invalid: return "unreadable"
    }
  }
}

/// `text` in quotes for a message: control characters escaped, cut after 60 characters.
public func quoted(_ text: String) -> String {
  let most = 60
  var result = "\""
  var count = 0
  for scalar in text.unicodeScalars {
    if count == most {
      result += "…"
      break
    }
    count += 1
    switch scalar {
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case "\"": result += "\\\""
    default:
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
  return result + "\""
}
