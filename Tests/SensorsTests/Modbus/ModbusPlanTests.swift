import Telemetry
import Testing

@testable import Sensors

private func poll(_ registers: String, options: String = "") throws -> any SensorPoll {
  let sensor = try modbusSensor(registers, options: options)
  return try #require(SensorProtocols.poll(of: sensor))
}

/// The ranges that are asked for in a first cycle.
private func plan(_ registers: String, options: String = "") throws -> [String] {
  let settings = try modbusSettings(registers, options: options)
  return ModbusPlan(settings.polled, maxGap: settings.maxGap, maxRegisters: settings.maxRegisters).blocks.map(\.place)
}

@Test func neighboursAreReadTogether() throws {
  #expect(try plan("a: {input: 0, type: float32}\nb: {input: 2}\nc: {input: 3, type: int64}") == ["input 0 to 6"])
  #expect(
    try plan("b: {input: 2}\na: {input: 0, type: float32}\nc: {holding: 3}\nd: {input: 4}") == [
      "holding 3", "input 0 to 2", "input 4",
    ])
  #expect(try plan("a: {input: 0}\nb: {input: 3}", options: "max_gap: 2") == ["input 0 to 3"])
  #expect(try plan("a: {input: 0}\nb: {input: 4}", options: "max_gap: 2") == ["input 0", "input 4"])
  #expect(try plan("a: {input: 0, bit: 1}\nb: {input: 0, bit: 2}\nc: {input: 1}") == ["input 0 to 1"])
  #expect(
    try plan("a: {input: 0, every: 2}\nb: {input: 1}\nc: {input: 2, every: 0}\nd: {holding: 0, access: write}") == [
      "input 1", "input 0",
    ])
  #expect(try plan("a: {coil: 5}\nb: {coil: 6}\nc: {discrete: 7}") == ["coil 5 to 6", "discrete 7"])
}

@Test func requestsKeepToTheLimits() throws {
  let many = (0..<260).map { "r\($0): {input: \($0)}" }.joined(separator: "\n")
  #expect(try plan(many) == ["input 0 to 124", "input 125 to 249", "input 250 to 259"])
  #expect(
    try plan("a: {input: 0, type: float32}\nb: {input: 2, type: float32}\nc: {input: 4}", options: "max_registers: 3")
      == ["input 0 to 1", "input 2 to 4"])
  #expect(try plan("a: {coil: 0}\nb: {coil: 100}\nc: {coil: 200}", options: "max_gap: 124") == ["coil 0 to 200"])
  #expect(
    try plan("a: {input: 0, type: string, length: 125}\nb: {input: 3, bit: 0}\nc: {input: 125}") == [
      "input 0 to 124", "input 125",
    ])
}

@Test func whatIsRefusedTogetherIsReadApart() throws {
  var unit = FakeUnit()
  unit.registers[.input] = [0: 10, 1: 11, 3: 13, 4: 14]
  var poll = try poll("a: {input: 0}\nb: {input: 1}\nc: {input: 2}\nd: {input: 3, type: uint32}")
  let first = cycle(&poll, &unit)
  #expect(first.values == ["a=10", "b=11", "d=851982"])
  #expect(
    first.faults == [
      "refused unit 1 refuses c (input 2): exception 2 (illegal data address); asked again in 10 minutes; check the address (from 0, as on the wire) and the table"
    ])
  unit.forgetQuestions()
  // Remembered, and the hole is left alone and no more spoken of.
  let second = cycle(&poll, &unit)
  #expect(second.values == first.values && second.faults == [])
  #expect(
    unit.questions == [
      .read(.input, address: 0, count: 2), .read(.input, address: 3, count: 2),
    ])
  unit.registers[.input]?[2] = 12
  for _ in 3...60 { #expect(cycle(&poll, &unit).values.count == 3) }
  #expect(cycle(&poll, &unit).values == ["a=10", "b=11", "c=12", "d=851982"])
}

