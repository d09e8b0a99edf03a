import Testing

@testable import Telemetry

@Suite struct Keys {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let name: String
    let error: KeyError?
    /// What cleaning makes of it; `nil` for nothing.
    let cleaned: String?
    init(_ description: String, _ name: String, _ error: KeyError?, cleaned: String?) {
      (testDescription, self.name, self.error, self.cleaned) = (description, name, error, cleaned)
    }
  }

  static let rows = [
    Row("a name", "temperature", nil, cleaned: "temperature"),
    Row("a prefix", "climate.temperature", nil, cleaned: "climate.temperature"),
    Row("any script", "温度 é 😀", nil, cleaned: "温度 é 😀"),
    Row("quotes and backslashes", "a\"b\\c", nil, cleaned: "a\"b\\c"),
    Row("empty", "", .blank, cleaned: nil),
    Row("white space", " \u{3000} ", .blank, cleaned: nil),
    Row("white space around", " a b ", nil, cleaned: "a b"),
    Row("255 units", String(repeating: "k", count: 255), nil, cleaned: String(repeating: "k", count: 255)),
    Row("256 units", String(repeating: "k", count: 256), .tooLong(256), cleaned: String(repeating: "k", count: 255)),
    Row(
      "a scalar of two units on the edge", String(repeating: "😀", count: 128), .tooLong(256),
      cleaned: String(repeating: "😀", count: 127)),
    Row(
      "white space on the edge", String(repeating: "k", count: 254) + " k", .tooLong(256),
      cleaned: String(repeating: "k", count: 254)),
    Row("HTML", "<b>bold</b>", .html, cleaned: "bbold/b"),
    Row("an open tag", "a<b", .html, cleaned: "ab"),
    Row("greater than", "a>b", nil, cleaned: "ab"),
    Row("a template", "{{x}}", .template, cleaned: "{x}"),
    Row("an open template", "a{{", .template, cleaned: "a{"),
    Row("single braces", "a{1}", nil, cleaned: "a{1}"),
    Row("many braces", "{{{x}}}", .template, cleaned: "{x}"),
    Row("braces that meet when cleaned", "{<{x}\u{7F}}", .html, cleaned: "{x}"),
    Row("U+0000", "a\0b", .controlCharacter, cleaned: "ab"),
    Row("a line end", "a\r\n", .controlCharacter, cleaned: "a"),
    Row("control characters only", "\u{1}\u{85}\u{9F}", .controlCharacter, cleaned: nil),
    Row("nothing but what is taken out", "<>", .html, cleaned: nil),
  ]

  @Test(arguments: rows) func inAConfiguration(_ row: Row) {
    let result = Result { () throws(KeyError) in try Key(row.name).name }
    #expect(result == row.error.map { .failure($0) } ?? .success(row.name))
  }

  @Test(arguments: rows) func onALine(_ row: Row) throws {
    let key = Key.cleaned(row.name)
    #expect(key?.name == row.cleaned)
    if let key {
      #expect(try Key(key.name) == key)
      #expect(Key.cleaned(key.name) == key)
    }
  }

  @Test func whateverALineHoldsTheCleanedKeyIsAccepted() {
    var generator = SeededGenerator(4)
    let alphabet: [Unicode.Scalar] = ["a", "{", "}", "<", ">", " ", "\0", "\n", "😀", "\u{A0}", "\"", "é", "\u{301}"]
    for _ in 0..<1_000 {
      var raw = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...300, using: &generator) {
        if let scalar = alphabet.randomElement(using: &generator) { raw.append(scalar) }
      }
      guard let key = Key.cleaned(String(raw)) else { continue }
      #expect(throws: Never.self) { try Key(key.name) }
      #expect(!key.name.contains("}}") && !key.name.contains(">"))
    }
  }

  @Test func theEncodedFormIsAMemberName() throws {
    #expect(try Key("a\"b\\é").encoded == Array(#""a\"b\\é":"#.utf8))
  }

  @Test func keysAreEqualWhereTheirBytesAre() throws {
    #expect(try Key("a") == Key("a"))
    #expect(try Key("\u{E9}") != Key("e\u{301}"))
    #expect(try Set([Key("a"), Key("b"), Key("a")]).count == 2)
  }

  @Test(arguments: [KeyError.blank, .tooLong(300), .html, .template, .controlCharacter])
  func anErrorSaysWhatToDo(_ error: KeyError) {
    #expect(["give it a name", "shorten it", "leave it out"].contains { error.description.hasSuffix($0) })
  }
}
