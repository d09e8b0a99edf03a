import Testing
import YAML

@Suite struct LoadingTests {
  @Test func keepsTextAndPlaces() throws {
    let (node, messages) = Row("", "a: on\nb:\n  - 'x: y'\n  - {c: 0403, d: \"\\tz\"}\n").load()
    #expect(messages.isEmpty)
    func scalar(_ text: String, _ isPlain: Bool, _ line: Int, _ column: Int) -> YAMLNode {
      YAMLNode(.scalar(text, isPlain: isPlain), line: line, column: column)
    }
    let inner = YAMLNode(
      .mapping([
        .init(key: scalar("c", true, 4, 6), value: scalar("0403", true, 4, 9)),
        .init(key: scalar("d", true, 4, 15), value: scalar("\tz", false, 4, 18)),
      ]), line: 4, column: 5)
    let list = YAMLNode(.sequence([scalar("x: y", false, 3, 5), inner]), line: 3, column: 3)
    #expect(
      node
        == YAMLNode(
          .mapping([
            .init(key: scalar("a", true, 1, 1), value: scalar("on", true, 1, 4)),
            .init(key: scalar("b", true, 2, 1), value: list),
          ]), line: 1, column: 1))
  }

  @Test func skipsAByteOrderMarkAndCarriageReturns() {
    let (node, messages) = Row("", bytes: [0xEF, 0xBB, 0xBF] + Array("a: b\r\nc: d\r\n".utf8), []).load()
    #expect(messages.isEmpty)
    guard case .mapping(let entries) = node?.value else { Issue.record("no mapping"); return }
    #expect(entries.map(\.name) == ["a", "c"])
    #expect(entries.map(\.value.text) == ["b", "d"])
    #expect(entries[0].key.column == 1)
  }

  static let refused = [
    Row("an empty file", "", "f:1:1: the file is empty"),
    Row("a file of comments", "# nothing\n", "f:1:1: the file is empty"),
    Row(
      "an anchor and its alias", "a: &x 1\nb: *x\n",
      "f:1:4: anchors (&name) are not supported; write the value out, or quote text that begins with &",
      "f:2:4: aliases (*name) are not supported; write the value out, or quote text that begins with *"),
    Row(
      "an anchored mapping", "a: &x {b: 1}\n",
      "f:1:4: anchors (&name) are not supported; write the value out, or quote text that begins with &"),
    Row(
      "a tag", "a: !!str 1\n",
      "f:1:4: tags (!name) are not supported; leave it out, or quote text that begins with !"),
    Row("a merge key", "a:\n  <<: {b: 1}\n", "f:2:3: \"<<\": merge keys are not supported; write the values out"),
    Row("a key twice", "a: 1\nb: 2\na: 3\n", "f:3:1: \"a\" stands twice here; it is on line 1 already"),
    Row("a key twice, once in quotes", "a: 1\n\"a\": 3\n", "f:2:1: \"a\" stands twice here; it is on line 1 already"),
    Row("a list for a key", "? [a]\n: 1\n", "f:1:3: a list cannot be a key; quote text that begins with { or ["),
    Row("an empty key", "'': 1\n", "f:1:1: a key is missing before the colon"),
    Row(
      "two documents", "a: 1\n---\nb: 2\n",
      "f:2:1: a second document begins here; a file is one document, remove the line with ---"),
    Row("a NUL by escape", "a: \"x\\0y\"\n", "f:1:4: text with a NUL character (\\0) is not accepted"),
    Row(
      "a raw NUL", bytes: Array("a: x\nb: y".utf8) + [0],
      ["f:2:5: a control character (0x00) is not accepted; is this a text file?"]),
    Row(
      "Latin-1", bytes: Array("a: x\nb: ä".utf8.dropLast(2)) + [0xE4, 0x0A],
      ["f:2:4: a byte (0xe4) that is not UTF-8; save the file as UTF-8"]),
    Row("UTF-16", bytes: [0xFF, 0xFE, 0x61, 0], ["f:1:1: a byte (0xff) that is not UTF-8; save the file as UTF-8"]),
    Row(
      "a cut character", bytes: Array("a: ".utf8) + [0xC3],
      [
        "f:1:4: a byte (0xc3) that is not UTF-8; save the file as UTF-8"
      ]),
    Row(
      "a surrogate in UTF-8", bytes: Array("a: ".utf8) + [0xED, 0xA0, 0x80],
      ["f:1:4: a byte (0xed) that is not UTF-8; save the file as UTF-8"]),
    Row("a tab for indentation", "a:\n\tb: 1\n", "f:2:1: a tab indents this line; YAML indents with spaces"),
    Row("a tab among spaces", "a:\n  b: 1\n \tc: 1\n", "f:3:2: a tab indents this line; YAML indents with spaces"),
    Row(
      "an open quote", "a: \"b\nc: d\n",
      "f:1:4: the quote that opens here is never closed"),
    Row(
      "a colon in plain text", "a: b: c\n",
      "f:1:5: mapping values are not allowed in this context; "
        + "a key follows on a line of its own, and text with \": \" in it needs quotes"),
    Row(
      "a colon forgotten", "a: 1\nb\nc: 2\n",
      "f:3:1: could not find expected ':' while scanning a simple key (from line 2); "
        + "is a colon and a space missing after a key?"),
    Row(
      "a backslash in double quotes", "a: \"\\d+\"\n",
      "f:1:5: found unknown escape character while parsing a quoted scalar; "
        + "in double quotes a backslash is written twice; single quotes leave it alone"),
    Row(
      "a template without quotes", "a: {t},{h}\n",
      "f:1:7: did not find expected key while parsing a block mapping; "
        + "text with { [ or quotes in it needs quotes around the whole; otherwise check the indentation"),
    Row(
      "an at sign", "a: @b\n",
      "f:1:4: found character that cannot start any token while scanning for the next token; "
        + "text that begins with @ needs quotes"),
    Row(
      "indentation that fits nothing", "a:\n    b: 1\n  c: 2\n",
      "f:3:3: did not find expected key while parsing a block mapping (from line 1); check the indentation"),
    Row(
      "2 MB", bytes: Array(repeating: 0x61, count: 2 << 20),
      [
        "f: the file has 2097152 bytes; at most 1048576 (1 MiB) are read"
      ]),
    Row("lists in lists", String(repeating: "[", count: 1000), "f:1:33: nested deeper than 32 levels"),
    Row(
      "mappings in mappings", String(repeating: "{a: ", count: 1000), "f:1:129: nested deeper than 32 levels"),
    Row(
      "lists in keys", String(repeating: "? [", count: 1000), "f:1:49: nested deeper than 32 levels"),
    Row(
      "too many values", "a: [" + String(repeating: "1,", count: 100_000) + "]",
      "f:1:199999: more than 100000 values; nothing beyond this one is read"),
    Row(
      "a billion laughs",
      "a: &a [x, x]\nb: &b [*a, *a]\n",
      "f:1:4: anchors (&name) are not supported; write the value out, or quote text that begins with &",
      "f:2:4: anchors (&name) are not supported; write the value out, or quote text that begins with &",
      "f:2:8: aliases (*name) are not supported; write the value out, or quote text that begins with *",
      "f:2:12: aliases (*name) are not supported; write the value out, or quote text that begins with *"),
  ]

  @Test(arguments: refused) func refuses(_ row: Row) {
    #expect(row.load().messages == row.expected)
  }

  @Test func reportsAtMostAHundredMessages() {
    let (_, messages) = Row("", String(repeating: "- *x\n", count: 250)).load()
    #expect(messages.count == Diagnostics.limit + 1)
    #expect(messages.last == "f: and 150 more errors")
  }

  /// Bytes of no plan must end in a tree or a message, never in a trap.
  @Test func survivesNoise() {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func random(below bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    let alphabet = Array("ab: \n  -[]{},'\"\\#&*!|>%@`?\t~0".utf8) + [0xC3, 0xA4, 0xFF, 0]
    for _ in 0..<3000 {
      let bytes = (0..<random(below: 60)).map { _ in alphabet[random(below: alphabet.count)] }
      let (node, messages) = Row("", bytes: bytes, []).load()
      #expect(node != nil || !messages.isEmpty, "\(bytes)")
    }
  }
}
