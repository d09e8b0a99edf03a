import Telemetry
import Testing

@testable import Sensors

/// A question to unit 1 and the answer to it.
private struct Pair: Sendable, CustomStringConvertible {
  let description: String
  let request: ModbusRequest
  let answer: [UInt8]

  init(_ sentence: String, _ request: ModbusRequest, _ pdu: String) {
    (description, self.request, answer) = (sentence, request, hex(pdu))
  }
}

private let pairs = [
  Pair("coils", .read(.coil, address: 0x13, count: 19), "0103cd6b05"),
  Pair("discrete inputs", .read(.discrete, address: 0xC4, count: 22), "0203acdb35"),
  Pair("holding registers", .read(.holding, address: 0x6B, count: 3), "0306022b00000064"),
  Pair("input registers", .read(.input, address: 8, count: 1), "0402000a"),
  Pair(
    "a hundred and twenty-five of them", .read(.input, address: 0, count: 125),
    "04fa" + String(repeating: "0104", count: 125)),
  Pair("one coil", .writeCoil(0xAC, true), "0500acff00"),
  Pair("one register", .writeRegister(1, 3), "0600010003"),
  Pair("coils written", .writeCoils(0x13, Array(repeating: true, count: 10)), "0f0013000a"),
  Pair("registers written", .writeRegisters(1, [10, 0x102]), "1000010002"),
  Pair("a mask", .maskRegister(4, and: 0xF2, or: 0x25), "16000400f20025"),
  Pair(
    "written and read", .writeAndRead(write: 14, [255, 255, 255], read: 3, count: 6), "170c00fe0acd00010003000d00ff"),
  Pair("a refusal", .read(.holding, address: 0, count: 2), "8302"),
]

/// The questions of the standard's own examples, byte for byte. Source: V1.1b3, 6.1, 6.11, 6.12, 6.16 and 6.17.
@Test func questionsAreTheStandards() {
  #expect(hex(pairs[0].request.pdu) == "0100130013")
  #expect(
    hex(ModbusRequest.writeCoils(0x13, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0].map { $0 == 1 }).pdu) == "0f0013000a02cd01")
  #expect(hex(pairs[8].request.pdu) == "100001000204000a0102")
  #expect(hex(pairs[9].request.pdu) == "16000400f20025")
  #expect(hex(pairs[10].request.pdu) == "1700030006000e00030600ff00ff00ff")
}

private func framed(_ framing: ModbusFraming, _ unit: UInt8, _ pdu: [UInt8]) -> [UInt8] {
  let message = [unit] + pdu
  switch framing {
  case .rtu:
    let crc = ModbusCRC.of(message[...])
    return message + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
  case .ascii: return Array(":\(hex(message + [ModbusLRC.of(message[...])]).uppercased())\r\n".utf8)
  }
}

/// What may come before an answer.
private func noises(_ pair: Pair, _ framing: ModbusFraming) -> [(String, [UInt8])] {
  let sent = framing.request(pair.request, unit: 1, hasEcho: false).bytes
  let answer = framed(framing, 1, pair.answer)
  var damaged = answer
  damaged[damaged.count / 2] ^= 0x10
  let isRepeated = pair.answer == pair.request.pdu
  var noises: [(String, [UInt8])] = [
    ("nothing", []), ("a glitch", [0x1D]), ("zeros", [0, 0, 0]), ("the unit's number", [1]),
    ("more of it", [1, pair.answer[0], 1]),
    ("a late answer of another unit", framed(framing, 2, pair.answer)),
    ("a late answer to another function", framed(framing, 1, [0x2B, 1, 2])),
    ("a late refusal of another function", framed(framing, 1, [0xAB, 2])),
    ("a damaged answer", damaged), ("half an answer", Array(answer.prefix(answer.count / 2))),
    ("more than a frame", Array(repeating: 0x55, count: 700)),
  ]
  if !isRepeated {
    noises += [("our echo", sent), ("a damaged echo", Array(sent.dropLast()) + [0]), ("two echoes", sent + sent)]
  }
  return noises
}

@Test(arguments: pairs, [ModbusFraming.rtu, .ascii])
private func answersAreFoundHoweverTheyCome(_ pair: Pair, _ framing: ModbusFraming) throws {
  for (noise, before) in noises(pair, framing) {
    let stream = before + framed(framing, 1, pair.answer)
    for hasEcho in [false, true] {
      let request = framing.request(pair.request, unit: 1, hasEcho: hasEcho)
      // With an echo whatever stands before it does not count, even a whole answer.
      let whole = hasEcho ? before + request.bytes + stream : stream
      for size in [1, 2, 3, 7, whole.count] {
        var finder = try #require(request.finder)
        var found: [UInt8]?
        var taken = 0
        while found == nil, taken < whole.count {
          let chunk = Array(whole[taken..<min(taken + size, whole.count)])
          found = finder.feed(chunk)
          taken += chunk.count
        }
        #expect(found == pair.answer, "\(noise), echo \(hasEcho), \(size) at a time")
        #expect(taken == whole.count)
      }
      var short = try #require(request.finder)
      #expect(short.feed(Array(whole.dropLast())) == nil, "\(noise)")
    }
  }
}

/// 20 coils take 3 bytes, and the question for those from 0x0300 on says 3 in the same place.
@Test(arguments: [ModbusFraming.rtu, .ascii]) func anEchoThatLooksLikeAnAnswerIsNone(_ framing: ModbusFraming) throws {
  let request = framing.request(.read(.coil, address: 0x0305, count: 20), unit: 1, hasEcho: false)
  var finder = try #require(request.finder)
  #expect(finder.feed(request.bytes) == nil)
  #expect(finder.complaint?.hasSuffix("our own question, and no answer behind it") == true)
  #expect(finder.hasUnexpectedEcho)
  #expect(finder.feed(framed(framing, 1, hex("0103ff0001"))) == hex("0103ff0001"))
}

