import Telemetry
import Testing

@testable import Sensors

private let twoTemplates = """
  a:
    port: p
    protocol: line
    template: "A={x}"
  b:
    port: p
    protocol: line
    template: "B={y}"
    max_line: 64
  """

@Test func eachLineGoesToTheSensorItFits() throws {
  let harvest = Harvest(try decoder(twoTemplates), "A=1\nB=2\nA=3\n")
  #expect(harvest.samples == ["x=1.0", "1: y=2.0", "x=3.0"])
  #expect(harvest.faults.isEmpty)
}

@Test func theFirstThatFitsTakesTheLine() throws {
  let harvest = Harvest(
    try decoder(
      "a:\n  port: p\n  protocol: line\n  key_value: true\nb:\n  port: p\n  protocol: line\n  template: \"B={y}\"\n"),
    "B=2\n")
  #expect(harvest.samples == ["B=2.0"])
}

@Test func aLineThatFitsNoneIsOneFault() throws {
  let harvest = Harvest(try decoder(twoTemplates), "C=1\nB=x\n")
  #expect(harvest.samples.isEmpty)
  #expect(
    harvest.faults == [
      #"mismatch none of a, b fits "C=1" (a: expected "A=" at byte 1; b: expected "B=" at byte 1)"#,
      #"mismatch none of a, b fits "B=x" (a: expected "A=" at byte 1; b: expected a number for y, got "x")"#,
    ])
}

@Test func theGreatestLineLimitHoldsForThePort() throws {
  let long = "B=" + String(repeating: "0", count: 500)
  #expect(Harvest(try decoder(twoTemplates), long + "\n").samples == ["1: y=0.0"])
}

@Test func anExpressionThatGivesUpIsToldThoughAnotherSensorTakesTheLine() throws {
  let yaml =
    "a:\n  port: p\n  protocol: line\n  regex: '^(?<t>(a+)+)$'\nb:\n  port: p\n  protocol: line\n  csv: [s:text]\n"
  let line = String(repeating: "a", count: 40) + "!"
  let harvest = Harvest(try decoder(yaml), line + "\n")
  #expect(harvest.samples == ["1: s='\(line)'"])
  #expect(harvest.faults.count == 1)
  #expect(harvest.faults.allSatisfy { $0.hasPrefix("tooComplex") })
}

@Test func anExpressionThatGivesUpIsTheFaultWhereNoSensorTakesTheLine() throws {
  let yaml =
    "b:\n  port: p\n  protocol: line\n  template: \"B={y}\"\na:\n  port: p\n  protocol: line\n  regex: '^(?<t>(a+)+)$'\n"
  let harvest = Harvest(try decoder(yaml), String(repeating: "a", count: 40) + "!\n")
  #expect(harvest.samples.isEmpty)
  #expect(harvest.faults.count == 1)
  #expect(harvest.faults.allSatisfy { $0.hasPrefix("1: tooComplex none of b, a fits") })
}

@Test func theFirstPartialLineIsCountedAndNotWorthAWarning() throws {
  var decoder = try decoder(twoTemplates)
  decoder.portOpened()
  var output = DecoderOutput()
  decoder.feed(Array("1.5\nA=2\n".utf8), at: noon, into: &output)
  #expect(output.samples.count == 1)
  #expect(output.faults.map(\.fault.code) == [.partial])
  #expect(output.faults.allSatisfy { !$0.fault.code.isWarning })
}

@Test func aLineTooLongIsOneFaultThatNamesTheCure() throws {
  let harvest = Harvest(
    try lineSensor("template: \"{t}\"\nmax_line: 16"), String(repeating: "1", count: 1000) + "\n2\n")
  #expect(harvest.samples == ["t=2.0"])
  #expect(
    harvest.faults == [
      "tooLong more than 16 bytes without a line end, dropped up to the next one; "
        + "check the port's `baud:` or raise `max_line:`"
    ])
}

@Test func aSampleBearsTheTimeOfTheReadThatCompletedIt() throws {
  var decoder = try lineSensor(#"template: "{t}""#)
  var output = DecoderOutput()
  decoder.feed(Array("2".utf8), at: CaptureTime(milliseconds: 1, boottime: 1), into: &output)
  decoder.feed(Array("1\n3".utf8), at: CaptureTime(milliseconds: 2, boottime: 2), into: &output)
  decoder.feed(Array("\n".utf8), at: CaptureTime(milliseconds: 3, boottime: 3), into: &output)
  #expect(output.samples.map(\.sample.time.milliseconds) == [2, 3])
}

@Test func sensorsOfDifferentProtocolsHaveNoDecoder() {
  #expect(SensorProtocols.decoder(for: []) == nil)
}
