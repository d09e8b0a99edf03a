import Testing
import YAML

/// What a person may get wrong in `s:`, read by the reader below it.
@Suite struct MappingReaderTests {
  enum Level: String, CaseIterable { case low, medium, high }

  /// Reads every kind of value once.
  private func read(_ row: Row) -> [String] {
    let diagnostics = Diagnostics()
    guard let node = YAMLNode.load(row.bytes, file: "f", diagnostics: diagnostics),
      var root = MappingReader(node, path: "", diagnostics: diagnostics)
    else { return diagnostics.errors.map(\.description) }
    let refused = diagnostics.errorCount
    if var reader = root.mapping("s") {
      _ = reader.string("text")
      _ = reader.requiredString("name")
      let _: UInt8? = reader.integer("unit", in: 1...247)
      _ = reader.double("factor", in: 0...10)
      _ = reader.boolean("flag")
      _ = reader.duration("wait", in: .seconds(1) ... .seconds(3600))
      _ = reader.size("room", in: 1024...65536)
      _ = reader.word("level", of: Level.self)
      _ = reader.word("parity", of: ["even": 2, "odd": 1])
      _ = reader.strings("columns")
      _ = reader.entries("units")
      if var child = reader.mapping("child") { _ = child.finish() }
      reader.notYet("later", "Modbus")
      let isFine = reader.finish(hints: ["units_": "write `units`"])
      #expect(isFine == (diagnostics.errorCount == refused))
    }
    #expect(root.finish() == (diagnostics.errorCount == refused))
    return diagnostics.errors.map(\.description)
  }

