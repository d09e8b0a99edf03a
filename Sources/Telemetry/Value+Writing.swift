extension Value {
  /// Containers inside one another that a `json` value may have: the server takes 255 in a body, which adds three.
  public static let deepestNesting = 200

  /// The value a member of a JSON document stands for; `nil` for null.
  public init?(_ json: JSON) {
    switch json {
    case .null: return nil
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .long(value)
    case .double(let value): self = .double(value)
    case .string(let text): self = .string(text)
    case .array, .object: self = .json(json)
    }
  }

  /// Why the value must not be sent; `nil` for one that may.
  public var unsendable: UnsendableReason? {
    switch self {
    case .bool, .long, .string: nil
    case .double(let value): value.unsendable
    case .json(.null): .null
    // A scalar in here is written as the scalar value would be.
    case .json(.double(let value)): value.unsendable
    case .json(let document): document.unsendable(inside: 0)
    }
  }

  /// Appends the value as it stands in a body. `unsendable` must be `nil`.
  public func append(to buffer: inout [UInt8]) {
    switch self {
    case .bool(let value): buffer.append(literal: value ? "true" : "false")
    case .long(let value): value.appendDecimal(to: &buffer)
    case .double(let value): value.appendDecimal(to: &buffer)
    case .string(let text): text.appendJSON(to: &buffer)
    case .json(let document): document.write(into: &buffer)
    }
  }
}

extension Double {
  fileprivate var unsendable: UnsendableReason? {
    if magnitude < 0x1p63 { return nil }
    if isNaN { return .notANumber }
    return isInfinite ? .infinite : .tooLarge
  }
}

extension JSON {
  /// - Parameter depth: Containers around this one. Large numbers are no problem in here: the server keeps the text.
  fileprivate func unsendable(inside depth: Int) -> UnsendableReason? {
    switch self {
    case .null, .bool, .integer, .string: return nil
    case .double(let value):
      if value.isNaN { return .notANumber }
      return value.isInfinite ? .infinite : nil
    case .array(let elements):
      if depth >= Value.deepestNesting { return .nestedTooDeeply }
      for element in elements {
        if let reason = element.unsendable(inside: depth + 1) { return reason }
      }
    case .object(let members):
      if depth >= Value.deepestNesting { return .nestedTooDeeply }
      for member in members {
        if let reason = member.value.unsendable(inside: depth + 1) { return reason }
      }
    }
    return nil
  }
}
