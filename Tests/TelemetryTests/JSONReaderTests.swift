import Testing

@testable import Telemetry

@Suite struct JSONReading {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let expected: Result<JSON, JSONError>
    init(_ description: String, _ text: String, _ value: JSON) {
      (testDescription, bytes, expected) = (description, Array(text.utf8), .success(value))
    }
    init(_ description: String, _ text: String, _ code: JSONError.Code, at offset: Int) {
      self.init(description, Array(text.utf8), code, at: offset)
    }
    init(_ description: String, _ bytes: [UInt8], _ code: JSONError.Code, at offset: Int) {
      (testDescription, self.bytes, expected) = (description, bytes, .failure(JSONError(code, at: offset)))
    }
  }

  static let documents = [
    Row("null", "null", .null),
    Row("true", "true", .bool(true)),
    Row("false with white space around", " \t\r\nfalse \n", .bool(false)),
    Row("an integer", "73", .integer(73)),
    Row("zero", "0", .integer(0)),
    Row("negative zero is an integer", "-0", .integer(0)),
    Row("the largest integer", "9223372036854775807", .integer(.max)),
    Row("the smallest integer", "-9223372036854775808", .integer(.min)),
    Row("an integer beyond 64 bits", "9223372036854775808", .double(0x1p63)),
    Row("an integer below 64 bits", "-9223372036854775809", .double(-0x1p63)),
    Row("an integer of 40 digits", "1" + String(repeating: "0", count: 39), .double(1e39)),
    Row("a double", "42.0", .double(42)),
    Row("negative zero as a double", "-0.0", .double(-0.0)),
    Row("an exponent", "1e3", .double(1000)),
    Row("a capital exponent with a sign", "1.0E-4", .double(0.0001)),
    Row("a zero with an exponent", "0e999999999", .double(0)),
    Row("an exponent beyond a double", "1e999999999", .double(.infinity)),
    Row("an exponent below a double", "-1e-999999999", .double(-0.0)),
    Row("17 digits", "0.30000000000000004", .double(0.1 + 0.2)),
    Row("an empty string", "\"\"", .string("")),
    Row("every escape", #""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")),
    Row("an escaped character", #""\u00e9\u20AC""#, .string("é€")),
    Row("a surrogate pair", #""\ud83d\uDE00""#, .string("😀")),
    Row("an escaped U+0000", #""a\u0000b""#, .string("a\0b")),
    Row("characters of all lengths", "\"aé€😀\u{7F}\"", .string("aé€😀\u{7F}")),
    Row("an empty array", "[ ]", .array([])),
    Row("an empty object", "{ }", .object([])),
    Row(
      "members in order", #"{"b":1,"a":[true,null,{"c":"x"}]}"#,
      .object([
        .init("b", .integer(1)),
        .init("a", .array([.bool(true), .null, .object([.init("c", .string("x"))])])),
      ])),
    Row(
      "names that differ in bytes only", "{\"\u{E9}\":1,\"e\u{301}\":2}",
      .object([.init("\u{E9}", .integer(1)), .init("e\u{301}", .integer(2))])),
  ]

  static let hostile = [
    Row("nothing", "", .empty, at: 0),
    Row("white space only", " \n", .empty, at: 2),
    Row("a byte order mark", [0xEF, 0xBB, 0xBF, 0x31], .byteOrderMark, at: 0),
    Row("bytes behind the document", "{} x", .trailingBytes, at: 3),
    Row("two documents", "1 2", .trailingBytes, at: 2),
    Row("a U+0000 behind the document", "{}\0", .trailingBytes, at: 2),
    Row("a U+0000 alone", "\0", .unexpectedByte, at: 0),
    Row("UTF-16", [0x7B, 0x00, 0x7D, 0x00], .unexpectedByte, at: 1),
    Row("a comment", "//c\n1", .unexpectedByte, at: 0),
    Row("NaN", "NaN", .unexpectedByte, at: 0),
    Row("nan", "nan", .badLiteral, at: 0),
    Row("Infinity", "-Infinity", .badNumber, at: 0),
    Row("TRUE", "TRUE", .unexpectedByte, at: 0),
    Row("half a word", "tru", .badLiteral, at: 0),
    Row("a longer word", "truely", .trailingBytes, at: 4),
    Row("a plus sign", "+1", .unexpectedByte, at: 0),
    Row("a point first", ".5", .unexpectedByte, at: 0),
    Row("a point last", "[1.]", .badNumber, at: 1),
    Row("a point at the end", "1.", .unexpectedEnd, at: 2),
    Row("zeros first", "00", .badNumber, at: 0),
    Row("a zero first", "[-01]", .badNumber, at: 1),
    Row("a minus alone", "-", .unexpectedEnd, at: 1),
    Row("a minus before nothing", "[-]", .badNumber, at: 1),
    Row("two minus", "--1", .badNumber, at: 0),
    Row("an exponent without digits", "[1e]", .badNumber, at: 1),
    Row("an exponent's sign without digits", "1e+", .unexpectedEnd, at: 3),
    Row("two points", "1.2.3", .trailingBytes, at: 3),
    Row("hexadecimal digits", "0x10", .trailingBytes, at: 1),
    Row("a number of 1025 digits", String(repeating: "9", count: 1025), .numberTooLong, at: 0),
    Row("a string without end", "\"abc", .unexpectedEnd, at: 4),
    Row("a string that ends in a backslash", #""abc\"#, .unexpectedEnd, at: 5),
    Row("a string whose quote is escaped", #""abc\""#, .unexpectedEnd, at: 6),
    Row("single quotes", "'a'", .unexpectedByte, at: 0),
    Row("an unknown escape", #""a\x41""#, .badEscape, at: 2),
    Row("an escape of a character outside ASCII", #""\é""#, .badEscape, at: 1),
    Row("an unfinished escape", #""\u12""#, .badEscape, at: 1),
    Row("an escape that is not hexadecimal", #""\u12G4""#, .badEscape, at: 1),
    Row("a sign in an escape", #""\u+123""#, .badEscape, at: 1),
    Row("a high surrogate alone", #""\ud800""#, .loneSurrogate, at: 1),
    Row("a low surrogate alone", #""x\udc00""#, .loneSurrogate, at: 2),
    Row("two high surrogates", #""\ud800\ud800""#, .loneSurrogate, at: 1),
    Row("a high surrogate and an unfinished escape", #""\ud800\u""#, .badEscape, at: 7),
    Row("a high surrogate and another escape", #""\ud800\n""#, .loneSurrogate, at: 1),
    Row("a line end in a string", "\"a\nb\"", .controlCharacter, at: 2),
    Row("a U+0000 in a string", "\"\0\"", .controlCharacter, at: 1),
    Row("a continuation byte", [0x22, 0x61, 0x80, 0x22], .invalidUTF8, at: 2),
    Row("an overlong slash", [0x22, 0xC0, 0xAF, 0x22], .invalidUTF8, at: 1),
    Row("an overlong character of three bytes", [0x22, 0xE0, 0x80, 0xAF, 0x22], .invalidUTF8, at: 1),
    Row("a surrogate in UTF-8", [0x22, 0xED, 0xA0, 0x80, 0x22], .invalidUTF8, at: 1),
    Row("beyond U+10FFFF", [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .invalidUTF8, at: 1),
    Row("a character cut off", [0x22, 0xC3, 0x22], .invalidUTF8, at: 1),
    Row("a character cut off by an escape", [0x22, 0xC3, 0x5C, 0x6E, 0x22], .invalidUTF8, at: 1),
    Row("0xFF", [0x22, 0xFF, 0xFE, 0x22], .invalidUTF8, at: 1),
    Row("bad UTF-8 outside strings", [0x5B, 0xFF, 0x5D], .unexpectedByte, at: 1),
    Row("an array without end", "[1,2", .unexpectedEnd, at: 4),
    Row("a comma first", "[,1]", .unexpectedByte, at: 1),
    Row("a comma last", "[1,]", .unexpectedByte, at: 3),
    Row("a semicolon", "[1;2]", .unexpectedByte, at: 2),
    Row("closed by the wrong bracket", "[1}", .unexpectedByte, at: 2),
    Row("an object without end", "{\"a\":1", .unexpectedEnd, at: 6),
    Row("an object that ends behind a name", "{\"a\"", .unexpectedEnd, at: 4),
    Row("an object that ends behind a colon", "{\"a\":", .unexpectedEnd, at: 5),
    Row("an object that ends behind a comma", "{\"a\":1,", .unexpectedEnd, at: 7),
    Row("no value", "{\"a\"}", .unexpectedByte, at: 4),
    Row("a name without quotes", "{a:1}", .unexpectedByte, at: 1),
    Row("a number for a name", "{1:2}", .unexpectedByte, at: 1),
    Row("a comma last in an object", "{\"a\":1,}", .unexpectedByte, at: 7),
    Row("a name twice", #"{"a":1,"b":2,"a":3}"#, .duplicateName, at: 13),
    Row("a name twice, once escaped", #"{"a":1,"\u0061":2}"#, .duplicateName, at: 7),
    Row(
      "a name twice among many", "{" + (0..<20).map { "\"k\($0)\":0," }.joined() + "\"k3\":1}", .duplicateName,
      at: 151),
    Row("65 arrays", String(repeating: "[", count: 65), .tooDeep, at: 64),
    Row("65 objects", String(repeating: "{\"a\":", count: 65), .tooDeep, at: 320),
    Row("a million arrays", String(repeating: "[", count: 1_000_000), .tooDeep, at: 64),
    Row("100,000 elements", "[" + String(repeating: "0,", count: 100_000) + "0]", .tooManyValues, at: 199_999),
    Row("more than a mebibyte", "\"" + String(repeating: "x", count: 1 << 20) + "\"", .tooLarge, at: 1 << 20),
  ]

  @Test(arguments: documents) func itReads(_ row: Row) {
    #expect(Result { () throws(JSONError) in try JSON(parsing: row.bytes) } == row.expected)
  }

  @Test(arguments: hostile) func itRefuses(_ row: Row) {
    #expect(Result { () throws(JSONError) in try JSON(parsing: row.bytes) } == row.expected)
  }

  @Test(arguments: documents + hostile) func offsetsInASliceCountFromItsStart(_ row: Row) {
    let line = [0x20, 0x5B] + row.bytes + [0x5D]
    let slice = line[2..<line.count - 1]
    #expect(Result { () throws(JSONError) in try JSON(parsing: slice) } == row.expected)
  }

  @Test func sixtyFourLevelsAreRead() throws {
    let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(try JSON(parsing: Array(text.utf8)).text == text)
  }

  @Test func noCallerCanAskForMoreDepthThanTheStackBears() {
    var limits = JSONLimits(size: 10_000_000, depth: 1_000_000, values: 10_000_000)
    limits.depth = .max
    let bytes = Array(String(repeating: "[", count: 1_000_000).utf8)
    #expect(throws: JSONError(.tooDeep, at: 256)) { try JSON(parsing: bytes, limits: limits) }
  }

  /// Cuts and changes of good documents must end in an error or a value, never in a trap.
  @Test func noDamageDoesHarm() {
    var generator = SeededGenerator(5)
    let seeds =
      Self.documents.map(\.bytes) + [
        Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00"],"b":{"c":null,"d":true}}"#.utf8)
      ]
    for _ in 0..<10_000 {
      guard var bytes = seeds.randomElement(using: &generator) else { return }
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0...bytes.count, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0 where index < bytes.count: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1 where index < bytes.count: bytes.remove(at: index)
        case 2: bytes.insert(#"{}[]",:\u"#.utf8.randomElement(using: &generator) ?? 0, at: index)
        default: bytes.removeSubrange(index...)
        }
      }
      guard case .failure(let error) = Result(catching: { () throws(JSONError) in try JSON(parsing: bytes) }) else {
        continue
      }
      if !(0...bytes.count).contains(error.offset) { Issue.record("\(error) in \(quoted(bytes))") }
    }
  }

  @Test func anErrorSaysWhereAndWhat() {
    #expect("\(JSONError(.loneSurrogate, at: 17))" == "byte 17: half of a surrogate pair")
    #expect(
      Set(JSONError.Code.allCases.map { JSONError($0, at: 0).description }).count == JSONError.Code.allCases.count)
  }

  @Test func membersAreFoundByName() throws {
    let reply = try JSON(parsing: Array(#"{"id":5,"params":{"pin":"23"}}"#.utf8))
    #expect(reply["id"] == .integer(5))
    #expect(reply["params"]?["pin"] == .string("23"))
    #expect(reply["method"] == nil)
    #expect(JSON.array([])["id"] == nil)
  }
}