  static let rows = [
    Row(
      "all of it right",
      """
      s: {name: x, text: on, unit: 0x10, factor: 1e0, flag: true, wait: 5m, room: 64KB, level: low, parity: odd,
        columns: [a, b], units: {t: °C}, child: {}}
      """),
    Row("not a mapping", "s: 5\n", "f:1:4: s is \"5\"; expected keys, each on a line \"key: value\""),
    Row(
      "a document that is a list", "- a\n",
      "f:1:1: the document is a list; expected keys, each on a line \"key: value\""),
    Row(
      "a document of nothing", "---\n", "f:2:1: the document is nothing; expected keys, each on a line \"key: value\""),
    Row("no value", "s:\n  name: x\n  text:\n", "f:3:8: s.text has no value; write one or remove the key"),
    Row("a tilde", "s: {name: ~}\n", "f:1:11: s.name has no value; write one or remove the key"),
    Row("a required key absent", "s:\n  text: x\n", "f:2:3: s has no \"name\", which is required"),
    Row(
      "a required key misspelt is reported once", "s:\n  nmae: x\n",
      "f:2:3: unknown key \"nmae\" in s; did you mean \"name\"?"),
    Row("an empty text", "s: {name: ''}\n", "f:1:11: s.name is \"\"; expected text that is not empty"),
    Row("a list for a text", "s: {name: x, text: [a]}\n", "f:1:20: s.text is a list; expected text"),
    Row("too much", "s: {name: x, unit: 248}\n", "f:1:20: s.unit is \"248\"; expected an integer from 1 to 247"),
    Row(
      "far too much", "s: {name: x, unit: 99999999999999999999}\n",
      "f:1:20: s.unit is \"99999999999999999999\"; expected an integer from 1 to 247"),
    Row(
      "an octal, perhaps", "s: {name: x, unit: 017}\n", "f:1:20: s.unit is \"017\"; expected an integer from 1 to 247"),
    Row(
      "a number with letters", "s: {name: x, unit: 1O}\n", "f:1:20: s.unit is \"1O\"; expected an integer from 1 to 247"
    ),
    Row("two signs", "s: {name: x, unit: +-1}\n", "f:1:20: s.unit is \"+-1\"; expected an integer from 1 to 247"),
    Row(
      "an integer in quotes", "s: {name: x, unit: '5'}\n",
      "f:1:20: s.unit is \"5\"; expected an integer from 1 to 247 without quotes"),
    Row("NaN", "s: {name: x, factor: nan}\n", "f:1:22: s.factor is \"nan\"; expected a number from 0.0 to 10.0"),
    Row(
      "infinity", "s: {name: x, factor: 1e999}\n", "f:1:22: s.factor is \"1e999\"; expected a number from 0.0 to 10.0"),
    Row(
      "a comma for a point", "s:\n  name: x\n  factor: 0,5\n",
      "f:3:11: s.factor is \"0,5\"; expected a number from 0.0 to 10.0"),
    Row("on is a word", "s: {name: x, flag: on}\n", "f:1:20: s.flag is \"on\"; expected true or false"),
    Row("True is a word", "s: {name: x, flag: True}\n", "f:1:20: s.flag is \"True\"; expected true or false"),
    Row(
      "a duration without unit", "s: {name: x, wait: 5}\n",
      "f:1:20: s.wait is \"5\"; expected a duration from 1s to 1h such as 250ms, 5s, 10m or 1h"),
    Row(
      "a duration too short", "s: {name: x, wait: 10ms}\n",
      "f:1:20: s.wait is \"10ms\"; expected a duration from 1s to 1h such as 250ms, 5s, 10m or 1h"),
    Row(
      "a duration that overflows", "s: {name: x, wait: 9223372036854775807d}\n",
      "f:1:20: s.wait is \"9223372036854775807d\"; expected a duration from 1s to 1h such as 250ms, 5s, 10m or 1h"),
    Row(
      "a size in lower case", "s: {name: x, room: 64kb}\n",
      "f:1:20: s.room is \"64kb\"; expected a size from 1KB to 64KB such as 64KB or 256MB"),
    Row(
      "a size that overflows", "s: {name: x, room: 9223372036854775807GB}\n",
      "f:1:20: s.room is \"9223372036854775807GB\"; expected a size from 1KB to 64KB such as 64KB or 256MB"),
    Row(
      "a word nearly right", "s: {name: x, level: hihg}\n",
      "f:1:21: s.level is \"hihg\"; expected low, medium or high; did you mean \"high\"?"),
    Row("a word far off", "s: {name: x, parity: space}\n", "f:1:22: s.parity is \"space\"; expected even or odd"),
    Row("text for a list", "s: {name: x, columns: a}\n", "f:1:23: s.columns is \"a\"; expected a list such as [a, b]"),
    Row("a list in a list", "s: {name: x, columns: [a, [b]]}\n", "f:1:27: s.columns[1] is a list; expected text"),
    Row(
      "a list for names", "s: {name: x, units: [a]}\n",
      "f:1:21: s.units is a list; expected names, each on a line \"name: value\""),
    Row(
      "a key of a later version", "s: {name: x, later: 1}\n",
      "f:1:14: s.later is not supported yet by this version (Modbus)"),
    Row("a key with a hint", "s: {name: x, units_: 1}\n", "f:1:14: unknown key \"units_\" in s; write `units`"),
    Row("a key near none", "t: 1\n", "f:1:1: unknown key \"t\"; expected s"),
    Row(
      "a key where there is none to know", "s: {name: x, child: {a: 1}}\n",
      "f:1:22: unknown key \"a\" in s.child; expected no key at all"),
    Row(
      "control characters are shown, not sent to the terminal", "s: {name: x, \"\\e[31m\\n\": 1}\n",
      "f:1:14: unknown key \"\\u{1b}[31m\\n\" in s; expected text, name, unit, factor, flag, wait, room, level, parity, "
        + "columns, units or child"),
    Row(
      "a space forgotten after a colon", "s: {name: x, unit:5}\n",
      "f:1:14: a space is missing after the colon of \"unit\" in s"),
    Row(
      "everything at once, in the order of the file", "s:\n  unit: 0\n  nam: x\n  flag: 1\n",
      "f:2:9: s.unit is \"0\"; expected an integer from 1 to 247",
      "f:3:3: unknown key \"nam\" in s; did you mean \"name\"?",
      "f:4:9: s.flag is \"1\"; expected true or false"),
    Row(
      "what the loader refused is not reported again", "s: {name: *x}\n",
      "f:1:11: aliases (*name) are not supported; write the value out, or quote text that begins with *"),
  ]

  @Test(arguments: rows) func reports(_ row: Row) {
    #expect(read(row) == row.expected)
  }

