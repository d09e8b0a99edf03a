import Telemetry
import Testing
import YAML

@testable import Sensors

func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { $0 != " " }
  return stride(from: 0, to: digits.utf8.count, by: 2).compactMap { UInt8(digits.dropFirst($0).prefix(2), radix: 16) }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Files that exist in a test alone.
struct ShelfOfMaps: FileLibrary {
  var files: [String: String] = [:]

  func file(named name: String) throws(LibraryFailure) -> LibraryFile {
    guard let text = files[name] else { throw LibraryFailure("no such map") }
    return LibraryFile(path: "\(name).yaml", bytes: Array(text.utf8))
  }
}

/// The options that follow from entries of `sensors:`, and all that was said of them.
func loadModbus(
  _ yaml: String, maps: [String: String] = [:]
) -> (sensors: [SensorOptions], errors: [String], warnings: [String]) {
  let diagnostics = Diagnostics(file: "f")
  diagnostics.library = ShelfOfMaps(files: maps)
  var sensors: [SensorOptions] = []
  if let root = YAMLNode.load(Array(yaml.utf8), file: "f", diagnostics: diagnostics),
    case .mapping(let entries) = root.value
  {
    for entry in entries {
      guard
        var reader = MappingReader(
          entry.value, path: "sensors.\(entry.name)", name: entry.name, diagnostics: diagnostics)
      else { continue }
      if let sensor = SensorOptions(from: &reader, name: entry.name) { sensors.append(sensor) }
    }
  }
  return (sensors, diagnostics.errors.map(\.description), diagnostics.warnings.map(\.description))
}

/// One Modbus sensor `s` of unit 1 with these registers, each a line.
func modbusSensor(_ registers: String, options: String = "", protocol name: String = "modbus_rtu") throws
  -> SensorOptions
{
  let lines = registers.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
  let (sensors, errors, _) = loadModbus(
    "s:\n  port: p\n  protocol: \(name)\n  unit: 1\n\(options.isEmpty ? "" : "  \(options)\n")  registers:\n\(lines)\n")
  guard errors.isEmpty, let sensor = sensors.first else { throw Unusable(description: errors.joined(separator: "\n")) }
  return sensor
}

func modbusSettings(_ registers: String, options: String = "") throws -> ModbusSettings {
  try #require(try modbusSensor(registers, options: options).settings as? ModbusSettings)
}

extension ModbusRequest {
  /// Reads a question, as a unit would.
  init?(pdu: [UInt8]) {
    func word(_ index: Int) -> UInt16? {
      pdu.indices.contains(index + 1) ? UInt16(pdu[index]) << 8 | UInt16(pdu[index + 1]) : nil
    }
    func words(from index: Int, _ count: UInt16) -> [UInt16]? {
      guard pdu.count == index + 1 + 2 * Int(count), Int(pdu[index]) == 2 * Int(count) else { return nil }
      return (0..<Int(count)).compactMap { word(index + 1 + 2 * $0) }
    }
    guard let function = pdu.first, let first = word(1), let second = word(3) else { return nil }
    switch function {
    case 1...4 where pdu.count == 5:
      guard let table = ModbusTable.allCases.first(where: { $0.readFunction == function }) else { return nil }
      self = .read(table, address: first, count: Int(second))
    case 5 where pdu.count == 5 && (second == 0 || second == 0xFF00): self = .writeCoil(first, second != 0)
    case 6 where pdu.count == 5: self = .writeRegister(first, second)
    case 15 where pdu.count == 6 + (Int(second) + 7) / 8:
      self = .writeCoils(first, (0..<Int(second)).map { pdu[6 + $0 / 8] >> UInt8($0 % 8) & 1 == 1 })
    case 16:
      guard let words = words(from: 5, second) else { return nil }
      self = .writeRegisters(first, words)
    case 22:
      guard pdu.count == 7, let third = word(5) else { return nil }
      self = .maskRegister(first, and: second, or: third)
    case 23:
      guard let third = word(5), let fourth = word(7), let words = words(from: 9, fourth) else { return nil }
      self = .writeAndRead(write: third, words, read: first, count: Int(second))
    default: return nil
    }
  }
}

/// A unit that has some addresses and refuses all others, to functions it may not know.
struct FakeUnit {
  var coils: [Int: Bool] = [:]
  var registers: [ModbusTable: [Int: UInt16]] = [.holding: [:], .input: [:]]
  var functions: Set<UInt8> = [1, 2, 3, 4, 5, 6, 15, 16, 22, 23]
  var longest = 125
  private(set) var questions: [ModbusRequest] = []

