internal import Telemetry
internal import YAML

// Elsewhere an option decides what its value is; here nobody knows what the person means but by how it is written.

extension Value {
  /// What a scalar says by its spelling: `true` and `false` BOOLEAN, a whole number LONG, one with a point or an exponent
  /// DOUBLE, all else, and whatever is quoted, STRING; `nil` for what is no scalar.
  init?(bySpellingOf node: YAMLNode) {
    guard case .scalar(let text, let isPlain) = node.value else { return nil }
    if isPlain, text == "true" || text == "false" {
      self = .bool(text == "true")
    } else if let number = node.integer(as: Int64.self) {
      self = .long(number)
    } else if text.utf8.contains(where: { ".eE".utf8.contains($0) }), let number = node.double {
      self = .double(number)
    } else {
      // Without a point: a number with a leading zero, or one beyond 64 bits. That is an identifier.
      self = .string(text)
    }
  }
}

extension JSON {
  /// A value of any shape, its scalars by their spelling; what the loader has refused is null. The loader has bounded
  /// depth and number.
  init(bySpellingOf node: YAMLNode) {
    switch node.value {
    case .sequence(let items): self = .array(items.map { JSON(bySpellingOf: $0) })
    case .mapping(let entries): self = .object(entries.map { Member($0.name, JSON(bySpellingOf: $0.value)) })
    case .scalar, .invalid:
      guard !node.isNull, let value = Value(bySpellingOf: node) else {
        self = .null
        return
      }
      self = JSON(value)
    }
  }
}
