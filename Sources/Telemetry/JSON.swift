/// A JSON document that keeps integers and doubles apart and members in order (RFC 8259).
public indirect enum JSON: Sendable, Hashable {
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
}
