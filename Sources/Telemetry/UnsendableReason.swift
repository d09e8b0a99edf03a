/// Why a value is not sent: the server would store it as another type, lose it, or refuse the whole request.
public enum UnsendableReason: Hashable, Sendable, CaseIterable {
  /// The server would store the text `NaN`.
  case notANumber
  /// The server would store the text `Infinity`.
  case infinite
  /// A magnitude of 2^63 or more, which the server stores as text.
  case tooLarge
  /// `null` alone, which the server skips.
  case null
  /// Containers nested more than `Value.deepestNesting` deep: the request would fail.
  case nestedTooDeeply
  /// The key `values` beside the key `ts`: the server would take the record for another one inside it.
  case valuesBesideTimestamp
}

extension UnsendableReason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notANumber: "not a number"
    case .infinite: "infinite"
    case .tooLarge: "2^63 or more, which ThingsBoard would store as text"
    case .null: "null"
    case .nestedTooDeeply: "nested more than \(Value.deepestNesting) deep"
    case .valuesBesideTimestamp: "the key \"values\" in the same record as the key \"ts\"; rename one of them"
    }
  }
}
