/// A telemetry or attribute key the server accepts.
///
/// Two keys are equal where their bytes are, as for the server (to Swift's String é and e + ◌́ are equal).
public struct Key: Sendable {
  /// UTF-16 units of the longest key the server stores.
  public static let longest = 255

  public var name: String { storage.name }
  /// `"name":`, escaped, as it stands in a body.
  public var encoded: [UInt8] { storage.encoded }
  private var hash: Int { storage.hash }
  private let storage: Storage

  /// One object, so that copying a reading is one retain.
  private final class Storage: Sendable {
    let name: String
    let encoded: [UInt8]
    /// Of `encoded`, computed once: a key is looked up for every value.
    let hash: Int

    init(name: String, encoded: [UInt8], hash: Int) {
      self.name = name
      self.encoded = encoded
      self.hash = hash
    }
  }

  /// - Parameter name: The key as the server will show it.
  /// - Throws: `KeyError` for a key that would cost the record all of its values.
  public init(_ name: String) throws(KeyError) {
    if let error = Self.problem(of: name) { throw error }
    self.init(checked: name)
  }

  /// - Parameter name: A name without any problem.
  init(checked name: String) {
    var encoded: [UInt8] = []
    encoded.reserveCapacity(name.utf8.count + 3)
    name.appendJSON(to: &encoded)
    encoded.append(UInt8(ascii: ":"))
    var hasher = Hasher()
    encoded.withUnsafeBytes { hasher.combine(bytes: $0) }
    storage = Storage(name: name, encoded: encoded, hash: hasher.finalize())
  }

  private static func problem(of name: String) -> KeyError? {
    if isPlain(name) { return nil }
    var blank = true
    var previous: Unicode.Scalar = " "
    for scalar in name.unicodeScalars {
      if scalar.properties.generalCategory == .control { return .controlCharacter }
      if scalar == "<" { return .html }
      if scalar == "{", previous == "{" { return .template }
      if !scalar.properties.isWhitespace { blank = false }
      previous = scalar
    }
    if blank { return .blank }
    let count = name.utf16.count
    return count > longest ? .tooLong(count) : nil
  }
}

extension Key: Hashable {
  public static func == (first: Key, second: Key) -> Bool {
    first.storage === second.storage || first.hash == second.hash && first.encoded == second.encoded
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(hash)
  }
}

extension Key: CustomStringConvertible {
  public var description: String { name }
}

// MARK: - Cleaning
extension Key {
  /// The key for a name that comes from a sensor's line rather than from a person.
  ///
  /// Leaves out control characters, `<` and `>`, makes one brace of several in a row, trims white space and cuts what
  /// exceeds 255 UTF-16 units. A name without any of that stays as it is.
  ///
  /// - Returns: The key; `nil` where nothing is left.
  public static func cleaned(_ raw: String) -> Key? {
    if isPlain(raw) { return Key(checked: raw) }
    var scalars = String.UnicodeScalarView()
    var units = 0
    for scalar in raw.unicodeScalars {
      if scalar.properties.generalCategory == .control || scalar == "<" || scalar == ">" { continue }
      if scalar == "{" || scalar == "}", scalars.last == scalar { continue }
      if scalars.isEmpty, scalar.properties.isWhitespace { continue }
      units += UTF16.width(scalar)
      if units > longest { break }
      scalars.append(scalar)
    }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return scalars.isEmpty ? nil : Key(checked: String(scalars))
  }
}

extension Key {
  /// Whether the name is short, visible ASCII without `<`, `>` and braces, as nearly all are: nothing to check or clean.
  private static func isPlain(_ name: String) -> Bool {
    let bytes = name.utf8
    return (1...longest).contains(bytes.count)
      && bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "{"), UInt8(ascii: "}"): false
        default: (0x21...0x7E).contains(byte)
        }
      }
  }
}
