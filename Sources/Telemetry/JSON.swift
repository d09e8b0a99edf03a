/// A JSON document that keeps integers and doubles apart and members in order (RFC 8259).
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A literal without fraction or exponent that fits.
  case integer(Int64)
  /// Any other number; infinite where the literal is beyond a double.
  case double(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// One `"name": value` of an object.
  public struct Member: Sendable, Hashable {
    public var name: String
    public var value: JSON
    public init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// The member of an object with exactly this name, byte for byte; `nil` where there is none, or for anything else.
  public subscript(name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
  }
}

extension JSON {
  /// A value as a member of a document.
  public init(_ value: Value) {
    switch value {
    case .bool(let bool): self = .bool(bool)
    case .long(let long): self = .integer(long)
    case .double(let double): self = .double(double)
    case .string(let string): self = .string(string)
    case .json(let json): self = json
    }
  }
}
