import Telemetry
import Testing

@testable import Sensors

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

private let sensors = [
  #"template: "T={t},H={h:int},{s:text}""#,
  "csv: [a, b:int, _, d:text]",
  "key_value: true",
  "key_value: {keys: [T, n:int]}",
  "json: true",
  #"regex: '(?<t>[-0-9.]+)(?<s>[a-z]+)?'"# + "\ntypes: {s: text}",
]

/// Lines that fit one of the sensors, nearly fit, or do not, with every kind of end.
private let stream: [UInt8] = {
  let lines = [
    "T=21.5,H=40,ok", "T=--,H=40,ok", "T=1,H=99999999999999999999,ok", "1,2,3,4", "1,2,\"a,\"\"b\",4", "1,2,\"3,4",
    "T=1 H=2", "T: 1; n: 2", "T= n=3", "name=\"x y\" T=1", #"{"t":1,"a":{"b":[1,2]}}"#, #"{"t":"x"}"#, "{", "-12.5abc",
    "", "", " ", "nan", String(repeating: "long ", count: 300), "T=5,H=5,ü", "\u{0}\u{1}\u{7F}",
  ]
  let ends = ["\n", "\r\n", "\r", "\n\n"]
  var stream: [UInt8] = []
  for round in 0..<40 {
    for index in lines.indices {
      stream += Array(lines[(index * 7 + round) % lines.count].utf8)
      stream += Array(ends[(index + round) % ends.count].utf8)
    }
  }
  return stream
}()

@Test(arguments: sensors) func howTheStreamIsCutDoesNotMatter(options: String) throws {
  var whole = try lineSensor(options)
  let expected = Harvest(&whole, [stream])
  #expect(!expected.samples.isEmpty)
  #expect(!expected.faults.isEmpty)

  var byBytes = try lineSensor(options)
  #expect(Harvest(&byBytes, stream.map { [$0] }) == expected)

  var generator = SeededGenerator(state: 42)
  for _ in 0..<20 {
    var chunks: [[UInt8]] = []
    var rest = stream[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...min(rest.count, 97), using: &generator)
      chunks.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    var decoder = try lineSensor(options)
    #expect(Harvest(&decoder, chunks) == expected)
  }
}

@Test(arguments: sensors) func garbageNeverCrashesAndStaysBounded(options: String) throws {
  var decoder = try lineSensor(options)
  var generator = SeededGenerator(state: 7)
  // Of these bytes lines are made more often than of random ones.
  let alphabet = Array("T=,:;\"{}[]0123456789.-+eE \t\r\n\\\u{0}ütH".utf8)
  var output = DecoderOutput()
  var longestMessage = 0
  for round in 0..<256 {
    let chunk = (0..<4096).map { _ -> UInt8 in
      round.isMultiple(of: 2)
        ? UInt8.random(in: 0...255, using: &generator) : alphabet.randomElement(using: &generator) ?? 0
    }
    decoder.feed(chunk, at: noon, into: &output)
    // No more than one sample or two faults for two bytes.
    #expect(output.samples.count + output.faults.count <= chunk.count)
    longestMessage = max(longestMessage, output.faults.map(\.fault.message.utf8.count).max() ?? 0)
    output.removeAll()
    if round.isMultiple(of: 50) { decoder.portOpened() }
  }
  // 80 bytes of line as \xNN, as much of a field, and words.
  #expect(longestMessage < 1000)
}
