import Testing

@testable import Sensors

/// What stands in `registers:` of a sensor of unit 1, from line 6 on and five columns in, and what is said of it.
private struct Wrong: Sendable, CustomStringConvertible {
  let description: String
  let registers: String
  let messages: [String]

  init(_ sentence: String, _ registers: String, _ messages: String...) {
    (description, self.registers, self.messages) = (sentence, registers, messages)
  }
}

private let wrong = [
  Wrong(
    "no table", "v: {type: int16}",
    "f:6:8: sensors.s.registers.v has no address; expected one of holding: 0, input: 0, coil: 0 or discrete: 0, with its address"
  ),
  Wrong(
    "two tables", "v: {input: 0, holding: 0}",
    "f:6:16: sensors.s.registers.v has holding and input; expected one of holding: 0, input: 0, coil: 0 or discrete: 0, with its address"
  ),
  Wrong(
    "an address as others write it", "v: {address: 0, function: 4}",
    "f:6:8: sensors.s.registers.v has no address; expected one of holding: 0, input: 0, coil: 0 or discrete: 0, with its address",
    "f:6:9: unknown key \"address\" in sensors.s.registers.v; the table says it: holding: 0, input: 0, coil: 0 or discrete: 0",
    "f:6:21: unknown key \"function\" in sensors.s.registers.v; the table says it: holding: 0, input: 0, coil: 0 or discrete: 0"
  ),
  Wrong(
    "an address beyond all", "v: {input: 65536}",
    "f:6:16: sensors.s.registers.v.input is \"65536\"; expected an address from 0 to 65535 as it is on the wire"),
  Wrong(
    "an address below all", "v: {input: -9223372036854775808}",
    "f:6:16: sensors.s.registers.v.input is \"-9223372036854775808\"; expected an address from 0 to 65535 as it is on the wire"
  ),
  Wrong(
    "a manual's number of six digits", "v: {holding: 400031}",
    "f:6:18: sensors.s.registers.v.holding is \"400031\"; expected an address from 0 to 65535 as it is on the wire: a manual's 400031 is holding: 30"
  ),
  Wrong(
    "a value that goes beyond the last register", "v: {input: 65534, type: float64}",
    "f:6:16: sensors.s.registers.v takes 4 registers from 65534 on, beyond the last one, 65535"),
  Wrong(
    "an unknown type", "v: {input: 0, type: float}",
    "f:6:25: sensors.s.registers.v.type is \"float\"; expected bit, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64, …; did you mean \"float16\"?"
  ),
  Wrong(
    "an unknown order", "v: {input: 0, word_order: middle}",
    "f:6:31: sensors.s.registers.v.word_order is \"middle\"; expected big or little"),
  Wrong(
    "bits that are none",
    "v: {input: 0, bits: 7..4}\nw: {input: 1, bits: 0..16}\nx: {input: 2, bits: 3}\ny: {input: 3, bit: 16}",
    "f:6:25: sensors.s.registers.v.bits is \"7..4\"; expected the lowest and the highest bit of the register, from 0 to 15, such as 4..7",
    "f:7:25: sensors.s.registers.w.bits is \"0..16\"; expected the lowest and the highest bit of the register, from 0 to 15, such as 4..7",
    "f:8:25: sensors.s.registers.x.bits is \"3\"; expected the lowest and the highest bit of the register, from 0 to 15, such as 4..7",
    "f:9:24: sensors.s.registers.y.bit is \"16\"; expected an integer from 0 to 15"),
  Wrong(
    "a bit without its number", "v: {input: 0, type: bit}",
    "f:6:25: sensors.s.registers.v has no \"bit\", which type: bit needs in a register: bit: 0 is the lowest"),
  Wrong(
    "a bit with a type or a scale", "v: {input: 0, bit: 1, type: int16, scale: 2}",
    "f:6:33: sensors.s.registers.v.type does not belong here: bit makes it true or false",
    "f:6:47: sensors.s.registers.v.scale does not belong here: bit makes it true or false"),
  Wrong(
    "a coil with what only registers have", "v: {coil: 0, type: int16, scale: 2}",
    "f:6:24: sensors.s.registers.v.type is \"int16\"; expected bit, or nothing: a coil is one bit",
    "f:6:38: sensors.s.registers.v.scale does not belong here: a coil is one bit"),
  Wrong(
    "text without a length, a length without text", "v: {input: 0, type: string}\nw: {input: 9, length: 2}",
    "f:6:8: sensors.s.registers.v has no \"length\", which is required",
    "f:7:27: sensors.s.registers.w.length does not belong here: only type: string has one"),
  Wrong(
    "which byte of a whole register", "v: {input: 0, byte: high}",
    "f:6:25: sensors.s.registers.v.byte does not belong here: only type: int8 and uint8 have one"),
  Wrong(
    "a scale of nothing", "v: {input: 0, scale: 0}",
    "f:6:26: sensors.s.registers.v.scale is \"0\"; expected a number other than 0"),
  Wrong(
    "names that are none", "v: {input: 0, enum: {a: b, 70000: c, 1: [d], 2: e, 3: e}}",
    "f:6:26: sensors.s.registers.v.enum has \"a\"; expected numbers from 0 to 65535, each with its name",
    "f:6:32: sensors.s.registers.v.enum has \"70000\"; expected numbers from 0 to 65535, each with its name",
    "f:6:45: sensors.s.registers.v.enum.1 is a list; expected a name",
    "f:6:59: sensors.s.registers.v.enum.3 is \"e\", which another number is called; a command could not tell them"),
  Wrong(
    "names with a scale, and of a float",
    "v: {input: 0, enum: {1: a}, scale: 2}\nw: {input: 1, type: float32, enum: {1: a}}",
    "f:6:25: sensors.s.registers.v.enum does not belong here: a name for a number and a scale exclude each other",
    "f:7:40: sensors.s.registers.w.enum does not belong here: only whole numbers have names"),
  Wrong(
    "a sentinel that is too long", "v: {input: 0, type: int16, invalid: [0x8000, 0x10000]}",
    "f:6:50: sensors.s.registers.v.invalid is \"0x10000\"; expected the number that means \"no value\", or its 16 bits such as 0x8000, or a list of them"
  ),
  Wrong(
    "writing what cannot be written", "v: {input: 0, write: 6}\nw: {discrete: 0, access: read_write}",
    "f:6:26: sensors.s.registers.v.write does not belong here: input is a table that is only read",
    "f:7:30: sensors.s.registers.w.access does not belong here: discrete is a table that is only read"),
  Wrong(
    "functions that cannot write it",
    "v: {holding: 0, type: int32, write: 6}\nw: {coil: 0, write: 6}\nx: {holding: 2, bit: 0, write: 23}\ny: {holding: 3, access: read, write: 6}",
    "f:6:41: sensors.s.registers.v.write is \"6\"; expected the function that writes it: 16 or 23",
    "f:7:25: sensors.s.registers.w.write is \"6\"; expected the function that writes it: 5 or 15",
    "f:8:36: sensors.s.registers.x.write is \"23\"; expected the function that writes it: 6, 16 or 22",
    "f:9:42: sensors.s.registers.y.write does not belong here: access: read forbids it"),
  Wrong(
    "a rhythm of what is never read", "v: {holding: 0, access: write, every: 5}",
    "f:6:43: sensors.s.registers.v.every does not belong here: with access: write nothing is read"),
  Wrong(
    "a Modbus unit in a register", "v: {input: 0, unit: V}",
    "f:6:19: unknown key \"unit\" in sensors.s.registers.v; the Modbus unit is the sensor's; a quantity has units: V"),
  Wrong(
    "a name no key can have", "\"<v>\": {input: 0}",
    "f:6:5: \"<v>\" cannot be a key: the key holds \"<\", which the server refuses as HTML; leave it out"),
  Wrong(
    "an overlap", "a: {input: 0, type: float32}\nb: {input: 1, type: float32}",
    "f:7:5: sensors.s.registers.b takes input 1 to 2, and sensors.s.registers.a has input 0 to 1: they overlap; check the addresses and types"
  ),
  Wrong(
    "an overlap against the order of the file", "b: {input: 1}\na: {input: 0, type: int64}\nc: {input: 3, type: int32}",
    "f:7:5: sensors.s.registers.a takes input 0 to 3, and sensors.s.registers.b has input 1: they overlap; check the addresses and types",
    "f:8:5: sensors.s.registers.c takes input 3 to 4, and sensors.s.registers.a has input 0 to 3: they overlap; check the addresses and types"
  ),
  Wrong("no register", "v: 5", "f:6:8: sensors.s.registers.v is \"5\"; expected keys, each on a line \"key: value\""),
]