  static let secretRows = [
    Row("text for a mapping", "s: TOP\n", "f:1:4: s is text; expected keys, each on a line \"key: value\""),
    Row("a value for a key", "s: {TOP}\n", "f:1:5: unknown key (not shown) in s; expected token or token_file"),
    Row(
      "a key and a value in one", "s: {token TOP}\n",
      "f:1:5: unknown key (not shown) in s; expected token or token_file"),
    Row("a space forgotten", "s: {token:TOP}\n", "f:1:5: a space is missing after the colon of \"token\" in s"),
    Row("a key misspelt", "s: {tokn: TOP}\n", "f:1:5: unknown key \"tokn\" in s; did you mean \"token\"?"),
    Row(
      "an alias", "s: {token: *TOP}\n",
      "f:1:12: aliases (*name) are not supported; write the value out, or quote text that begins with *"),
    Row("text where a file's name ends up", "s: {token_file: TOP}\n", "f:1:17: s.token_file is text; expected a path"),
  ]

  @Test(arguments: secretRows) func showsNoSecret(_ row: Row) throws {
    let diagnostics = Diagnostics()
    let node = try #require(YAMLNode.load(row.bytes, file: "f", diagnostics: diagnostics))
    var root = try #require(MappingReader(node, path: "", diagnostics: diagnostics))
    if var reader = root.mapping("s", isSecret: true) {
      _ = reader.string("token")
      if reader.string("token_file") != nil { reader.mismatch("token_file", expected: "a path") }
      _ = reader.finish()
    }
    #expect(diagnostics.errors.map(\.description) == row.expected)
    #expect(!diagnostics.errors.contains { $0.description.contains("TOP") })
  }

  @Test func readsEveryKindOfValue() throws {
    let text = """
      unit: 0xF7
      minus: -5
      factor: -2.5e-1
      wait: 90s
      room: 2MB
      parity: even
      names: {a.b: 1, c: 2}
      """
    let diagnostics = Diagnostics()
    let node = try #require(YAMLNode.load(Array(text.utf8), file: "f", diagnostics: diagnostics))
    var reader = try #require(MappingReader(node, path: "sensors.house", diagnostics: diagnostics))
    #expect(reader.name == "house")
    #expect(reader.integer("unit", in: 0...255 as ClosedRange<UInt8>) == 247)
    #expect(reader.integer("minus", in: -10...10) == -5)
    #expect(reader.double("factor") == -0.25)
    #expect(reader.duration("wait") == .seconds(90))
    #expect(reader.size("room") == 2 << 20)
    #expect(reader.word("parity", of: ["even": 2, "odd": 1]) == 2)
    let names = reader.entries("names") ?? []
    #expect(names.map(\.name) == ["a.b", "c"])
    #expect(names.map(\.path) == ["sensors.house.names.a.b", "sensors.house.names.c"])
    let isFine = reader.finish()
    #expect(isFine)
  }

  @Test(arguments: [
    ("250ms", Duration.milliseconds(250)), ("0s", .zero), ("1d", .seconds(86400)), ("50us", .microseconds(50)),
    ("90s", .seconds(90)), ("1h", .seconds(3600)), ("2m", .seconds(120)),
  ]) func durationsAreSpelledAsTheyAreRead(_ text: String, _ duration: Duration) {
    #expect(Duration(configured: text) == duration)
    #expect(Duration(configured: duration.configured) == duration)
  }

  @Test(arguments: ["", "s", "5", "5 s", "-5s", "+5s", "5S", "5sec", "1.5s", "٥s", "5s5"])
  func noDuration(_ text: String) {
    #expect(Duration(configured: text) == nil)
  }

  @Test(arguments: [("512B", 512), ("64KB", 65536), ("3MB", 3 << 20), ("1GB", 1 << 30), ("0B", 0)])
  func sizesAreSpelledAsTheyAreRead(_ text: String, _ size: Int) {
    #expect(Int(configuredSize: text) == size)
    #expect(configuredSize(size) == text)
  }

  @Test(arguments: [
    ("regsters", "registers"), ("baud_rate", nil), ("buad", "baud"), ("Port", "port"), ("prot", "port"),
    ("x", nil), ("", nil), ("paritty", "parity"), ("registersregisters", nil),
  ]) func nearWord(_ word: String, _ expected: String?) {
    #expect(nearestWord(to: word, among: ["registers", "baud", "port", "parity", "p"]) == expected)
  }
}
