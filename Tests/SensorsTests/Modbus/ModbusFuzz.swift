import Foundation
import Telemetry
import Testing
import YAML

@testable import Sensors

/// How long to go on; `make fuzz` says more.
private let seconds = ProcessInfo.processInfo.environment["BAUDGATE_FUZZ_SECONDS"].flatMap(Double.init) ?? 0.3
/// Where to begin; printed, so that a run can be repeated.
private let firstSeed = ProcessInfo.processInfo.environment["BAUDGATE_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

/// Goes through seeds until the time is over, at least through a few.
private func fuzz(_ body: (inout SeededGenerator) throws -> Void) rethrows {
  let end = Date().addingTimeInterval(seconds)
  var seed = firstSeed
  repeat {
    var generator = SeededGenerator(state: seed)
    try body(&generator)
    seed += 1
  } while Date() < end || seed < firstSeed + 20
  if seconds > 1 { print("seeds \(firstSeed) to \(seed - 1)") }
}

private func anyBytes(_ most: Int, _ generator: inout SeededGenerator) -> [UInt8] {
  (0..<Int.random(in: 0...most, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

private func anyRequest(_ generator: inout SeededGenerator) -> ModbusRequest {
  let address = UInt16.random(in: 0...UInt16.max, using: &generator)
  func words(_ most: Int) -> [UInt16] {
    (0..<Int.random(in: 1...most, using: &generator)).map { _ in UInt16.random(in: 0...UInt16.max, using: &generator) }
  }
  switch Int.random(in: 0..<9, using: &generator) {
  case 0: return .writeCoil(address, Bool.random(using: &generator))
  case 1: return .writeRegister(address, address ^ 0x5A5A)
  case 2: return .writeCoils(address, words(ModbusLimits.bitsWritten).map { $0 & 1 == 1 })
  case 3: return .writeRegisters(address, words(ModbusLimits.registersWritten))
  case 4: return .maskRegister(address, and: address ^ 0xFF, or: address &+ 3)
  case 5:
    return .writeAndRead(
      write: address, words(ModbusLimits.registersWrittenAndRead), read: address &+ 1,
      count: Int.random(in: 1...125, using: &generator))
  default:
    let table = ModbusTable.allCases[Int.random(in: 0..<4, using: &generator)]
    return .read(table, address: address, count: Int.random(in: 1...table.readLimit, using: &generator))
  }
}

/// A stream with whole, damaged, cut and foreign frames, hexadecimal digits and noise.
private func anyStream(
  for request: BusRequest, _ pattern: ModbusRequest, _ framing: ModbusFraming, _ generator: inout SeededGenerator
) -> [UInt8] {
  var stream: [UInt8] = []
  for _ in 0..<Int.random(in: 0...8, using: &generator) {
    let head =
      [UInt8.random(in: 0...2, using: &generator)]
      + (Bool.random(using: &generator) ? pattern.answerHead : anyBytes(4, &generator))
    var frame: [UInt8]
    switch framing {
    case .rtu:
      let message = head + anyBytes(260, &generator)
      let crc = ModbusCRC.of(message[...])
      frame = message + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    case .ascii:
      let message = head + anyBytes(260, &generator)
      frame = Array(":\(hex(message + [ModbusLRC.of(message[...])]))\r\n".utf8)
    }
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: frame = request.bytes
    case 1: frame = Array(frame.prefix(Int.random(in: 0...frame.count, using: &generator)))
    case 2 where !frame.isEmpty:
      frame[Int.random(in: 0..<frame.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 3: frame = anyBytes(600, &generator)
    default: break
    }
    stream += frame
  }
  return stream
}

@Suite struct ModbusFuzz {
  /// Whatever arrives, a finder ends, stays small and finds only what is an answer.
  @Test func finders() {
    fuzz { generator in
      for framing in [ModbusFraming.rtu, .ascii] {
        let request = anyRequest(&generator)
        let bus = framing.request(request, unit: 1, hasEcho: Bool.random(using: &generator))
        guard var finder = bus.finder else { return }
        var rest = anyStream(for: bus, request, framing, &generator)[...]
        while !rest.isEmpty {
          let count = Int.random(in: 1...min(rest.count, 300), using: &generator)
          if let answer = finder.feed(Array(rest.prefix(count))) {
            #expect(request.answer(answer) != nil)
            break
          }
          rest = rest.dropFirst(count)
          #expect(held(finder) <= 2 * ModbusLimits.asciiFrame)
        }
        #expect(finder.complaint?.utf8.count ?? 0 < 300)
        // And behind all that the answer is still found.
        let exception = request.function | 0x80
        let message: [UInt8] = [1, exception, 2]
        let crc = ModbusCRC.of(message[...])
        let last =
          framing == .rtu
          ? message + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
          : Array(":\(hex(message + [ModbusLRC.of(message[...])]))\r\n".utf8)
        if rest.isEmpty { #expect(finder.feed(bus.bytes + last) != nil) }
      }
    }
  }

  /// The bytes a finder holds.
  private func held(_ finder: any AnswerFinder) -> Int {
    Mirror(reflecting: finder).children.reduce(0) { sum, child in
      switch child.value {
      case let bytes as [UInt8] where child.label != "sent": sum + bytes.count
      case let bytes as [UInt8]? where child.label != "sent": sum + (bytes?.count ?? 0)
      default: sum
      }
    }
  }

  /// Whatever a unit answers, a poll ends, and its values can be sent.
  @Test func polls() throws {
    let sensor = try modbusSensor(
      """
      a: {input: 0, type: float32}
      b: {input: 2, type: uint64}
      c: {input: 6, type: string, length: 5}
      d: {input: 11, bit: 3}
      e: {input: 12, type: float16, scale: 0.1}
      f: {holding: 0, enum: {0: x, 1: y}}
      g: {holding: 1, type: int32, invalid: 0x80000000}
      h: {coil: 0}
      i: {coil: 9}
      """, options: "max_gap: 20\n  interval: 10s")
    try fuzz { generator in
      var poll = try #require(SensorProtocols.poll(of: sensor))
      var output = DecoderOutput()
      for _ in 0..<5 {
        poll.begin()
        var questions = 0
        while let request = poll.next() {
          questions += 1
          try #require(questions <= 20)
          let pdu = Array(request.bytes.dropFirst().dropLast(2))
          guard let asked = ModbusRequest(pdu: pdu) else { return }
          var answer =
            asked.answerHead
            + (0..<(asked.answerLength - asked.answerHead.count)).map { _ in
              UInt8.random(in: 0...255, using: &generator)
            }
          switch Int.random(in: 0..<6, using: &generator) {
          case 0: answer = [asked.function | 0x80, UInt8.random(in: 0...12, using: &generator)]
          case 1: answer = anyBytes(260, &generator)
          case 2: answer.removeLast()
          default: break
          }
          if Int.random(in: 0..<10, using: &generator) == 0 {
            poll.take(.failure(BusFailure(.timedOut, "late")), at: noon)
          } else {
            poll.take(.success(answer), at: noon)
          }
        }
        poll.finish(as: 0, into: &output)
      }
      #expect(output.samples.count <= 5)
      // What is too large the recorder leaves out.
      for reading in output.samples.flatMap(\.sample.readings) {
        #expect(reading.value.unsendable == nil || reading.value.unsendable == .tooLarge)
      }
      #expect(output.faults.allSatisfy { $0.fault.message.utf8.count < 400 })
    }
  }

  /// Whatever stands in a map, it is read or refused with a message.
  @Test func maps() throws {
    let words = [
      "registers:\n", "  a: ", "  b: {", "input: ", "holding: ", "coil: ", "type: ", "float32", "string", "length: ",
      "0", "1",
      "65535", "-1", "99999999999999999999", "0x8000", "bits: ", "4..7", "..", "bit: ", "scale: ", "1e308", "offset: ",
      "enum: {", "x",
      "}", "{", "[", "]", ", ", "\n", "invalid: ", "write: ", "every: ", "word_order: ", "little", "max_gap: ",
      "units: ", "\u{0}", "ü",
    ]
    fuzz { generator in
      var text = "registers:\n  a: {input: 0"
      for _ in 0..<Int.random(in: 0...60, using: &generator) {
        text += words[Int.random(in: 0..<words.count, using: &generator)]
      }
      let found = loadModbus("s: {port: p, protocol: modbus_rtu, unit: 1, map: m}", maps: ["m": text])
      #expect(found.sensors.count == 1 || !found.errors.isEmpty)
      for sensor in found.sensors {
        guard var poll = SensorProtocols.poll(of: sensor) else { continue }
        poll.begin()
        while let request = poll.next() {
          #expect(request.bytes.count == 8)
          poll.take(.success([request.bytes[1] | 0x80, 2]), at: noon)
        }
      }
    }
  }
}
