/// Keeps the type of each key for as long as the daemon runs ("a key never changes type by accident").
///
/// The first value decides. Numbers stay numbers: a LONG after a DOUBLE becomes a DOUBLE, and a DOUBLE after LONGs makes
/// the key DOUBLE. Between number, string, boolean and JSON there is no way: such a value is refused and counted.
public struct TypeLedger: Sendable {
  /// Keys that are remembered; values of others pass unchecked.
  public static let defaultCapacity = 10_000

  private struct Entry {
    var kind: Value.Kind
    var reported = false
  }

  private let capacity: Int
  private var entries: [Key: Entry] = [:]
  /// Values refused so far.
  public private(set) var refused = 0
  /// Values that passed unchecked because there were too many keys to remember.
  public private(set) var unchecked = 0

  public init(capacity: Int = TypeLedger.defaultCapacity) {
    self.capacity = max(0, capacity)
  }

  /// Checks a reading against the key's type.
  ///
  /// - Returns: The reading to send, its LONG made a DOUBLE where the key's type asks for it and a double holds it
  ///   exactly (the server mixes the two without harm); or what changed.
  public mutating func admit(_ reading: Reading) -> Result<Reading, TypeChange> {
    // The server skips it, so it has no type.
    if case .json(.null) = reading.value { return .success(reading) }
    let kind = reading.value.kind
    guard let established = entries[reading.key]?.kind else {
      if entries.count < capacity {
        entries[reading.key] = Entry(kind: kind)
      } else {
        unchecked += 1
      }
      return .success(reading)
    }
    if established == kind { return .success(reading) }
    switch (established, kind) {
    case (.long, .double):
      entries[reading.key]?.kind = .double
      return .success(reading)
    case (.double, .long):
      guard let value = reading.value.exactDouble else { return .success(reading) }
      return .success(Reading(reading.key, .double(value)))
    default:
      refused += 1
      let isFirst = entries[reading.key]?.reported == false
      entries[reading.key]?.reported = true
      return .failure(TypeChange(key: reading.key, established: established, found: kind, isFirst: isFirst))
    }
  }
}

/// A value that would have changed the type of its key on the server.
public struct TypeChange: Error, Hashable, Sendable, CustomStringConvertible {
  public let key: Key
  public let established: Value.Kind
  public let found: Value.Kind
  /// Whether it is the key's first, and worth a log line.
  public let isFirst: Bool

  public var description: String {
    """
    \(key.name) is \(established) and came as \(found): not sent, as ThingsBoard would change the key's type; \
    make the sensor's protocol give it one type, or another key
    """
  }
}

extension Value {
  /// The type ThingsBoard stores the value as.
  public enum Kind: Sendable, Hashable, CaseIterable {
    case boolean, long, double, string, json
  }

  /// A `json` that holds a scalar counts as that scalar.
  public var kind: Kind {
    switch self {
    case .bool, .json(.bool): .boolean
    case .long, .json(.integer): .long
    case .double, .json(.double): .double
    case .string, .json(.string): .string
    case .json: .json
    }
  }

  /// A LONG as a DOUBLE, where nothing is lost.
  fileprivate var exactDouble: Double? {
    switch self {
    case .long(let value), .json(.integer(let value)): Double(exactly: value)
    default: nil
    }
  }
}

extension Value.Kind: CustomStringConvertible {
  /// The server's word, `DOUBLE`.
  public var description: String {
    switch self {
    case .boolean: "BOOLEAN"
    case .long: "LONG"
    case .double: "DOUBLE"
    case .string: "STRING"
    case .json: "JSON"
    }
  }
}