/// Within one line: the log's rate would keep a second one back for ever.
@Test func allThatIsRefusedIsToldInOneFault() throws {
  var unit = FakeUnit()
  unit.registers[.input] = [0: 10, 3: 13]
  var poll = try poll((0..<7).map { "r\($0): {input: \($0)}" }.joined(separator: "\n"))
  let first = cycle(&poll, &unit)
  #expect(first.values == ["r0=10", "r3=13"])
  #expect(
    first.faults == [
      "refused unit 1 refuses r1 (input 1), r2 (input 2), r4 (input 4), r5 (input 5) and 1 more: exception 2 (illegal data address); asked again in 10 minutes; check the address (from 0, as on the wire) and the table"
    ])
}

@Test func aUnitThatTakesShortQuestionsOnlyIsAskedShortOnes() throws {
  var unit = FakeUnit()
  unit.longest = 8
  unit.registers[.holding] = Dictionary(uniqueKeysWithValues: (0..<64).map { ($0, UInt16($0)) })
  var poll = try poll((0..<64).map { "r\($0): {holding: \($0)}" }.joined(separator: "\n"))
  #expect(cycle(&poll, &unit).values == (0..<64).map { "r\($0)=\($0)" })
  unit.forgetQuestions()
  #expect(cycle(&poll, &unit).faults == [])
  #expect(unit.questions.count == 8)
}

@Test func anUnknownFunctionIsOneFaultAndTheRestGoesOn() throws {
  var unit = FakeUnit()
  unit.functions = [3]
  unit.registers[.holding] = [0: 1]
  var poll = try poll("a: {input: 0}\nb: {holding: 0}\nc: {input: 1}")
  let found = cycle(&poll, &unit)
  #expect(found.values == ["b=1"])
  #expect(
    found.faults == [
      "refused unit 1 refuses a, c (input 0 to 1): exception 1 (illegal function); asked again at the next interval"
    ])
}

@Test func aTimeOutEndsTheCycle() throws {
  var poll = try poll("a: {input: 0}\nb: {holding: 0}")
  poll.begin()
  #expect(poll.next() != nil)
  poll.take(.failure(BusFailure(.timedOut, "unit 1 did not answer within 300ms")), at: noon)
  #expect(poll.next() == nil)
  var output = DecoderOutput()
  poll.finish(as: 3, into: &output)
  #expect(output.samples.isEmpty)
  #expect(output.faults.map(\.sensor) == [3])
  #expect(output.faults.map(\.fault) == [DecodingFault(.unanswered, "holding 0: unit 1 did not answer within 300ms")])
  // Set aside is no news.
  output.removeAll()
  poll.begin()
  _ = poll.next()
  poll.take(.failure(BusFailure(.setAside, "")), at: noon)
  poll.finish(as: 3, into: &output)
  #expect(output.faults.isEmpty)
}

