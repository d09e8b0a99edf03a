extension LiteralJSON {
  /// Why a body is no document, in the server's words.
  struct SyntaxError: Error, Equatable {
    let message: String
  }

  /// A parsed body.
  struct Parsed {
    /// `null` where the body is blank, as the server has it.
    var document: LiteralJSON
    /// Whether the body is JSON by RFC 8259; otherwise the server's leniency was needed.
    var isStrict: Bool
  }

  /// Whether a text is JSON without any leniency.
  static func isDocument(_ text: String) -> Bool { (try? parse(Array(text.utf8)))?.isStrict ?? false }

  /// The most containers that may be open at once, the server's limit.
  static let nestingLimit = 255

  /// Parses a request body.
  ///
  /// Beyond RFC 8259 it takes what the server takes of unquoted words (`NaN`, `TRUE`, `007`), control characters in strings,
  /// a byte order mark and bytes that are no UTF-8 (as U+FFFD); its other leniencies (comments, single quotes, `;`) are refused.
  static func parse(_ body: [UInt8]) throws(SyntaxError) -> Parsed {
    let text = String(decoding: body, as: UTF8.self)
    let bytes = Array(text.utf8)
    var parser = LiteralParser(bytes: bytes)
    parser.isStrict = bytes == body
    let document = try parser.parseBody()
    return Parsed(document: document, isStrict: parser.isStrict)
  }
}

private struct LiteralParser {
  typealias Failure = LiteralJSON.SyntaxError

  let bytes: [UInt8]
  var position = 0
  var depth = 0
  var isStrict = true

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func parseBody() throws(Failure) -> LiteralJSON {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      position = 3
      isStrict = false
    }
    skipBlanks()
    if position == bytes.count {
      isStrict = false
      return .null
    }
    let document = try parseValue()
    skipBlanks()
    guard position == bytes.count else { throw malformed("Expected the end of the document") }
    return document
  }

  private mutating func parseValue() throws(Failure) -> LiteralJSON {
    switch peek {
    case nil: throw endOfInput
    case UInt8(ascii: "{"): return try parseObject()
    case UInt8(ascii: "["): return try parseArray()
    case UInt8(ascii: "\""): return .string(try parseString())
    default: return try parseWord()
    }
  }

  private mutating func parseObject() throws(Failure) -> LiteralJSON {
    try open()
    var members: [LiteralJSON.Member] = []
    var index: [ExactText: Int] = [:]
    skipBlanks()
    if take("}") { return close(.object([])) }
    while true {
      skipBlanks()
      guard let next = peek else { throw endOfInput }
      guard next == UInt8(ascii: "\"") else { throw malformed("Expected name") }
      let name = ExactText(try parseString())
      skipBlanks()
      guard take(":") else { throw peek == nil ? endOfInput : malformed("Expected ':'") }
      skipBlanks()
      let value = try parseValue()
      // The last one wins, in the first one's place.
      if let former = index[name] {
        members[former].value = value
      } else {
        index[name] = members.count
        members.append(.init(name: name, value: value))
      }
      skipBlanks()
      if take("}") { return close(.object(members)) }
      guard take(",") else { throw peek == nil ? endOfInput : malformed("Unterminated object") }
    }
  }

  private mutating func parseArray() throws(Failure) -> LiteralJSON {
    try open()
    var elements: [LiteralJSON] = []
    skipBlanks()
    if take("]") { return close(.array([])) }
    while true {
      skipBlanks()
      elements.append(try parseValue())
      skipBlanks()
      if take("]") { return close(.array(elements)) }
      guard take(",") else { throw peek == nil ? endOfInput : malformed("Unterminated array") }
    }
  }

  private mutating func parseString() throws(Failure) -> String {
    position += 1
    var text: [UInt8] = []
    while true {
      guard position < bytes.count else { throw malformed("Unterminated string") }
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text.append(contentsOf: try parseEscape())
      default:
        if byte < 0x20 { isStrict = false }
        text.append(byte)
      }
    }
  }

  private mutating func parseEscape() throws(Failure) -> [UInt8] {
    guard position < bytes.count else { throw malformed("Unterminated escape sequence") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try parseUnicodeEscape()
    default: throw malformed("Invalid escape sequence")
    }
  }

  private mutating func parseUnicodeEscape() throws(Failure) -> [UInt8] {
    let first = try parseHexadecimal()
    var value = UInt32(first)
    if UTF16.isLeadSurrogate(first), bytes[position...].starts(with: [0x5C, 0x75]) {
      let beforeSecond = position
      position += 2
      let second = try parseHexadecimal()
      if UTF16.isTrailSurrogate(second) {
        value = 0x10000 + ((UInt32(first) & 0x3FF) << 10 | UInt32(second) & 0x3FF)
      } else {
        position = beforeSecond
      }
    }
    // A surrogate alone has no UTF-8; Java's encoder, between the server's two parses, writes a question mark.
    guard let scalar = Unicode.Scalar(value) else { return [UInt8(ascii: "?")] }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func parseHexadecimal() throws(Failure) -> UInt16 {
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw malformed("Malformed Unicode escape") }
    position += 4
    return value
  }

  /// A number, a keyword, or what the server reads as a string without quotes.
  private mutating func parseWord() throws(Failure) -> LiteralJSON {
    let start = position
    while position < bytes.count, !Self.endsWord[Int(bytes[position])] { position += 1 }
    guard position > start else { throw malformed("Expected value") }
    let word = bytes[start..<position]
    if Self.isNumber(word) { return .number(String(decoding: word, as: UTF8.self)) }
    let text = String(decoding: word, as: UTF8.self)
    let keyword: LiteralJSON? =
      switch text.lowercased() {
      case "true": .bool(true)
      case "false": .bool(false)
      case "null": .null
      default: nil
      }
    if keyword == nil || text != text.lowercased() { isStrict = false }
    return keyword ?? .string(text)
  }

  private static let endsWord: [Bool] = {
    var table = [Bool](repeating: false, count: 256)
    for byte in "/\\;#={}[]:,\" \t\u{C}\r\n".utf8 { table[Int(byte)] = true }
    return table
  }()

  /// RFC 8259, section 6.
  private static func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
    var rest = word
    func digit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
    func dropDigits() -> Bool {
      guard digit(rest.first) else { return false }
      rest = rest.drop { digit($0) }
      return true
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    if rest.first == UInt8(ascii: "0") { rest = rest.dropFirst() } else if !dropDigits() { return false }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      if !dropDigits() { return false }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
      if !dropDigits() { return false }
    }
    return rest.isEmpty
  }

  private mutating func open() throws(Failure) {
    position += 1
    depth += 1
    if depth > LiteralJSON.nestingLimit { throw malformed("Nesting limit \(LiteralJSON.nestingLimit) reached") }
  }

  private mutating func close(_ value: LiteralJSON) -> LiteralJSON {
    depth -= 1
    return value
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipBlanks() {
    while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private var place: String {
    let before = bytes[..<position]
    let line = before.count { $0 == 0x0A } + 1
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    return "at line \(line) column \(position - lineStart + 1) path $"
  }

  private var endOfInput: Failure { Failure(message: "java.io.EOFException: End of input \(place)") }

  private func malformed(_ what: String) -> Failure {
    Failure(
      message: "com.google.gson.stream.MalformedJsonException: \(what) \(place)\n"
        + "See https://github.com/google/gson/blob/main/Troubleshooting.md#malformed-json")
  }
}
