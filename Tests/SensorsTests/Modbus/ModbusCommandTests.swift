import Telemetry
import Testing

@testable import Sensors

private let registers = """
  setpoint: {holding: 0, type: int16, scale: 0.1}
  big: {holding: 1, type: float32, word_order: little}
  flag: {holding: 3, bit: 2}
  part: {holding: 3, bits: 4..7, byte_order: little}
  masked: {holding: 3, bits: 8..11, write: 22}
  mode: {holding: 4, enum: {0: "off", 1: heating}}
  confirmed: {holding: 5, write: 23}
  sixteen: {holding: 6, write: 16}
  name: {holding: 7, type: string, length: 2}
  lamp: {coil: 0}
  row: {coil: 1, write: 15}
  fixed: {holding: 0, type: int16, access: read}
  secret: {holding: 9, access: write}
  meter: {input: 0, type: int16, invalid: 0x8000}
  hole: {holding: 500}
  """

private func unit() -> FakeUnit {
  var unit = FakeUnit()
  unit.registers[.holding] = Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, 0xFFFF) })
  unit.registers[.input] = [0: 0x8000]
  unit.coils = [0: false, 1: false]
  return unit
}

private struct Write: Sendable, CustomStringConvertible {
  let register: String
  let value: String
  let reply: String
  let functions: [UInt8]
  let words: [Int: UInt16]
  var description: String { "\(register) \(value)" }
}

private let writes = [
  Write(register: "setpoint", value: "5", reply: "5.0", functions: [6], words: [0: 50]),
  Write(register: "setpoint", value: "21.54", reply: "21.5", functions: [6], words: [0: 215]),
  Write(register: "setpoint", value: "-0.1", reply: "-0.1", functions: [6], words: [0: 0xFFFF]),
  Write(register: "big", value: "230.2", reply: "230.2", functions: [16], words: [1: 0x3333, 2: 0x4366]),
  Write(register: "flag", value: "false", reply: "false", functions: [3, 6], words: [3: 0xFFFB]),
  Write(register: "flag", value: "1", reply: "true", functions: [3, 6], words: [3: 0xFFFF]),
  Write(register: "part", value: "1", reply: "1", functions: [3, 6], words: [3: 0x1FFF]),
  Write(register: "masked", value: "10", reply: "10", functions: [22], words: [3: 0xFAFF]),
  Write(register: "mode", value: "\"heating\"", reply: "\"heating\"", functions: [6], words: [4: 1]),
  Write(register: "mode", value: "0", reply: "\"off\"", functions: [6], words: [4: 0]),
  Write(register: "confirmed", value: "7", reply: "7", functions: [23], words: [5: 7]),
  Write(register: "sixteen", value: "7.0", reply: "7", functions: [16], words: [6: 7]),
  Write(register: "name", value: "\"ab\"", reply: "\"ab\"", functions: [16], words: [7: 0x6162, 8: 0]),
  Write(register: "secret", value: "1", reply: "1", functions: [6], words: [9: 1]),
]

@Test(arguments: writes, ["modbus_rtu", "modbus_ascii"])
private func commandsWrite(_ row: Write, _ name: String) throws {
  let settings = try #require(try modbusSensor(registers, protocol: name).settings as? any PolledSettings)
  var unit = unit()
  let reply = try carryOut(settings.writing(row.register, JSON(parsing: Array(row.value.utf8))), &unit)
  #expect(reply.text == row.reply)
  #expect(unit.questions.map(\.function) == row.functions)
  for (address, word) in unit.registers[.holding] ?? [:] {
    #expect(word == row.words[address] ?? 0xFFFF, "register \(address)")
  }
}

@Test func commandsSwitchCoils() throws {
  let settings = try modbusSettings(registers)
  var unit = unit()
  #expect(try carryOut(settings.writing("lamp", .bool(true)), &unit) == .bool(true))
  #expect(try carryOut(settings.writing("row", .integer(1)), &unit) == .bool(true))
  #expect(unit.coils == [0: true, 1: true])
  #expect(unit.questions.map(\.function) == [5, 15])
  #expect(try carryOut(settings.reading("lamp"), &unit) == .bool(true))
}

@Test func commandsRead() throws {
  let settings = try modbusSettings(registers)
  var unit = unit()
  unit.registers[.holding]?[0] = 215
  #expect(try carryOut(settings.reading("setpoint"), &unit) == .double(21.5))
  #expect(try carryOut(settings.reading("mode"), &unit) == .string("unknown 65535"))
  #expect(try carryOut(settings.reading("meter"), &unit) == .null)
  #expect(settings.registerNames.first == "setpoint")
}

