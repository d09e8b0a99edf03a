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
  for round in 0..<20 {
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
  for _ in 0..<5 {
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

/// 256 KiB in reads of 4096 bytes: random bytes, and in turn such as lines are made of. Six sensors read 1.5 MiB.
private func garbage(seed: UInt64) -> [[UInt8]] {
  var generator = SeededGenerator(state: seed)
  let alphabet = Array("T=,:;\"{}[]0123456789.-+eE \t\r\n\\\u{0}ütH".utf8)
  return (0..<64).map { round in
    var chunk: [UInt8] = []
    while chunk.count < 4096 {
      withUnsafeBytes(of: generator.next()) { bytes in
        for byte in bytes { chunk.append(round.isMultiple(of: 2) ? byte : alphabet[Int(byte) % alphabet.count]) }
      }
    }
    return chunk
  }
}

@Test(arguments: sensors) func garbageNeverCrashesAndStaysBounded(options: String) throws {
  var decoder = try lineSensor(options)
  var output = DecoderOutput()
  var mostEvents = 0
  var longestMessage = 0
  for (round, chunk) in garbage(seed: UInt64(options.utf8.count)).enumerated() {
    decoder.feed(chunk, at: noon, into: &output)
    mostEvents = max(mostEvents, output.samples.count + output.faults.count)
    longestMessage = max(longestMessage, output.faults.map(\.fault.message.utf8.count).max() ?? 0)
    output.removeAll()
    if round.isMultiple(of: 13) { decoder.portOpened() }
  }
  #expect(mostEvents > 0)
  #expect(mostEvents <= 4096)
  // 80 bytes of line as \xNN, as much of a field, and words.
  #expect(longestMessage < 1000)
}
