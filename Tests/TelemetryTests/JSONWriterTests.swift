import Testing

@testable import Telemetry

@Suite struct JSONWriting {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let value: JSON
    let text: String
    init(_ description: String, _ value: JSON, _ text: String) {
      (testDescription, self.value, self.text) = (description, value, text)
    }
  }

  static let rows = [
    Row("null", .null, "null"),
    Row("true", .bool(true), "true"),
    Row("an integer", .integer(-5), "-5"),
    Row("a double keeps its point", .double(42), "42.0"),
    Row("a double has no exponent", .double(1e-7), "0.0000001"),
    Row("what JSON has no word for", .array([.double(.nan), .double(.infinity)]), "[null,null]"),
    Row("quotes and backslashes", .string("\"\\"), #""\"\\""#),
    Row("line ends and tabs", .string("\r\n\t"), #""\r\n\t""#),
    Row("other control characters", .string("\u{1}\u{1F}\u{8}"), #""\u0001\u001f\u0008""#),
    Row("U+0000 is left out", .string("a\0b\0"), #""ab""#),
    Row("what JavaScript takes for line ends", .string("\u{2028}x\u{2029}"), #""\u2028x\u2029""#),
    Row("its neighbours", .string("\u{2027}\u{202A}€™"), "\"\u{2027}\u{202A}€™\""),
    Row("other scripts stay as they are", .string("é温😀/"), "\"é温😀/\""),
    Row("HTML in a string is harmless", .string("<b>"), "\"<b>\""),
    Row("empty containers", .array([.object([]), .array([])]), "[{},[]]"),
    Row(
      "members in order", .object([.init("b", .integer(1)), .init("a\"", .array([.null, .string("")]))]),
      #"{"b":1,"a\"":[null,""]}"#),
  ]

  @Test(arguments: rows) func itWrites(_ row: Row) {
    #expect(row.value.text == row.text)
  }

  @Test func itAppends() {
    #expect(
      text { buffer in
        buffer = Array("x".utf8)
        JSON.integer(1).write(into: &buffer)
      } == "x1")
  }

  @Test func everyCharacterSurvives() throws {
    var all = String.UnicodeScalarView()
    for value in 1...0x1_1000 {
      if let scalar = Unicode.Scalar(UInt32(value)) { all.append(scalar) }
    }
    let value = JSON.object([.init(String(all), .string(String(all)))])
    #expect(try JSON(parsing: Array(value.text.utf8)) == value)
  }

  @Test func whatIsWrittenReadsBack() throws {
    var generator = SeededGenerator(6)
    for _ in 0..<2_000 {
      let value = Self.randomDocument(depth: 0, using: &generator)
      #expect(try JSON(parsing: Array(value.text.utf8)) == value)
    }
  }

  private static func randomDocument(depth: Int, using generator: inout SeededGenerator) -> JSON {
    let count = depth < 4 ? Int.random(in: 0...4, using: &generator) : 0
    switch Int.random(in: 0...6, using: &generator) {
    case 0: return .null
    case 1: return .bool(.random(using: &generator))
    case 2: return .integer(Int64(bitPattern: generator.next()))
    case 3: return .double(Double(Int.random(in: -99_999...99_999, using: &generator)) / 1000)
    case 4: return .string(String(repeating: "a\n\"é", count: count))
    case 5: return .array((0..<count).map { _ in randomDocument(depth: depth + 1, using: &generator) })
    default:
      return .object((0..<count).map { .init("k\($0)", randomDocument(depth: depth + 1, using: &generator)) })
    }
  }
}