@Test func whatWasReadBeforeATimeOutIsKept() throws {
  var unit = FakeUnit()
  unit.registers[.holding] = [0: 7]
  var poll = try poll("a: {input: 0}\nb: {holding: 0}")
  poll.begin()
  let question = poll.next()
  var request = try #require(question)
  let frame = unit.answer(frame: request)
  let answer = request.finder?.feed(frame)
  poll.take(.success(try #require(answer)), at: noon)
  _ = poll.next()
  poll.take(.failure(BusFailure(.timedOut, "late")), at: CaptureTime(milliseconds: 9, boottime: 9))
  var output = DecoderOutput()
  poll.finish(as: 0, into: &output)
  #expect(output.samples.map(\.sample.time) == [noon])
  #expect(output.samples.first?.sample.readings.map(\.value) == [.long(7)])
}

@Test func rareRegistersAreReadRarely() throws {
  var unit = FakeUnit()
  unit.registers[.input] = [0: 1, 1: 2]
  var poll = try poll("a: {input: 0}\nb: {input: 1, every: 3}")
  #expect((0..<7).map { _ in cycle(&poll, &unit).values.count } == [2, 1, 1, 2, 1, 1, 2])
}

@Test func keysAreThoseOfTheSensor() throws {
  var unit = FakeUnit()
  unit.registers[.input] = [0: 1, 1: 0x7FC0, 2: 0]
  let registers = "a: {input: 0}\nb: {input: 1, type: float32}"
  var prefixed = try poll(registers, options: "prefix: true")
  let found = cycle(&prefixed, &unit)
  #expect(found.values == ["s.a=1"])
  #expect(
    found.faults == [
      "notNumber b (input 1) is nan, which is no number; where it means \"no value\", set `invalid: 0x7FC00000`"
    ])
  var document = try poll(registers, options: "report: json")
  #expect(cycle(&document, &unit).values == [#"s={"a":1}"#])
}

/// An inverter at night: it answers, and has no value.
@Test func aUnitWithoutValuesIsNotSilent() throws {
  var poll = try #require(SensorProtocols.poll(of: try modbusSensor("a: {input: 0, type: int16, invalid: 0x8000}")))
  var unit = FakeUnit()
  unit.registers[.input] = [0: 0x8000]
  var output = DecoderOutput()
  poll.begin()
  while var request = poll.next() {
    let frame = unit.answer(frame: request)
    let answer = request.finder?.feed(frame)
    poll.take(.success(try #require(answer)), at: noon)
  }
  poll.finish(as: 0, into: &output)
  #expect(output.samples.map(\.sample.readings.count) == [0] && output.faults.isEmpty)
}

@Test func nonsenseIsAFault() throws {
  var poll = try poll("a: {input: 0}\nb: {holding: 0}")
  poll.begin()
  _ = poll.next()
  poll.take(.success([3, 4, 0, 0, 0, 0]), at: noon)
  #expect(poll.next() != nil)
  poll.take(.success([]), at: noon)
  poll.take(.success([4, 2, 0, 1]), at: noon)
  var output = DecoderOutput()
  poll.finish(as: 0, into: &output)
  #expect(output.samples.isEmpty)
  #expect(output.faults.map(\.fault.code) == [.mismatch, .mismatch])
}

/// Any layout against a unit with any holes: what is there is read right, what is not is told once, and a second cycle asks
/// for nothing that was refused in the first.
@Test func anyLayoutAgainstAnyHoles() throws {
  var generator = SeededGenerator(state: 2026)
  let sizes = ["": 1, ", type: int32": 2, ", type: float64": 4, ", bit: 3": 1]
  for _ in 0..<60 {
    var lines: [String] = []
    var ranges: [String: Range<Int>] = [:]
    var next = 0
    for index in 0..<Int.random(in: 1...40, using: &generator) {
      let type = sizes.keys.sorted()[Int.random(in: 0..<4, using: &generator)]
      next += [0, 0, 0, 1, 2, 9][Int.random(in: 0..<6, using: &generator)]
      ranges["r\(index)"] = next..<next + (sizes[type] ?? 1)
      lines.append("r\(index): {input: \(next)\(type)}")
      next += sizes[type] ?? 1
    }
    var unit = FakeUnit()
    // Each word says where it stands; as floats they are small numbers.
    for address in 0..<next where Int.random(in: 0..<5, using: &generator) > 0 {
      unit.registers[.input]?[address] = UInt16(address)
    }
    unit.longest = Int.random(in: 4...125, using: &generator)
    lines.shuffle(using: &generator)
    let gap = Int.random(in: 0...4, using: &generator)
    let most = Int.random(in: 4...125, using: &generator)
    let settings = "max_gap: \(gap)\n  max_registers: \(most)"
    var poll = try poll(lines.joined(separator: "\n"), options: settings)
    let there = ranges.filter { range in range.value.allSatisfy { unit.registers[.input]?[$0] != nil } }
    for round in 0..<3 {
      unit.forgetQuestions()
      let found = cycle(&poll, &unit)
      #expect(Set(found.values.map { String($0.prefix { $0 != "=" }) }) == Set(there.keys))
      for question in unit.questions {
        guard case .read(_, let address, let count) = question else { continue }
        #expect(count <= most)
        let isWhole = (Int(address)..<Int(address) + count).allSatisfy { unit.registers[.input]?[$0] != nil }
        if round > 0 { #expect(isWhole && count <= unit.longest) }
      }
      #expect(unit.questions.count <= 2 * ranges.count)
      if round > 0 { #expect(found.faults == []) }
    }
  }
}