@Test(arguments: wrong) private func mistakesAreToldAtTheirPlace(_ row: Wrong) {
  let lines = row.registers.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
  let found = loadModbus("s:\n  port: p\n  protocol: modbus_rtu\n  unit: 1\n  registers:\n\(lines)")
  #expect(found.errors == row.messages)
  #expect(found.sensors.isEmpty || row.description.hasPrefix("an overlap"))
}

@Test func mistakesOfTheSensor() {
  func errors(_ options: String, maps: [String: String] = [:]) -> [String] {
    loadModbus("s: {port: p, protocol: modbus_rtu, \(options)}", maps: maps).errors
  }
  #expect(errors("registers: {v: {input: 0}}") == ["f:1:4: sensors.s has no \"unit\", which is required"])
  #expect(
    errors("unit: 256, registers: {v: {input: 0}}") == [
      "f:1:42: sensors.s.unit is \"256\"; expected an integer from 0 to 255"
    ])
  #expect(
    errors("unit: 1") == [
      "f:1:4: sensors.s has neither \"registers\" nor \"map\"; expected what is to be read, such as registers: {voltage: {input: 0, type: float32}}"
    ])
  #expect(errors("unit: 1, registers: {}") == ["f:1:56: sensors.s has no register; nothing would be read"])
  #expect(
    errors("unit: 1, registers: {v: {input: 0}}, scale: 2") == [
      "f:1:73: unknown key \"scale\" in sensors.s; it belongs to a register: registers: {voltage: {input: 0, scale: 0.1}}"
    ])
  #expect(
    errors("unit: 0, registers: {v: {input: 0}}") == [
      "f:1:57: sensors.s.registers.v can only be read, and unit 0 is everybody: nobody answers; write the unit's own number"
    ])
  #expect(
    errors("unit: 1, registers: {v: {input: 0}}, max_gap: 125, max_registers: 0, echo: on, timeout: 1ms") == [
      "f:1:82: sensors.s.max_gap is \"125\"; expected an integer from 0 to 124",
      "f:1:102: sensors.s.max_registers is \"0\"; expected an integer from 1 to 125",
      "f:1:111: sensors.s.echo is \"on\"; expected true or false",
      "f:1:124: sensors.s.timeout is \"1ms\"; expected a duration from 10ms to 1m such as 250ms, 5s, 10m or 1h",
    ])
  #expect(
    errors("unit: 1, only: [v], registers: {v: {input: 0}}") == [
      "f:1:51: sensors.s.only picks from a map, and there is no \"map\""
    ])
  let many = (0...512).map { "r\($0): {input: \($0)}" }.joined(separator: ", ")
  #expect(
    errors("unit: 1, registers: {\(many)}").first
      == "f:1:56: sensors.s.registers has 513 entries; at most 512 are possible")
  #expect(
    loadModbus("s: {port: p, protocol: modbus_rtu_tcp, unit: 1}").errors == [
      "f:1:24: sensors.s.protocol is \"modbus_rtu_tcp\"; write modbus_rtu, and give the port a path such as tcp://192.0.2.7:4001"
    ])
}