  /// - Returns: The answer's protocol data unit.
  mutating func answer(_ pdu: [UInt8]) -> [UInt8] {
    let function = pdu.first ?? 0
    func refusal(_ code: UInt8) -> [UInt8] { [function | 0x80, code] }
    guard let request = ModbusRequest(pdu: pdu) else { return refusal(3) }
    questions.append(request)
    guard functions.contains(function) else { return refusal(1) }
    switch request {
    case .read(let table, let address, let count) where table.hasBits:
      let bits = (0..<count).compactMap { coils[Int(address) + $0] }
      guard bits.count == count else { return refusal(2) }
      var bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
      for (index, bit) in bits.enumerated() where bit { bytes[index / 8] |= 1 << UInt8(index % 8) }
      return [function, UInt8(bytes.count)] + bytes
    case .read(let table, let address, let count):
      guard count <= longest else { return refusal(3) }
      return words(function, table, address, count) ?? refusal(2)
    case .writeCoil(let address, let isOn): return write([Int(address): isOn], pdu, 5) ?? refusal(2)
    case .writeCoils(let address, let bits):
      let new = Dictionary(uniqueKeysWithValues: bits.enumerated().map { (Int(address) + $0.offset, $0.element) })
      return write(new, pdu, 5) ?? refusal(2)
    case .writeRegister(let address, let word): return write(address, [word]) ? pdu : refusal(2)
    case .writeRegisters(let address, let words): return write(address, words) ? Array(pdu.prefix(5)) : refusal(2)
    case .maskRegister(let address, let and, let or):
      guard let old = registers[.holding]?[Int(address)] else { return refusal(2) }
      return write(address, [old & and | or & ~and]) ? pdu : refusal(2)
    case .writeAndRead(let address, let words, let source, let count):
      guard write(address, words) else { return refusal(2) }
      return self.words(function, .holding, source, count) ?? refusal(2)
    }
  }

  private func words(_ function: UInt8, _ table: ModbusTable, _ address: UInt16, _ count: Int) -> [UInt8]? {
    let words = (0..<count).compactMap { registers[table]?[Int(address) + $0] }
    guard words.count == count else { return nil }
    return [function, UInt8(2 * count)] + words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
  }

  private mutating func write(_ new: [Int: Bool], _ pdu: [UInt8], _ length: Int) -> [UInt8]? {
    guard new.keys.allSatisfy({ coils[$0] != nil }) else { return nil }
    coils.merge(new) { _, new in new }
    return Array(pdu.prefix(length))
  }

  private mutating func write(_ address: UInt16, _ words: [UInt16]) -> Bool {
    guard words.indices.allSatisfy({ registers[.holding]?[Int(address) + $0] != nil }) else { return false }
    for (index, word) in words.enumerated() { registers[.holding]?[Int(address) + index] = word }
    return true
  }

  /// Answers a whole frame of a question to unit 1, or of a broadcast, with a whole frame.
  mutating func answer(frame request: BusRequest) -> [UInt8] {
    let isASCII = request.bytes.first == UInt8(ascii: ":")
    let message =
      isASCII
      ? hex(String(decoding: request.bytes.dropFirst().dropLast(4), as: UTF8.self)) : Array(request.bytes.dropLast(2))
    let pdu = answer(Array(message.dropFirst()))
    let answer = [message.first ?? 0] + pdu
    if isASCII {
      let text = hex(answer + [ModbusLRC.of(answer[...])]).uppercased()
      return Array(":\(text)\r\n".utf8)
    }
    let crc = ModbusCRC.of(answer[...])
    return answer + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
  }

  mutating func forgetQuestions() { questions = [] }
}

/// One cycle against a unit; what came of it, as `Harvest` writes it.
func cycle(_ poll: inout any SensorPoll, _ unit: inout FakeUnit) -> (values: [String], faults: [String]) {
  var output = DecoderOutput()
  poll.begin()
  while var request = poll.next() {
    let frame = unit.answer(frame: request)
    guard let answer = request.finder?.feed(frame) else {
      Issue.record("no answer in \(hex(frame))")
      break
    }
    poll.take(.success(answer), at: noon)
  }
  poll.finish(as: 0, into: &output)
  let values = output.samples.flatMap(\.sample.readings).map { "\($0.key.name)=\(JSON($0.value).text)" }
  return (values, output.faults.map { "\($0.fault.code.rawValue) \($0.fault.message)" })
}

/// Carries out a command against a unit.
func carryOut(_ exchange: any RegisterExchange, _ unit: inout FakeUnit) throws -> JSON {
  var exchange = exchange
  while var request = exchange.next() {
    let frame = unit.answer(frame: request)
    guard request.finder != nil else { continue }
    let answer = request.finder?.feed(frame)
    try exchange.take(try #require(answer))
  }
  return exchange.value
}
