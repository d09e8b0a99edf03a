import Foundation
import Telemetry
import Testing

@testable import Sensors

/// Published frames; `BAUDGATE_FRAMES` names the file.
private let frames: [JSON]? = {
  let path = ProcessInfo.processInfo.environment["BAUDGATE_FRAMES"] ?? "../shared/frames.jsonl"
  guard let text = FileManager.default.contents(atPath: path) else { return nil }
  return text.split(separator: UInt8(ascii: "\n")).compactMap { try? JSON(parsing: Array($0)) }
}()

private let areThere = Comment(rawValue: "no published frames: set BAUDGATE_FRAMES to frames.jsonl")

extension JSON {
  fileprivate var string: String? { if case .string(let text) = self { text } else { nil } }
  fileprivate var number: Int64? { if case .integer(let number) = self { number } else { nil } }
  fileprivate var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }
}

private func rows(_ names: String...) -> [(id: String, bytes: [UInt8], isValid: Bool, expected: JSON, json: JSON)] {
  (frames ?? []).compactMap { frame in
    guard let name = frame["protocol"]?.string, names.contains(name) else { return nil }
    return (
      frame["id"]?.string ?? "", hex(frame["hex"]?.string ?? ""), frame["valid"] == .bool(true),
      frame["expected"] ?? .null,
      frame
    )
  }
}

