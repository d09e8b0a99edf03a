import Testing

private let climate = #"template: "T={temperature},H={humidity}""#

private let rows = [
  Row("two numbers are doubles", climate, "T=21.5,H=40", gives: "temperature=21.5 humidity=40.0"),
  Row("a whole number is a double", climate, "T=21,H=-0", gives: "temperature=21.0 humidity=-0.0"),
  Row("a sign, a bare point and an exponent are numbers", climate, "T=+3,H=.5", gives: "temperature=3.0 humidity=0.5"),
  Row("a point at the end is a number", climate, "T=21.,H=1e3", gives: "temperature=21.0 humidity=1000.0"),
  Row("blanks around numbers do not matter", climate, "T=  21.5 ,H=\t40 ", gives: "temperature=21.5 humidity=40.0"),
  Row(
    "seventeen digits are read to the nearest double", climate, "T=0.30000000000000004,H=9007199254740993",
    gives: "temperature=0.30000000000000004 humidity=9007199254740992.0"),
  Row(
    "dashes for a number refuse the line", climate, "T=21.5,H=--",
    isFault: #"notNumber expected a number for humidity, got "--" in "T=21.5,H=--""#),
  Row(
    "nan is no number", climate, "T=nan,H=40",
    isFault: #"notNumber expected a number for temperature, got "nan" in "T=nan,H=40""#),
  Row(
    "inf is no number", climate, "T=inf,H=40",
    isFault: #"notNumber expected a number for temperature, got "inf" in "T=inf,H=40""#),
  Row(
    "hexadecimal is no number", climate, "T=0x10,H=40",
    isFault: #"notNumber expected a number for temperature, got "0x10" in "T=0x10,H=40""#),
  Row(
    "nothing is no number", climate, "T=,H=40",
    isFault: #"notNumber expected a number for temperature, got "" in "T=,H=40""#),
  Row(
    "a number beyond doubles is out of range", climate, "T=1e999,H=40",
    isFault: #"outOfRange "1e999" is out of range for temperature in "T=1e999,H=40""#),
  Row(
    "the beginning has to fit", climate, " T=21.5,H=40", isFault: #"mismatch expected "T=" at byte 1 in " T=21.5,H=40""#
  ),
  Row(
    "the text between has to fit", climate, "T=21.5;H=40",
    isFault: #"mismatch expected ",H=" at byte 3 in "T=21.5;H=40""#),
  Row(
    "the end has to fit", #"template: "{t}C""#, "21.5Cx",
    isFault: #"mismatch expected the line's end at byte 6 in "21.5Cx""#),
  Row(
    "what follows the last number belongs to it", climate, "T=21.5,H=40%",
    isFault: #"notNumber expected a number for humidity, got "40%" in "T=21.5,H=40%""#),
  Row("int is a long", #"template: "n={n:int}""#, "n=9223372036854775807", gives: "n=9223372036854775807"),
  Row("the least long is one", #"template: "n={n:int}""#, "n=-9223372036854775808", gives: "n=-9223372036854775808"),
  Row(
    "an int beyond 64 bits is out of range", #"template: "n={n:int}""#, "n=9223372036854775808",
    isFault: #"outOfRange "9223372036854775808" is out of range for n in "n=9223372036854775808""#),
  Row(
    "an int of many digits is out of range", #"template: "n={n:int}""#, "n=99999999999999999999999",
    isFault: #"outOfRange "99999999999999999999999" is out of range for n in "n=99999999999999999999999""#),
  Row(
    "a fraction is no int", #"template: "n={n:int}""#, "n=1.0",
    isFault: #"notNumber expected a whole number for n, got "1.0" in "n=1.0""#),
  Row("text is kept as it is", #"template: "{s:text};{n}""#, " a b ;1", gives: "s=' a b ' n=1.0"),
  Row("text may be empty", #"template: "<{s:text}>{n}""#, "<>1", gives: "s='' n=1.0"),
  Row("text may be any UTF-8", #"template: "{s:text}""#, "zu heiß 🔥", gives: "s='zu heiß 🔥'"),
  Row("text ends at the first of what follows", #"template: "{s:text}={t}""#, "a=1", gives: "s='a' t=1.0"),
  Row("an underscore skips", #"template: "{_} {t}C {_}""#, "id7 21.5C ok", gives: "t=21.5"),
  Row("doubled braces are braces", #"template: "{{{t}}}""#, "{21}", gives: "t=21.0"),
  Row("a literal is UTF-8", #"template: "{t}°C""#, "21.5°C", gives: "t=21.5"),
  Row(
    "a minus between numbers is not the second one's sign", #"template: "{low}-{high}""#, "-5-3",
    gives: "low=-5.0 high=3.0"),
  Row("a minus behind the minus is a sign", #"template: "{low}-{high}""#, "1--3", gives: "low=1.0 high=-3.0"),
  Row(
    "an exponent's sign is not the text between", #"template: "{low}-{high}""#, "1e-5-3", gives: "low=1e-05 high=3.0"),
  Row("a blank may part numbers padded with blanks", #"template: "{a} {b}""#, "   1    2", gives: "a=1.0 b=2.0"),
  Row(
    "a point may part numbers", #"template: "{day:int}.{month:int}.{year:int}""#, "24.12.2024",
    gives: "day=24 month=12 year=2024"),
  Row(
    "a scale multiplies", climate + "\nscale: {temperature: 0.1}", "T=217,H=40", gives: "temperature=21.7 humidity=40.0"
  ),
  Row(
    "an offset adds", climate + "\noffset: {temperature: -0.3}", "T=21.7,H=40", gives: "temperature=21.4 humidity=40.0"),
  Row(
    "scale comes before offset", climate + "\nscale: {humidity: 2}\noffset: {humidity: 1}", "T=0,H=40",
    gives: "temperature=0.0 humidity=81.0"),
  Row("a scaled int is a double", "template: \"n={n:int}\"\nscale: {n: 0.001}", "n=12345", gives: "n=12.345"),
  Row(
    "a scaled number beyond doubles is out of range", climate + "\nscale: {humidity: 1e300}", "T=0,H=1e10",
    isFault: #"outOfRange "1e10" is out of range for humidity in "T=0,H=1e10""#),
  Row("a prefix stands before keys", climate + "\nprefix: true", "T=1,H=2", gives: "s.temperature=1.0 s.humidity=2.0"),
  Row(
    "a document holds the reading with its types", "template: \"{t},{n:int},{x:text}\"\nreport: json", "1,2,3",
    gives: #"s={"t":1.0,"n":2,"x":"3"}"#),
  Row(
    "a document's members have no prefix", climate + "\nreport: json\nprefix: true", "T=1,H=2",
    gives: #"s={"temperature":1.0,"humidity":2.0}"#),
]

@Test(arguments: rows) func aTemplateReadsALine(row: Row) throws {
  let harvest = try row.harvest()
  #expect(harvest.samples == row.expectedSamples)
  #expect(harvest.faults == row.expectedFaults)
}

@Test func textThatIsNotUTF8IsRefused() throws {
  var decoder = try lineSensor(#"template: "{s:text}""#)
  let harvest = Harvest(&decoder, [[0x61, 0xFF, 0x0A]])
  #expect(harvest.samples.isEmpty)
  #expect(harvest.faults == [#"notUTF8 the text of s is not UTF-8 in "a\xff""#])
}

@Test func aLongLineIsQuotedShort() throws {
  let harvest = Harvest(try lineSensor(climate), String(repeating: "x", count: 500) + "\n")
  #expect(
    harvest.faults == [
      #"mismatch expected "T=" at byte 1 in ""# + String(repeating: "x", count: 80) + #""… (500 bytes)"#
    ])
}
