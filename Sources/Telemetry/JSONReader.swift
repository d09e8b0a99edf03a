extension JSON {
  /// Reads one document, strictly: nothing RFC 8259 does not allow, no byte order mark, no name twice in an object.
  ///
  /// A number without fraction and exponent that fits is an `integer` (`-0` is 0), every other a `double`, correctly
  /// rounded and infinite where the literal is beyond a double.
  ///
  /// - Parameters:
  ///   - bytes: The document in UTF-8, white space around it allowed.
  ///   - limits: Bounds that keep a hostile document harmless.
  /// - Throws: `JSONError`, its offset counted from the first of `bytes`.
  public init(parsing bytes: ArraySlice<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var reader = JSONReader(bytes, limits: limits)
    self = try reader.readDocument()
  }

  /// Reads one document, as `init(parsing:limits:)` does from a slice.
  public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(parsing: bytes[...], limits: limits)
  }
}

/// A cursor over a document; recursive, `limits.depth` levels at most.
struct JSONReader {
  let bytes: ArraySlice<UInt8>
  let limits: JSONLimits
  /// The next byte; an index into `bytes`.
  var position: Int
  private var values = 0

  init(_ bytes: ArraySlice<UInt8>, limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
    position = bytes.startIndex
  }

  mutating func readDocument() throws(JSONError) -> JSON {
    if bytes.count > limits.size { throw JSONError(.tooLarge, at: limits.size) }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw JSONError(.byteOrderMark, at: 0) }
    skipSpace()
    if peek == nil { throw error(.empty) }
    let value = try readValue(depth: 0)
    skipSpace()
    if peek != nil { throw error(.trailingBytes) }
    return value
  }

  private mutating func readValue(depth: Int) throws(JSONError) -> JSON {
    guard let byte = peek else { throw error(.unexpectedEnd) }
    values += 1
    if values > limits.values { throw error(.tooManyValues) }
    switch byte {
    case UInt8(ascii: "{"):
      return .object(try readMembers(depth: depth + 1))
    case UInt8(ascii: "["):
      return .array(try readElements(depth: depth + 1))
    case UInt8(ascii: "\""):
      return .string(try readString())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try readNumber()
    case UInt8(ascii: "t"):
      return try readWord("true", as: .bool(true))
    case UInt8(ascii: "f"):
      return try readWord("false", as: .bool(false))
    case UInt8(ascii: "n"):
      return try readWord("null", as: .null)
    default:
      throw error(.unexpectedByte)
    }
  }

  private mutating func readElements(depth: Int) throws(JSONError) -> [JSON] {
    if depth > limits.depth { throw error(.tooDeep) }
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return elements }
    while true {
      skipSpace()
      elements.append(try readValue(depth: depth))
      skipSpace()
      if take(UInt8(ascii: "]")) { return elements }
      try require(UInt8(ascii: ","))
    }
  }

  private mutating func readMembers(depth: Int) throws(JSONError) -> [JSON.Member] {
    if depth > limits.depth { throw error(.tooDeep) }
    position += 1
    var members: [JSON.Member] = []
    var names = NameSet()
    skipSpace()
    if take(UInt8(ascii: "}")) { return members }
    while true {
      skipSpace()
      let start = position
      guard let quote = peek else { throw error(.unexpectedEnd) }
      if quote != UInt8(ascii: "\"") { throw error(.unexpectedByte) }
      let name = try readString()
      if !names.insert(name, besides: members) { throw error(.duplicateName, at: start) }
      skipSpace()
      try require(UInt8(ascii: ":"))
      skipSpace()
      members.append(JSON.Member(name, try readValue(depth: depth)))
      skipSpace()
      if take(UInt8(ascii: "}")) { return members }
      try require(UInt8(ascii: ","))
    }
  }

  private mutating func readWord(_ word: StaticString, as value: JSON) throws(JSONError) -> JSON {
    let matches = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
    if !matches { throw error(.badLiteral) }
    position += word.utf8CodeUnitCount
    return value
  }
}

// MARK: - The cursor
extension JSONReader {
  var peek: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

  func error(_ code: JSONError.Code, at position: Int? = nil) -> JSONError {
    JSONError(code, at: (position ?? self.position) - bytes.startIndex)
  }

  mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func take(_ byte: UInt8) -> Bool {
    if peek != byte { return false }
    position += 1
    return true
  }

  mutating func require(_ byte: UInt8) throws(JSONError) {
    guard let found = peek else { throw error(.unexpectedEnd) }
    if found != byte { throw error(.unexpectedByte) }
    position += 1
  }
}

/// The names of one object so far, compared byte for byte (Swift takes é and e + ◌́ for equal, the server does not).
private struct NameSet {
  /// Up to here comparing one by one is quicker than hashing.
  private static let few = 8
  private var hashed: Set<[UInt8]> = []

  /// Returns whether `name` is new.
  mutating func insert(_ name: String, besides members: [JSON.Member]) -> Bool {
    if members.count < Self.few {
      return !members.contains { $0.name.utf8.elementsEqual(name.utf8) }
    }
    if hashed.isEmpty { hashed = Set(members.map { Array($0.name.utf8) }) }
    return hashed.insert(Array(name.utf8)).inserted
  }
}
