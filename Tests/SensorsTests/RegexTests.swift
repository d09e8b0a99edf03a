import Telemetry
import Testing

@testable import Sensors

private let celsius = #"regex: '(?<t>[-+0-9.]+) *C'"#

private let rows = [
  Row("named groups are values", celsius, "sensor 3 says 21.5 C today", gives: "t=21.5"),
  Row("types are declared", "regex: '(?<n>[0-9]+) (?<s>\\w+)'\ntypes: {n: int, s: text}", "7 on", gives: "n=7 s='on'"),
  Row("values come in the order of the groups", #"regex: '(?<b>\d+)-(?<a>\d+)'"#, "1-2", gives: "b=1.0 a=2.0"),
  Row("a group that took no part is left out", #"regex: 'T(?<t>\d+)( H(?<h>\d+))?'"#, "T21", gives: "t=21.0"),
  Row("a name may have two groups", #"regex: '(?J)T(?<t>\d+)|t(?<t>\d+)'"#, "t5", gives: "t=5.0"),
  Row("unnamed groups mean nothing", #"regex: '(a|b)=(?<t>\d+)'"#, "b=5", gives: "t=5.0"),
  Row("a point matches a whole character", #"regex: '^(?<t>\d+).C$'"#, "21°C", gives: "t=21.0"),
  Row("case is ignored where the pattern says so", #"regex: '(?i)temp=(?<t>\d+)'"#, "TEMP=5", gives: "t=5.0"),
  Row(
    "a line that does not match is a fault", celsius, "21.5 F",
    isFault: #"mismatch the regular expression does not match in "21.5 F""#),
  Row(
    "a group that is no number is a fault", celsius, "--C",
    isFault: #"notNumber expected a number for t, got "--" in "--C""#),
  Row(
    "no group that took part is a fault", #"regex: 'a(?<t>\d+)?'"#, "a",
    isFault: #"mismatch the regular expression matches, but no named group took part in "a""#),
  Row("a scale holds for a group", celsius + "\nscale: {t: 0.1}", "217 C", gives: "t=21.7"),
]

@Test(arguments: rows) func aRegularExpressionReadsALine(row: Row) throws {
  let harvest = try row.harvest()
  #expect(harvest.samples == row.expectedSamples)
  #expect(harvest.faults == row.expectedFaults)
}

/// Without limits each of these takes longer than anybody waits; `#expect` on the code proves that a limit ended it.
@Test(arguments: [
  (#"^(?<t>(a+)+)$"#, String(repeating: "a", count: 40) + "b"),
  (#"^(?<t>(a|a)*)$"#, String(repeating: "a", count: 40) + "b"),
  (#"^(?<t>(\w+\s?)*)$"#, String(repeating: "word ", count: 30) + "!"),
  (#"^(?<t>(.*?,){25}\d)$"#, String(repeating: "1,", count: 60)),
  // A step for each character only, but each is remembered: memory is the limit.
  (#"^(?<t>(?:(.)|x)*)\d$"#, String(repeating: "a", count: 60_000)),
])
func anExpressionThatExplodesGivesUp(pattern: String, line: String) throws {
  let harvest = Harvest(try lineSensor("regex: '\(pattern)'\ntypes: {t: text}\nmax_line: 65536"), line + "\n")
  #expect(harvest.samples.isEmpty)
  #expect(harvest.faults.count == 1)
  #expect(harvest.faults[0].hasPrefix("tooComplex the regular expression gave up"))
}

@Test func longLinesAreWithinTheLimits() throws {
  let options = #"regex: '^(?:[a-z]+=[0-9]+;)*t=(?<t>[0-9]+)$'"# + "\nmax_line: 65536"
  let line = String(repeating: "abc=123;", count: 1000) + "t=5\n"
  #expect(Harvest(try lineSensor(options), line).samples == ["t=5.0"])
}

@Test func bytesThatAreNotUTF8DoNotKeepTheRestFromMatching() throws {
  var decoder = try lineSensor(celsius)
  let harvest = Harvest(&decoder, [[0xFF, 0xC3] + Array("21 C".utf8) + [0x80, 0x0A]])
  #expect(harvest.samples == ["t=21.0"])
  #expect(harvest.faults.isEmpty)
}

@Test func aCopyOfADecoderMatchesByItself() throws {
  var first = try lineSensor(celsius)
  _ = Harvest(&first, [Array("1C\n".utf8)])
  var second = first
  #expect(Harvest(&second, [Array("2C\n".utf8)]).samples == ["t=2.0"])
  #expect(Harvest(&first, [Array("3C\n".utf8)]).samples == ["t=3.0"])
}

@Test func aPatternsMistakeHasPCREsWordsAndPlace() {
  #expect(throws: RegularExpression.Mistake(message: "missing closing parenthesis", offset: 5)) {
    _ = try RegularExpression("(?<t>")
  }
}
