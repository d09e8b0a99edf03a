import Foundation
import Simulator
import Testing

/// Modbus as a user has it: the release binary as the master, units of other people's making, every way between them.
@Suite(.serialized, .enabled(if: ModbusSlave.isWanted)) struct ModbusTests {
  typealias Line = ModbusUnderTest.Line

  struct Row: Sendable {
    let name: String
    let options: String
    let type: StoredType
    let text: String
    init(_ name: String, _ options: String, _ type: StoredType, _ text: String) {
      (self.name, self.options, self.type, self.text) = (name, options, type, text)
    }
  }

  /// Every type in every table that has it, as unit 1 holds it and as the server has to store it.
  static let rows = [
    Row("u16", "input: 0", .long, "1001"),
    Row("i16", "holding: 1, type: int16", .long, "-1234"),
    Row("i8", "holding: 2, type: int8, byte: high", .long, "-5"),
    Row("u8", "input: 2, type: uint8", .long, "250"),
    Row("bit_on", "holding: 3, bit: 0", .boolean, "true"),
    Row("bit_off", "holding: 3, bit: 2", .boolean, "false"),
    Row("field", "input: 3, bits: 8..15", .long, "165"),
    Row("field_swapped", "input: 3, bits: 0..7, byte_order: little", .long, "165"),
    Row("u32", "input: 4, type: uint32", .long, "4000000001"),
    Row("i32", "holding: 6, type: int32", .long, "-2000000000"),
    Row("u64", "input: 8, type: uint64", .long, "81985529216486895"),
    Row("i64", "holding: 12, type: int64", .long, "-9007199254740993"),
    Row("f16", "input: 16, type: float16", .double, "21.5"),
    Row("f32", "holding: 17, type: float32", .double, "230.25"),
    Row("f64", "input: 19, type: float64", .double, "3.141592653589793"),
    Row("text", "holding: 23, type: string, length: 8", .string, "Baudgate 1"),
    Row("cdab", "input: 31, type: float32, word_order: little", .double, "49.98"),
    Row("badc", "holding: 33, type: uint32, byte_order: little", .long, "305419896"),
    Row("dcba", "input: 35, type: float32, word_order: little, byte_order: little", .double, "-1.5"),
    Row("state", #"input: 37, enum: {0: "off", 2: heating}"#, .string, "heating"),
    Row("unnamed", #"input: 37, enum: {0: "off"}"#, .string, "unknown 2"),
    Row("scaled", "input: 1, type: int16, scale: 0.1, offset: 0.5", .double, "-122.9"),
    Row("coil_off", "coil: 0", .boolean, "false"),
    Row("coil_on", "coil: 2099", .boolean, "true"),
    Row("discrete_on", "discrete: 3", .boolean, "true"),
    Row("discrete_off", "discrete: 4", .boolean, "false"),
  ]

  struct Write: Sendable {
    let register: String
    let options: String
    let value: String
    let function: UInt8
    let table: ModbusSlave.Table
    let address: Int
    let memory: [Int]
    init(
      _ register: String, _ options: String, _ value: String, by function: UInt8, _ table: ModbusSlave.Table,
      _ address: Int, _ memory: [Int]
    ) {
      (self.register, self.options, self.value, self.function) = (register, options, value, function)
      (self.table, self.address, self.memory) = (table, address, memory)
    }
  }

  /// In this order; 114 holds 0x045A before.
  static let writes = [
    Write("lamp", "coil: 10", "true", by: 5, .coil, 10, [1]),
    Write("siren", "coil: 11, write: 15", "false", by: 15, .coil, 11, [0]),
    Write("setpoint", "holding: 110, type: int16, scale: 0.1", "-21.5", by: 6, .holding, 110, [0xFFFF - 214]),
    Write("single", "holding: 112, write: 16", "65535", by: 16, .holding, 112, [65535]),
    Write("masked", "holding: 114, bits: 4..7, write: 22", "12", by: 22, .holding, 114, [0x04CA]),
    Write("part", "holding: 114, bit: 0", "true", by: 6, .holding, 114, [0x04CB]),
    Write("pair", "holding: 116, type: uint32, write: 23", "3000000000", by: 23, .holding, 116, [0xB2D0, 0x5E00]),
    Write(
      "float", "holding: 118, type: float32, word_order: little", "0.15625", by: 16, .holding, 118, [0, 0x3E20]),
    Write("label", "holding: 120, type: string, length: 3", #""pump""#, by: 16, .holding, 120, [0x7075, 0x6D70, 0]),
    Write(#"mode"#, #"holding: 125, enum: {0: "off", 7: night}"#, #""night""#, by: 6, .holding, 125, [7]),
    Write(
      "wide", "holding: 126, type: int64, byte_order: little", "-2", by: 16, .holding, 126,
      [0xFFFF, 0xFFFF, 0xFFFF, 0xFEFF]),
  ]

  private static func sensors(_ line: Line) -> String {
    let more = line == .echo ? "\n    echo: true" : ""
    func sensor(_ name: String, _ unit: Int, _ options: String, _ registers: [String]) -> String {
      """
        \(name):
          port: bus
          protocol: \(line.protocolName)
          unit: \(unit)
          \(options)\(more)
          registers:
            \(registers.joined(separator: "\n      "))
      """
    }
    return [
      sensor(
        "all", 1, "interval: 3s",
        rows.map { "\($0.name): {\($0.options)}" } + ["none: {input: 38, type: float32, invalid: 0x7FC00000}"]),
      sensor(
        "desk", 1, "interval: 1h",
        writes.map { "\($0.register): {\($0.options), every: 0}" } + ["gone: {holding: 50, every: 0}"]),
      // 37 to 42 are asked for at once, refused, and taken apart.
      sensor(
        "torn", 2, "interval: 3s\n    prefix: true\n    max_gap: 2",
        ["last: {input: 37}", "gone: {input: 40}", "further: {input: 42}", "far: {input: 100}"]),
      sensor("everybody", 0, "interval: 1h", ["all_off: {holding: 130}"]),
    ].joined(separator: "\n")
  }

  @Test(arguments: Line.allCases) func everyTypeAndEveryFunction(_ line: Line) async throws {
    // A loaded machine is no slow unit.
    let modbus = try await ModbusUnderTest(line, port: ", timeout: 3s", sensors: Self.sensors(line))
    try modbus.daemon.start()
    let server = modbus.server
    let token = GatewayUnderTest.token
    #expect(
      await server.wait(upTo: .seconds(20)) {
        Self.rows.allSatisfy { server.count(of: $0.name, token: token) > 0 }
          && server.count(of: "torn.far", token: token) > 0
      }, "\(server.keys()) \(modbus.daemon.log)")
    for row in Self.rows {
      let values = server.values(of: row.name, token: token)
      #expect(values.allSatisfy { $0.type == row.type && $0.text == row.text }, "\(row.name): \(values)")
    }
    #expect(server.losses.isEmpty)
    #expect(server.count(of: "none", token: token) == 0)

    try await writes(modbus)
    try await refusals(modbus)
    try await tidy(modbus, line)
    #expect(modbus.daemon.terminate() == 0)
    await modbus.end()
  }

  private func writes(_ modbus: ModbusUnderTest) async throws {
    let slave = modbus.slave
    for write in Self.writes {
      #expect(
        await modbus.write("desk", write.register, write.value) == #"{"value":\#(write.value)}"#, "\(write.register)")
      let memory = try slave.values(of: 1, write.table, from: write.address, count: write.memory.count)
      #expect(memory == write.memory, "\(write.register): \(memory)")
      #expect(await modbus.read("desk", write.register) == #"{"value":\#(write.value)}"#, "\(write.register)")
    }
    // To everybody, which nobody answers.
    #expect(await modbus.write("everybody", "all_off", "7") == #"{"value":7}"#)
    let server = modbus.server
    let got = try await eventually {
      try ModbusUnderTest.units.allSatisfy { try slave.values(of: $0, .holding, from: 130) == [7] }
    }
    #expect(got, "the broadcast did not reach all: \(server.commands(token: GatewayUnderTest.token).suffix(1))")
    // What was changed at the unit is there at once.
    try slave.set(1, .input, at: 0, to: [4711])
    let reading = await modbus.gateway.ask("readNow", #"{"sensor":"all"}"#) ?? ""
    #expect(reading.contains(#""u16":4711"#) && reading.contains(#""text":"Baudgate 1""#), "\(reading)")
  }

  private func refusals(_ modbus: ModbusUnderTest) async throws {
    let rows: [(sensor: String, register: String, value: String, code: String, word: String)] = [
      ("desk", "gone", "1", "unavailable", "illegal data address"),
      ("desk", "setpoint", "4000", "bad_params", "-3276.8"),
      ("desk", "nobody", "1", "bad_params", "nobody"),
      ("all", "u16", "1", "bad_params", "cannot be written"),
      ("nobody", "u16", "1", "no_such_sensor", "nobody"),
    ]
    for row in rows {
      let reply = await modbus.write(row.sensor, row.register, row.value) ?? "nothing"
      #expect(reply.hasPrefix(#"{"error":{"code":"\#(row.code)""#) && reply.contains(row.word), "\(reply)")
    }
    let reply = await modbus.read("desk", "gone") ?? "nothing"
    #expect(reply.contains("unavailable") && reply.contains("illegal data address"), "\(reply)")
    // What is not there was found out, told once by name, and costs the others nothing.
    let values = modbus.server.values(of: "torn.last", token: GatewayUnderTest.token)
    #expect(values.allSatisfy { $0.text == "2" })
    for name in ["gone", "further"] { #expect(modbus.told("unit 2 refuses", name).count == 1, "\(modbus.daemon.log)") }
  }

  /// Nothing was asked twice, nothing came late, nobody spoke at once; each function was used.
  private func tidy(_ modbus: ModbusUnderTest, _ line: Line) async throws {
    for (unit, counts) in try modbus.units() {
      for count in ["timeouts", "retries", "late"] { #expect(counts[count] as? Int == 0, "unit \(unit): \(counts)") }
    }
    for sensor in ["all", "torn"] { #expect(try modbus.count("missed", of: sensor) == 0, "\(modbus.daemon.log)") }
    #expect(modbus.told("gives back what is sent").count == (line == .echoUntold ? 1 : 0))
    guard let bus = modbus.bus else { return }
    #expect(bus.counts.collisions == 0)
    #expect((bus.counts.noise > 0) == (line == .noise))
    guard !line.isASCII else { return }
    let functions = Set(modbus.asked().map(\.function))
    #expect(functions == [1, 2, 3, 4, 5, 6, 15, 16, 22, 23])
    for write in Self.writes { #expect(functions.contains(write.function)) }
  }
}