@Test func manualsNumbersAreAWarning() {
  let found = loadModbus(
    "s: {port: p, protocol: modbus_rtu, unit: 1, registers: {a: {input: 30001}, b: {holding: 40031}, c: {discrete: 10001}, d: {holding: 0x9C85}, e: {coil: 1}}}"
  )
  #expect(found.errors == [])
  #expect(
    found.warnings == [
      "f:1:68: warning: sensors.s.registers.a.input is 30001, which in a manual mostly is the address 0 on the wire; write 0, or 0x7531 if it is meant as it stands",
      "f:1:89: warning: sensors.s.registers.b.holding is 40031, which in a manual mostly is the address 30 on the wire; write 30, or 0x9c5f if it is meant as it stands",
      "f:1:111: warning: sensors.s.registers.c.discrete is 10001, which in a manual mostly is the address 0 on the wire; write 0, or 0x2711 if it is meant as it stands",
    ])
}

@Test func legalNeighbours() {
  let rows = [
    "a: {input: 0}, b: {input: 0, bit: 3}, c: {input: 0, bits: 4..7}, d: {input: 0, type: int8}",
    "a: {input: 0, type: uint32}, b: {input: 1, bit: 3}",
    "a: {input: 0, scale: 0.1}, b: {input: 0}", "a: {input: 0, type: float32}, b: {holding: 1, type: float32}",
    "a: {coil: 0}, b: {coil: 1}",
  ]
  for row in rows {
    let found = loadModbus("s: {port: p, protocol: modbus_rtu, unit: 1, registers: {\(row)}}")
    #expect(found.errors == [] && found.warnings == [], "\(row)")
  }
  #expect(
    loadModbus(
      "s: {port: p, protocol: modbus_rtu, unit: 1, registers: {a: {input: 0, type: int32}, b: {input: 0, type: float32}}}"
    ).warnings == [
      "f:1:85: warning: sensors.s.registers.b takes input 0 to 1, which sensors.s.registers.a has as another type; one of them reads nonsense"
    ])
}