/// Function 6 is answered by its question: a line that was heard to echo is waited for.
@Test(arguments: [ModbusFraming.rtu, .ascii]) func anEchoThatIsExpectedIsNoAnswer(_ framing: ModbusFraming) throws {
  let request = framing.request(.writeRegister(1, 3), unit: 1, hasEcho: false)
  var finder = try #require(request.finder)
  #expect(finder.feed(request.bytes) == hex("0600010003"))
  #expect(!finder.hasUnexpectedEcho)
  finder = try #require(request.finder)
  finder.expectEcho()
  #expect(finder.awaitsEcho)
  #expect(finder.feed(request.bytes) == nil)
  #expect(!finder.awaitsEcho && !finder.hasUnexpectedEcho)
  #expect(finder.feed(request.bytes) == hex("0600010003"))
}

@Test(arguments: [ModbusFraming.rtu, .ascii]) func aBroadcastHasNoAnswer(_ framing: ModbusFraming) {
  #expect(framing.request(.writeCoil(0, true), unit: 0, hasEcho: false).finder == nil)
}

@Test(arguments: [ModbusFraming.rtu, .ascii]) func nothingIsLongerThanABusAllows(_ framing: ModbusFraming) {
  let longest = framing.request(.writeRegisters(0, Array(repeating: 0xFFFF, count: 123)), unit: 1, hasEcho: false)
  #expect(longest.bytes.count <= (framing == .rtu ? ModbusLimits.rtuFrame : ModbusLimits.asciiFrame))
  #expect(longest.bytes.count <= BusRequest.byteLimit)
}

/// An answer that is not ours, and what is said of it.
private struct Complaint: Sendable, CustomStringConvertible {
  let description: String
  let stream: [UInt8]
  let message: String?

  init(_ sentence: String, _ stream: String, _ message: String?) {
    (description, self.stream, self.message) = (sentence, hex(stream), message)
  }
}

private let complaints = [
  Complaint("silence", "", nil),
  Complaint(
    "our echo", "010400000002 71cb", "8 bytes came, none of them an answer: our own question, and no answer behind it"),
  Complaint(
    "another unit", "020404436633341bc1".replacing("1bc1", with: ""),
    "7 bytes came, none of them an answer: \"\\x02\\x04\\x04Cf34\"; check baud, parity and the wiring"),
  Complaint(
    "a bad CRC", "0104044366333400 00",
    "9 bytes came, none of them an answer: CRC 0000 where 381B was expected; check parity, wiring and termination"),
  Complaint(
    "a last byte that never comes", "1d010404436c3ee83e",
    "9 bytes came, none of them an answer: the first 8 bytes of one with 9"),
  Complaint("noise", "ffff", "2 bytes came, none of them an answer: \"\\xff\\xff\"; check baud, parity and the wiring"),
]

@Test(arguments: complaints) private func complaintsSayWhatCame(_ row: Complaint) throws {
  var finder = try #require(
    ModbusFraming.rtu.request(.read(.input, address: 0, count: 2), unit: 1, hasEcho: false).finder)
  #expect(finder.feed(row.stream) == nil)
  #expect(finder.complaint == row.message)
}

@Test func complaintsNameFramesThatAreNotOurs() throws {
  let request = ModbusRequest.read(.input, address: 0, count: 2)
  let rows: [(UInt8, [UInt8], String)] = [
    (2, hex("040400010002"), "a frame of unit 2"),
    (1, hex("030400010002"), "an answer to function 3 where 4 was asked for"),
    (1, hex("8302"), "an answer to function 3 where 4 was asked for"),
    (1, hex("04020001"), "an answer with 2 bytes of values where 4 were asked for"),
  ]
  for framing in [ModbusFraming.rtu, .ascii] {
    for (unit, pdu, reason) in rows {
      var finder = try #require(framing.request(request, unit: 1, hasEcho: false).finder)
      let frame = framed(framing, unit, pdu)
      #expect(finder.feed(frame) == nil)
      #expect(finder.complaint == "\(frame.count) bytes came, none of them an answer: \(reason)")
    }
    var finder = try #require(framing.request(.writeRegister(1, 3), unit: 1, hasEcho: false).finder)
    #expect(finder.feed(framed(framing, 1, hex("0600010004"))) == nil)
    #expect(
      finder.complaint?.hasSuffix("an answer that repeats another address, number or value than was sent") == true)
    var deaf = try #require(framing.request(.writeRegister(1, 3), unit: 1, hasEcho: true).finder)
    #expect(deaf.feed(framed(framing, 1, hex("0600010004"))) == nil)
    #expect(deaf.complaint?.hasSuffix("our own question did not come back, as it does on a line with echo") == true)
  }
}

@Test func brokenLinesOfASCIIAreNamed() throws {
  let rows = [
    (":010404436633342", ": a line that did not end"),
    (":01040443663334FF\r\n", ": LRC FF where E7 was expected; check parity, wiring and termination"),
    (":0104G4\r\n", ": \"0104G4\\x0d\" is no line of hexadecimal digits; check baud, data bits and parity"),
    ("garbage", ": no line of them"),
    (":" + String(repeating: "00", count: 400) + "\r\n", ": a line longer than any frame"),
  ]
  for (text, reason) in rows {
    var finder = try #require(
      ModbusFraming.ascii.request(.read(.input, address: 0, count: 2), unit: 1, hasEcho: false).finder)
    #expect(finder.feed(Array(text.utf8)) == nil)
    #expect(finder.complaint?.hasSuffix(reason) == true, "\(finder.complaint ?? "")")
  }
}