@Test func commandsThatCannotBe() throws {
  let settings = try modbusSettings(registers)
  func refusal(_ body: () throws -> any RegisterExchange) -> String {
    do {
      _ = try body()
      return "accepted"
    } catch let error as RegisterError { return "\(error.code) \(error.message)" } catch { return "\(error)" }
  }
  let rows: [(String, JSON, String)] = [
    ("setpint", .integer(1), "noSuchRegister no register is called \"setpint\"; did you mean setpoint?"),
    ("meter", .integer(1), "notWritable meter is input 0, a table that cannot be written"),
    ("fixed", .integer(1), "notWritable fixed has access: read"),
    ("setpoint", .integer(4000), "badValue setpoint cannot be 4000; it takes a number from -3276.8 to 3276.7"),
    ("setpoint", .string("5"), "badValue setpoint cannot be \"5\"; it takes a number from -3276.8 to 3276.7"),
    ("setpoint", .double(.infinity), "badValue setpoint cannot be null; it takes a number from -3276.8 to 3276.7"),
    ("sixteen", .double(7.5), "badValue sixteen cannot be 7.5; it takes a whole number from 0 to 65535"),
    ("sixteen", .integer(-1), "badValue sixteen cannot be -1; it takes a whole number from 0 to 65535"),
    ("sixteen", .bool(true), "badValue sixteen cannot be true; it takes a whole number from 0 to 65535"),
    ("part", .integer(16), "badValue part cannot be 16; it takes a whole number from 0 to 15"),
    ("flag", .integer(2), "badValue flag cannot be 2; it takes true or false"),
    ("lamp", .string("on"), "badValue lamp cannot be \"on\"; it takes true or false"),
    ("mode", .string("cool"), "badValue mode cannot be \"cool\"; it takes \"off\" or \"heating\""),
    ("mode", .integer(2), "badValue mode cannot be 2; it takes \"off\" or \"heating\""),
    (
      "big", .double(1e39),
      "badValue big cannot be 1000000000000000000000000000000000000000.0; it takes a number that float32 holds"
    ),
    (
      "name", .string("abcde"),
      "badValue name cannot be \"abcde\"; it takes text of at most 4 bytes without control characters"
    ),
    ("name", .null, "badValue name cannot be null; it takes text of at most 4 bytes without control characters"),
  ]
  for (register, value, message) in rows {
    #expect(refusal { try settings.writing(register, value) } == message)
  }
  #expect(refusal { try settings.reading("secret") } == "notReadable secret has access: write")
}

@Test func refusalsOfTheUnitAreToldByName() throws {
  let settings = try modbusSettings(registers)
  var unit = unit()
  unit.functions = [3, 16]
  let rows: [(any RegisterExchange, String)] = [
    (try settings.reading("hole"), "unit 1 refuses to read hole (holding 500): exception 2 (illegal data address)"),
    (
      try settings.writing("setpoint", .integer(1)),
      "unit 1 refuses to write setpoint (holding 0): exception 1 (illegal function); it does not know function 6, try another `write:`"
    ),
    (try settings.reading("lamp"), "unit 1 refuses to read lamp (coil 0): exception 1 (illegal function)"),
  ]
  for (exchange, message) in rows {
    do {
      _ = try carryOut(exchange, &unit)
      Issue.record("no refusal")
    } catch let error as RegisterError {
      #expect(error.code == .refused)
      #expect(error.message == message)
    }
  }
}

@Test func everybodyIsWrittenToAndNeverRead() throws {
  let (sensors, errors, _) = loadModbus(
    "s: {port: p, protocol: modbus_rtu, unit: 0, registers: {a: {holding: 3}, b: {holding: 3, bit: 1}, m: {holding: 3, bit: 1, write: 22}}}"
  )
  #expect(errors == [])
  let sensor = try #require(sensors.first)
  #expect(sensor.keys == [])
  var poll = try #require(SensorProtocols.poll(of: sensor))
  poll.begin()
  #expect(poll.next() == nil)
  let settings = try #require(sensor.settings as? any PolledSettings)
  var exchange = try settings.writing("a", .integer(5))
  let question = exchange.next()
  let request = try #require(question)
  #expect(hex(request.bytes.dropLast(2)) == "000600030005")
  #expect(request.finder == nil)
  #expect(exchange.next() == nil)
  #expect(exchange.value == .integer(5))
  var mask = try settings.writing("m", .bool(true))
  #expect(mask.next().map { hex($0.bytes.dropLast(2)) } == "00160003fffd0002")
  #expect(throws: RegisterError.self) { _ = try settings.writing("b", .bool(true)) }
  #expect(throws: RegisterError.self) { _ = try settings.reading("a") }
}