@Test func ordersOfTheSensorAreThoseOfItsRegisters() throws {
  let settings = try modbusSettings(
    "a: {input: 0, type: uint32}\nb: {input: 2, type: uint32, word_order: big}\nc: {input: 4, type: string, length: 2}\nd: {coil: 0}",
    options: "word_order: little\n  byte_order: little")
  let little = RegisterOrder(words: .little, bytes: .little)
  // Characters come in their order all the same, and a coil has none.
  #expect(
    settings.registers.map(\.order) == [
      little, RegisterOrder(words: .big, bytes: .little), RegisterOrder(words: .big, bytes: .little), RegisterOrder(),
    ])
}

// MARK: - Maps

private let meter = """
  word_order: little
  max_gap: 3
  max_registers: 60
  registers:
    voltage: {input: 0, scale: 0.1, units: V}
    power: {input: 1, type: uint32, units: W}
    limit: {holding: 1, every: 0}
  """

@Test func aMapAndTheSensorsOwn() throws {
  let found = loadModbus(
    """
    s:
      port: p
      protocol: modbus_ascii
      unit: 3
      map: meter
      only: [power, limit]
      max_gap: 0
      units: {extra: s}
      registers:
        extra: {input: 10, type: uint32, units: min}
        limit: {holding: 2}
    """, maps: ["meter": meter])
  #expect(found.errors == [] && found.warnings == [])
  let sensor = try #require(found.sensors.first)
  let settings = try #require(sensor.settings as? ModbusSettings)
  #expect(settings.framing == .ascii)
  #expect(settings.registers.map(\.name) == ["power", "limit", "extra"])
  #expect(settings.registers.map(\.address) == [1, 2, 10])
  #expect(settings.registers.map(\.order.words) == [.little, .big, .big])
  #expect((settings.maxGap, settings.maxRegisters) == (0, 60))
  #expect(sensor.keys?.map(\.name) == ["power", "limit", "extra"])
  #expect(sensor.units == ["power": "W", "extra": "s"])
  #expect(sensor.interval == SensorOptions.defaultInterval)
}

@Test func mistakesOfAMapStandInItsFile() {
  let broken = "registers:\n  a: {input: 0, tpye: int16}\n  b: {input: 0, type: int32}\n  c: {input: 1}\nfoo: 1\n"
  let entry = "{port: p, protocol: modbus_rtu, unit: 1, map: broken}"
  let found = loadModbus("s: \(entry)\nt: \(entry)", maps: ["broken": broken])
  // Once, though two sensors have it.
  #expect(
    found.errors == [
      "broken.yaml:2:17: unknown key \"tpye\" in registers.a; did you mean \"type\"?",
      "broken.yaml:4:3: registers.c takes input 1, and registers.b has input 0 to 1: they overlap; check the addresses and types",
      "broken.yaml:5:1: unknown key \"foo\"; expected registers, word_order, byte_order, max_gap or max_registers",
    ])
  #expect(found.sensors.isEmpty)
  func errors(_ options: String) -> [String] {
    loadModbus(
      "s: {port: p, protocol: modbus_rtu, unit: 1, \(options)}",
      maps: ["meter": meter, "empty": "", "bare": "max_gap: 1"]
    ).errors
  }
  #expect(errors("map: other") == ["f:1:50: sensors.s.map is \"other\"; no such map"])
  #expect(errors("map: empty") == ["empty.yaml:1:1: the file is empty"])
  #expect(errors("map: bare") == ["bare.yaml:1:1: the document has no \"registers\", which is required"])
  #expect(
    errors("map: meter, only: [powr, x]") == [
      "f:1:64: sensors.s.only has \"powr\"; did you mean \"power\"?",
      "f:1:70: sensors.s.only has \"x\"; the map has voltage, power and limit",
    ])
  #expect(
    errors("map: meter, registers: {x: {input: 2}}") == [
      "f:1:69: sensors.s.registers.x takes input 2, and registers.power has input 1 to 2: they overlap; check the addresses and types"
    ])
}

@Test func shippedMapsAreRightAndWithoutAWarning() throws {
  for (name, registers, requests) in [("pzem004t", 8, 1), ("sdm120", 22, 4), ("sdm630", 54, 5)] {
    let text = try String(contentsOfFile: "etc/baudgate/maps/\(name).yaml", encoding: .utf8)
    let found = loadModbus("s: {port: p, protocol: modbus_rtu, unit: 1, map: \(name)}", maps: [name: text])
    #expect(found.errors == [] && found.warnings == [])
    let settings = try #require(found.sensors.first?.settings as? ModbusSettings)
    #expect(settings.registers.count == registers)
    let plan = ModbusPlan(settings.polled, maxGap: settings.maxGap, maxRegisters: settings.maxRegisters)
    #expect(plan.blocks.count == requests, "\(name)")
  }
}
