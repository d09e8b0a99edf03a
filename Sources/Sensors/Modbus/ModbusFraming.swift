internal import Telemetry

/// How questions and answers are put on the line.
enum ModbusFraming: Sendable, Hashable {
  case rtu
  case ascii

  /// - Parameters:
  ///   - unit: 0 asks nobody in particular and is not answered (V1.02, 2.1).
  ///   - hasEcho: Whether the line gives back whatever we send.
  func request(_ request: ModbusRequest, unit: UInt8, hasEcho: Bool) -> BusRequest {
    let message = [unit] + request.pdu
    let answer = unit == 0 ? nil : AnswerPattern(request, unit: unit)
    switch self {
    case .rtu:
      let crc = ModbusCRC.of(message[...])
      let frame = message + [UInt8(truncatingIfNeeded: crc), UInt8(truncatingIfNeeded: crc >> 8)]
      return BusRequest(
        frame, unit: Int(unit), finder: answer.map { RTUAnswerFinder($0, sent: frame, hasEcho: hasEcho) })
    case .ascii:
      var frame = [UInt8(ascii: ":")]
      for byte in message + [ModbusLRC.of(message[...])] {
        frame.append(hexadecimalDigit(byte >> 4))
        frame.append(hexadecimalDigit(byte & 0x0F))
      }
      frame += [0x0D, 0x0A]
      return BusRequest(
        frame, unit: Int(unit), finder: answer.map { ASCIIAnswerFinder($0, hasEcho: hasEcho) })
    }
  }
}

/// Capital, as the standard writes them.
private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
}

/// What the answer to one question looks like between unit and checksum.
struct AnswerPattern: Sendable {
  let unit: UInt8
  /// Unit and protocol data unit of the question.
  let question: [UInt8]
  /// Unit and what the answer begins with.
  let head: [UInt8]
  /// Bytes of the answer, the unit included.
  let length: Int

  /// Bytes of a refusal, the unit included.
  static let exceptionLength = 3

  init(_ request: ModbusRequest, unit: UInt8) {
    self.unit = unit
    question = [unit] + request.pdu
    head = [unit] + request.answerHead
    length = 1 + request.answerLength
  }

  var function: UInt8 { head[1] }

  /// Whether an echo can be told from an answer: functions 5, 6 and 22 are answered by repeating the question.
  var isUnlikeQuestion: Bool { head.count != length }

  /// An echo passes for an answer only where every answer repeats its question. (That of 20 coils from 0x0300 on would pass
  /// for their values: its third byte is 3, as many bytes as they take.)
  func isAnswer(_ message: ArraySlice<UInt8>) -> Bool {
    message.count == length && message.starts(with: head)
      && (head.count == length || !message.elementsEqual(question))
  }

  func isException(_ message: ArraySlice<UInt8>) -> Bool {
    message.count == Self.exceptionLength && message.starts(with: [unit, function | 0x80])
  }

  /// What a message with a good checksum is that is no answer to the question.
  func described(_ message: ArraySlice<UInt8>) -> String {
    if message.elementsEqual(question) { return "our own question, and no answer behind it" }
    let bytes = Array(message.prefix(3))
    guard bytes.count > 1 else { return "a frame without a function" }
    if bytes[0] != unit { return "a frame of unit \(bytes[0])" }
    guard bytes[1] & 0x7F == function else {
      return "an answer to function \(bytes[1] & 0x7F) where \(function) was asked for"
    }
    if head.count == 3, bytes.count == 3, bytes[2] != head[2] {
      return "an answer with \(bytes[2]) bytes of values where \(head[2]) were asked for"
    }
    return "an answer that repeats another address, number or value than was sent"
  }
}

/// `07B4`, as in a message about checksums.
func hexadecimal(_ value: UInt16, digits: Int = 4) -> String {
  let text = String(value, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// What came instead of an answer, for a time-out's message.
func notAnAnswer(_ count: Int, _ reason: String) -> String {
  "\(count) \(count == 1 ? "byte" : "bytes") came, none of them an answer: \(reason)"
}
