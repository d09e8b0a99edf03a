import Testing

private let any = "key_value: true"

private let rows = [
  Row("commas part pairs", any, "T=21.5,H=40", gives: "T=21.5 H=40.0"),
  Row("blanks part pairs", any, "T=21.5 H=40", gives: "T=21.5 H=40.0"),
  Row("several separators are one", any, " T=21.5 ; , H=40,", gives: "T=21.5 H=40.0"),
  Row("a colon assigns", any, "T:21.5\tH:40", gives: "T=21.5 H=40.0"),
  Row("a blank may follow the colon", any, "T: 21.5 H: 40", gives: "T=21.5 H=40.0"),
  Row("blanks may surround the sign", any, "T = 21.5, H = 40", gives: "T=21.5 H=40.0"),
  Row("what is no number is text", any, "state=ok T=1", gives: "state='ok' T=1.0"),
  Row("text may hold the other sign", any, "time=12:30", gives: "time='12:30'"),
  Row("text with blanks is quoted", any, #"name="air, outside" T=1"#, gives: "name='air, outside' T=1.0"),
  Row("an empty value is left out", any, "T=,H=40", gives: "H=40.0"),
  Row("an empty value before a blank is left out", any, "T= H=40", gives: "H=40.0"),
  Row("a missing value at the end is left out", any, "H=40 T=", gives: "H=40.0"),
  Row(
    "nan refuses the line", any, "T=NaN H=40", isFault: #"notNumber expected a number for T, got "NaN" in "T=NaN H=40""#
  ),
  Row("-inf refuses the line", any, "T=-inf", isFault: #"notNumber expected a number for T, got "-inf" in "T=-inf""#),
  Row(
    "a word without a sign refuses the line", any, "boot T=1",
    isFault: #"mismatch expected a pair such as name=value, got "boot" in "boot T=1""#),
  Row(
    "a sign without a name refuses the line", any, "=1",
    isFault: #"mismatch expected a pair such as name=value, got "" in "=1""#),
  Row("separators alone are no pairs", any, ",,", isFault: #"mismatch expected pairs such as name=value in ",,""#),
  Row("a name twice refuses the line", any, "T=1 T=2", isFault: #"mismatch "T" stands there twice in "T=1 T=2""#),
  Row("a name is cleaned of what the server chokes on", any, "<b>{{t}}=1", gives: "b{t}=1.0"),
  Row(
    "names that clean to one are one", any, "a<=1 a>=2", isFault: #"mismatch "a<" stands there twice in "a<=1 a>=2""#),
  Row(
    "a quote that is never closed refuses the line", any, #"a="x"#,
    isFault: #"mismatch the quote at byte 3 is never closed in "a=\"x""#),
  Row(
    "a separator of one's own", #"key_value: {separator: ";", assign: ":"}"#, "air temp: 21.5; note: a = b, c",
    gives: "air temp=21.5 note='a = b, c'"),
  Row("a list of names ignores others", "key_value: {keys: [T]}", "T=1 H=2 x=y", gives: "T=1.0"),
  Row("a list of names types", "key_value: {keys: [n:int, s:text]}", "n=5 s=7", gives: "n=5 s='7'"),
  Row(
    "text for a listed number refuses the line", "key_value: {keys: [T]}", "T=--",
    isFault: #"notNumber expected a number for T, got "--" in "T=--""#),
  Row(
    "none of the listed names is no reading", "key_value: {keys: [T]}", "H=2",
    isFault: #"mismatch none of the names under keys: has a value in "H=2""#),
  Row(
    "a listed name twice refuses the line", "key_value: {keys: [T]}", "T=1 T=2",
    isFault: #"mismatch "T" stands there twice in "T=1 T=2""#),
  Row("a scale makes text a fault", any + "\nscale: {T: 0.1}", "T=217 s=x", gives: "T=21.7 s='x'"),
  Row(
    "text under a scaled name refuses the line", any + "\nscale: {T: 0.1}", "T=hot",
    isFault: #"notNumber expected a number for T, got "hot" in "T=hot""#),
  Row("keys have a prefix", any + "\nprefix: true", "T=1", gives: "s.T=1.0"),
  Row("a document holds all pairs", any + "\nreport: json", "T=1 s=x", gives: #"s={"T":1.0,"s":"x"}"#),
]

@Test(arguments: rows) func pairsAreRead(row: Row) throws {
  let harvest = try row.harvest()
  #expect(harvest.samples == row.expectedSamples)
  #expect(harvest.faults == row.expectedFaults)
}

@Test func aPairThatChangesItsTypeIsLeftOut() throws {
  let harvest = Harvest(try lineSensor(any), "T=21 H=40\nT=hot H=41\nT=22 H=42\n")
  #expect(harvest.samples == ["T=21.0 H=40.0", "H=41.0", "T=22.0 H=42.0"])
  #expect(harvest.faults.count == 1)
  #expect(harvest.faults[0].hasPrefix("typeChanged T is DOUBLE and came as STRING"))
  #expect(harvest.faults[0].hasSuffix(#"in "T=hot H=41""#))
}

@Test func aDocumentsMembersMayChangeTheirType() throws {
  let harvest = Harvest(try lineSensor(any + "\nreport: json"), "T=21\nT=hot\n")
  #expect(harvest.samples == [#"s={"T":21.0}"#, #"s={"T":"hot"}"#])
  #expect(harvest.faults.isEmpty)
}

@Test func theNumberOfKeysIsBounded() throws {
  let lines = (0..<600).map { "k\($0)=1 always=2 x\($0)=3\n" }.joined()
  let harvest = Harvest(try lineSensor(any), lines)
  #expect(harvest.samples.count == 600)
  #expect(harvest.samples[0] == "k0=1.0 always=2.0 x0=3.0")
  #expect(harvest.samples[599] == "always=2.0")
  // 1 + 2 × 249 + 1 keys fill the table; from then on each line is one fault, however many names it has too many.
  #expect(harvest.faults.count == 600 - 249)
  #expect(
    harvest.faults.last == """
      tooManyKeys "k599" is left out: the sensor has 500 different keys already in "k599=1 always=2 x599=3"
      """)
}

@Test func pairsInAnotherOrderAreTheSameKeys() throws {
  let harvest = Harvest(try lineSensor(any), "a=1 b=2 c=3\nc=1 a=2\nb=1\na=4 b=5 c=6\n")
  #expect(harvest.samples == ["a=1.0 b=2.0 c=3.0", "c=1.0 a=2.0", "b=1.0", "a=4.0 b=5.0 c=6.0"])
  #expect(harvest.faults.isEmpty)
}
