import Testing

private let layout = "csv: [a, b:int, _, d:text]"

private let rows = [
  Row("each field has its type", layout, "1.5,2,x,y", gives: "a=1.5 b=2 d='y'"),
  Row("numbers may be padded, text is kept", layout, " 1.5 , 2 ,x, y ", gives: "a=1.5 b=2 d=' y '"),
  Row("quotes hold a separator", layout, #"1,2,"a,b","x,y""#, gives: "a=1.0 b=2 d='x,y'"),
  Row("two quotes are one", layout, #"1,2,,"say ""hi""""#, gives: #"a=1.0 b=2 d='say "hi"'"#),
  Row("a quoted number is a number", layout, #""1","2",,z"#, gives: "a=1.0 b=2 d='z'"),
  Row("a quote inside bare text is a quote", layout, #"1,2,,5" pipe"#, gives: #"a=1.0 b=2 d='5" pipe'"#),
  Row("text may be empty", layout, "1,2,,", gives: "a=1.0 b=2 d=''"),
  Row("a number may not be empty", layout, ",2,,x", isFault: #"notNumber expected a number for a, got "" in ",2,,x""#),
  Row("too few fields are told", layout, "1,2,3", isFault: #"mismatch expected 4 fields, got 3 in "1,2,3""#),
  Row("too many fields are told", layout, "1,2,3,4,5", isFault: #"mismatch expected 4 fields, got 5 in "1,2,3,4,5""#),
  Row(
    "a separator at the end makes a field", layout, "1,2,3,4,",
    isFault: #"mismatch expected 4 fields, got 5 in "1,2,3,4,""#),
  Row(
    "a quote that is never closed refuses the line", layout, #"1,2,3,"x"#,
    isFault: #"mismatch the quote at byte 7 is never closed in "1,2,3,\"x""#),
  Row(
    "behind a closed quote comes a separator", layout, #"1,2,3,"x"y"#,
    isFault: #"mismatch expected "," at byte 10 in "1,2,3,\"x\"y""#),
  Row("the separator is another", "csv: [a, b]\nseparator: \";\"", "1;2", gives: "a=1.0 b=2.0"),
  Row("the separator is a tab", "csv: [a, b]\nseparator: \"\\t\"", "1\t2", gives: "a=1.0 b=2.0"),
  Row("the separator is a blank", "csv: [a, b]\nseparator: \" \"", "1 2", gives: "a=1.0 b=2.0"),
  Row("one field is no list", "csv: [a]", "21.5", gives: "a=21.5"),
  Row("a scale holds for a field", "csv: [a, b:int]\nscale: {b: 0.5}", "1,3", gives: "a=1.0 b=1.5"),
]

@Test(arguments: rows) func aCSVLineIsRead(row: Row) throws {
  let harvest = try row.harvest()
  #expect(harvest.samples == row.expectedSamples)
  #expect(harvest.faults == row.expectedFaults)
}
