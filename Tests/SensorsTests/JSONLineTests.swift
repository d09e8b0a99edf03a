import Testing

private let json = "json: true"

private let rows = [
  Row(
    "values are typed as they are", json, #"{"t":21.5,"n":21,"b":true,"s":"ok"}"#, gives: "t=21.5 n=21 b=true s='ok'"),
  Row("a number with a point is a double", json, #"{"t":21.0}"#, gives: "t=21.0"),
  Row("null is left out", json, #"{"t":null,"n":1}"#, gives: "n=1"),
  Row("what is nested is JSON", json, #"{"a":{"x":1,"y":[1.0,2]},"b":[]}"#, gives: #"a={"x":1,"y":[1.0,2]} b=[]"#),
  Row("blanks around the object do not matter", json, #"  {"n":1}  "#, gives: "n=1"),
  Row(
    "an integer beyond 64 bits is a double", json, #"{"n":9223372036854775808}"#, gives: "n=9.223372036854776e+18"),
  Row("a list is no reading", json, "[1]", isFault: #"notJSON expected a JSON object such as {"t":21.5} in "[1]""#),
  Row(
    "NaN is no JSON", json, #"{"t":NaN}"#, isFault: #"notJSON byte 5: a byte that cannot stand here in "{\"t\":NaN}""#),
  Row(
    "an unfinished object is told", json, #"{"t":1"#,
    isFault: #"notJSON byte 6: the document ends too early in "{\"t\":1""#),
  Row(
    "a name twice is told", json, #"{"t":1,"t":2}"#,
    isFault: #"notJSON byte 7: a name that occurred before in the same object in "{\"t\":1,\"t\":2}""#),
  Row(
    "a number beyond doubles is out of range", json, #"{"t":1e999}"#,
    isFault: #"outOfRange the number of t is beyond a double in "{\"t\":1e999}""#),
  Row(
    "names that clean to one refuse the line", json, #"{"a":1,"<a":2}"#,
    isFault: #"badKey two names that both mean the key "a" in "{\"a\":1,\"<a\":2}""#),
  Row("a scale makes doubles", json + "\nscale: {t: 0.1, n: 2}", #"{"t":217,"n":1.5}"#, gives: "t=21.7 n=3.0"),
  Row("an offset makes a double", json + "\noffset: {t: 1}", #"{"t":1}"#, gives: "t=2.0"),
  Row(
    "a scaled key has to be a number", json + "\nscale: {t: 0.1}", #"{"t":"x"}"#,
    isFault: #"notNumber expected a number for t, which has a scale in "{\"t\":\"x\"}""#),
  Row("keys have a prefix", json + "\nprefix: true", #"{"t":1}"#, gives: "s.t=1"),
  Row(
    "a document is the object itself", json + "\nreport: json", #"{"t":21.0,"n":21,"a":{"x":null}}"#,
    gives: #"s={"t":21.0,"n":21,"a":{"x":null}}"#),
]

@Test(arguments: rows) func aJSONLineIsRead(row: Row) throws {
  let harvest = try row.harvest()
  #expect(harvest.samples == row.expectedSamples)
  #expect(harvest.faults == row.expectedFaults)
}

@Test func nothingButNullsIsNoSampleAndNoFault() throws {
  let harvest = Harvest(try lineSensor(json), "{}\n{\"t\":null}\n")
  #expect(harvest.samples.isEmpty)
  #expect(harvest.faults.isEmpty)
}

@Test func aNameThatCannotBeAKeyIsLeftOut() throws {
  let harvest = Harvest(try lineSensor(json), "{\"\":1,\"<>\":2,\"t\":3}\n")
  #expect(harvest.samples == ["t=3"])
  #expect(harvest.faults == [#"badKey "" cannot be a key in "{\"\":1,\"<>\":2,\"t\":3}""#])
}

@Test func aLongAfterADoubleIsADouble() throws {
  let harvest = Harvest(try lineSensor(json), "{\"t\":21.5}\n{\"t\":21}\n{\"t\":\"x\"}\n{\"t\":true}\n")
  #expect(harvest.samples == ["t=21.5", "t=21.0"])
  #expect(harvest.faults.count == 2)
  #expect(harvest.faults.allSatisfy { $0.hasPrefix("typeChanged t is DOUBLE and came as") })
}

@Test func nestingBeyondTheLimitIsAFault() throws {
  let deep = String(repeating: "[", count: 400) + String(repeating: "]", count: 400)
  let harvest = Harvest(try lineSensor(json), "{\"a\":\(deep)}\n")
  #expect(harvest.samples.isEmpty)
  #expect(harvest.faults.count == 1)
  #expect(harvest.faults[0].contains("nested too deeply"))
}