/// A question and what came back to it.
@Test(.enabled(if: frames != nil, areThere)) func publishedPairsOfRTU() throws {
  var answers = 0
  var refusals = 0
  for row in rows("modbus-rtu") {
    guard let question = row.expected["request_hex"]?.string.map({ hex($0) }),
      let request = ModbusRequest(pdu: Array(question.dropFirst().dropLast(2)))
    else { continue }
    var bus = ModbusFraming.rtu.request(request, unit: question[0], hasEcho: false)
    guard bus.bytes == question else {
      // Written by hand for a test of theirs, with a number or a byte count that is none.
      #expect(!row.isValid, "\(row.id)")
      continue
    }
    let answer = bus.finder?.feed(row.bytes)
    let isOurs = row.isValid && row.bytes.first == question.first
    #expect(answer == (isOurs ? Array(row.bytes.dropFirst().dropLast(2)) : nil), "\(row.id)")
    if let answer {
      answers += 1
      guard let meaning = request.answer(answer) else {
        Issue.record("\(row.id) means nothing")
        continue
      }
      let registers = (row.expected["response"] ?? row.expected)["registers"]?.elements.compactMap(\.number)
      if let registers { #expect(meaning == .words(registers.map { UInt16($0) }), "\(row.id)") }
    } else if !row.bytes.isEmpty {
      refusals += 1
      let complaint = try #require(bus.finder?.complaint, "\(row.id)")
      #expect(complaint.hasPrefix("\(row.bytes.count) byte"), "\(row.id): \(complaint)")
    }
  }
  #expect(answers >= 40)
  #expect(refusals >= 4)
}

/// Questions of others: what we read of them is what we would send.
@Test(.enabled(if: frames != nil, areThere)) func publishedQuestions() throws {
  var count = 0
  for row in rows("modbus-rtu", "modbus-ascii") where row.json["direction"] == .string("master->slave") {
    let isASCII = row.bytes.first == UInt8(ascii: ":")
    let message =
      isASCII ? hex(String(decoding: row.bytes.dropFirst().dropLast(4), as: UTF8.self)) : Array(row.bytes.dropLast(2))
    let request = try #require(ModbusRequest(pdu: Array(message.dropFirst())), "\(row.id)")
    let ours = (isASCII ? ModbusFraming.ascii : .rtu).request(request, unit: message[0], hasEcho: false)
    #expect(ours.bytes == row.bytes, "\(row.id)")
    if let unit = row.expected["unit"]?.number { #expect(message[0] == UInt8(unit), "\(row.id)") }
    if let function = row.expected["function"]?.number { #expect(request.function == UInt8(function), "\(row.id)") }
    count += 1
  }
  #expect(count >= 10)
}

/// Answers without their question: one that fits is made up.
@Test(.enabled(if: frames != nil, areThere)) func publishedAnswers() throws {
  var count = 0
  for row in rows("modbus-rtu", "modbus-rtu-stream") where row.expected["request_hex"] == nil {
    guard row.json["direction"] != .string("master->slave"),
      let unit = row.isValid ? row.bytes.first : row.expected["unit"]?.number.map({ UInt8($0) }) ?? row.bytes.first,
      let function = row.expected["function"]?.number ?? row.bytes.dropFirst().first.map({ Int64($0) }),
      let table = ModbusTable.allCases.first(where: { Int64($0.readFunction) == function & 0x7F })
    else { continue }
    let words = row.expected["registers"]?.elements.compactMap(\.number).map { UInt16($0) }
    let request = ModbusRequest.read(table, address: 0, count: words?.count ?? 1)
    var finder = RTUAnswerFinder(AnswerPattern(request, unit: unit), sent: [], hasEcho: false)
    let answer = finder.feed(row.bytes)
    count += 1
    guard row.isValid else {
      #expect(answer == nil, "\(row.id)")
      #expect(finder.complaint != nil, "\(row.id)")
      continue
    }
    let pdu = try #require(answer, "\(row.id)")
    if let published = row.expected["pdu_hex"]?.string { #expect(hex(pdu) == published, "\(row.id)") }
    if let code = row.expected["exception"]?.number {
      #expect(request.answer(pdu) == .exception(ModbusException(code: UInt8(code))), "\(row.id)")
    } else if let words {
      #expect(request.answer(pdu) == .words(words), "\(row.id)")
    }
    for (index, float) in (row.expected["float32_be"]?.elements ?? []).enumerated() {
      let register = ModbusRegister(name: "f", table: table, address: 2 * index, content: .float(bits: 32))
      let value = try register.value(in: try #require(request.answer(pdu)), from: 0)
      guard case .double(let value) = value, case .double(let published) = float else {
        Issue.record("\(row.id) is no number")
        continue
      }
      // Published with fewer digits.
      #expect(abs(value - published) <= published * 2e-5, "\(row.id)")
    }
  }
  #expect(count >= 14)
}

@Test(.enabled(if: frames != nil, areThere)) func publishedFramesOfASCII() throws {
  var count = 0
  for row in rows("modbus-ascii") where row.json["direction"] != .string("master->slave") {
    let message = hex(String(decoding: row.bytes.dropFirst().dropLast(4), as: UTF8.self))
    let request: ModbusRequest
    if let question = row.expected["request_hex"]?.string.map({ hex($0) }) {
      let asked = hex(String(decoding: question.dropFirst().dropLast(4), as: UTF8.self))
      request = try #require(ModbusRequest(pdu: Array(asked.dropFirst())), "\(row.id)")
      #expect(ModbusFraming.ascii.request(request, unit: asked[0], hasEcho: false).bytes == question, "\(row.id)")
    } else {
      let table: ModbusTable = message[1] & 0x7F == 3 ? .holding : .input
      request = .read(table, address: 0, count: message[1] > 0x80 ? 1 : Int(message[2]) / 2)
      #expect(row.expected["pdu_hex"]?.string == hex(message.dropFirst()), "\(row.id)")
    }
    var finder = ASCIIAnswerFinder(AnswerPattern(request, unit: message[0]), hasEcho: false)
    #expect(finder.feed(row.bytes) == Array(message.dropFirst()), "\(row.id)")
    var small = ASCIIAnswerFinder(AnswerPattern(request, unit: message[0]), hasEcho: false)
    #expect(
      small.feed(Array(String(decoding: row.bytes, as: UTF8.self).lowercased().utf8)) == Array(message.dropFirst()))
    count += 1
  }
  #expect(count == 13)
}

@Test(.enabled(if: frames != nil, areThere)) func thePZEMOfItsManual() throws {
  let row = try #require(rows("modbus-rtu").first { $0.id == "web-pzem004t-manual" })
  let map = try String(contentsOfFile: "etc/baudgate/maps/pzem004t.yaml", encoding: .utf8)
  let (sensors, errors, warnings) = loadModbus(
    "s: {port: p, protocol: modbus_rtu, unit: 1, map: pzem004t}", maps: ["pzem004t": map])
  #expect(errors == [] && warnings == [])
  let sensor = try #require(sensors.first)
  var poll = try #require(SensorProtocols.poll(of: sensor))
  poll.begin()
  let question = poll.next()
  var request = try #require(question)
  #expect(hex(request.bytes) == "01040000000a700d")
  let answer = request.finder?.feed(row.bytes)
  poll.take(.success(try #require(answer)), at: noon)
  let after = poll.next()
  #expect(after == nil)
  var output = DecoderOutput()
  poll.finish(as: 0, into: &output)
  #expect(
    output.samples.first?.sample.readings.map { "\($0.key.name)=\(JSON($0.value).text)" } == [
      "voltage=220.0", "current=1.0", "power=220.0", "energy=0", "frequency=50.0", "power_factor=1.0", "alarm=false",
    ])
}
