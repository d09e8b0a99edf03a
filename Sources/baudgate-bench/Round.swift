internal import Sensors
internal import Telemetry

/// One piece of work, the same each time.
protocol Round {
  mutating func run() throws(RoundError) -> Tally
}

/// What a round has decoded.
struct Tally {
  /// Lines or answers.
  var items = 0
  var bytes = 0

  static func += (total: inout Tally, round: Tally) {
    total.items += round.items
    total.bytes += round.bytes
  }
}

/// Why nothing could be measured.
struct RoundError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Lines, in pieces as read(2) delivers them.
struct LineRound: Round {
  static let lineCount = 400
  /// Bytes: a packet of high-speed USB.
  private static let pieceSize = 512

  private var decoder: any PortDecoder
  private let pieces: [[UInt8]]
  private let bytes: Int
  private var output = DecoderOutput()
  private let time = CaptureTime.now()

  init(_ sensor: SensorOptions, _ lines: [String]) throws(RoundError) {
    guard let decoder = SensorProtocols.decoder(for: [sensor]) else { throw RoundError("no decoder") }
    self.decoder = decoder
    let text = lines.flatMap(\.utf8)
    pieces = stride(from: 0, to: text.count, by: Self.pieceSize).map { Array(text[$0...].prefix(Self.pieceSize)) }
    bytes = text.count
  }

  mutating func run() throws(RoundError) -> Tally {
    var tally = Tally(bytes: bytes)
    for piece in pieces {
      decoder.feed(piece, at: time, into: &output)
      tally.items += output.samples.count
      if let fault = output.faults.first?.fault { throw RoundError(fault.message) }
      output.removeAll()
    }
    guard tally.items == Self.lineCount else {
      throw RoundError("\(tally.items) of \(Self.lineCount) lines were taken")
    }
    return tally
  }
}

/// A cycle of a Modbus sensor: its question, its answer found among the bytes, its registers as readings.
struct AnswerRound: Round {
  static let unit: UInt8 = 1
  static let registerCount = 20

  private var poll: any SensorPoll
  private let answer: [UInt8]
  private var output = DecoderOutput()
  private let time = CaptureTime.now()

  init(_ sensor: SensorOptions) throws(RoundError) {
    guard let poll = SensorProtocols.poll(of: sensor) else { throw RoundError("no poll") }
    self.poll = poll
    var answer = [Self.unit, 3, UInt8(2 * Self.registerCount)]
    for index in 0..<Self.registerCount {
      let value = 2000 + 7 * index
      answer += [UInt8(value >> 8), UInt8(value & 0xFF)]
    }
    let crc = Self.crc(answer)
    self.answer = answer + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
  }

  mutating func run() throws(RoundError) -> Tally {
    poll.begin()
    guard var finder = poll.next()?.finder, let found = finder.feed(answer) else {
      throw RoundError("no answer was found")
    }
    poll.take(.success(found), at: time)
    guard poll.next() == nil else { throw RoundError("one question should do") }
    poll.finish(as: 0, into: &output)
    defer { output.removeAll() }
    guard output.samples.first?.sample.readings.count == Self.registerCount, output.faults.isEmpty else {
      throw RoundError(output.faults.first?.fault.message ?? "registers are missing")
    }
    return Tally(items: 1, bytes: answer.count)
  }

  /// Source: Modbus over Serial Line V1.02, 6.2.2.
  private static func crc(_ bytes: [UInt8]) -> UInt16 {
    var crc: UInt16 = 0xFFFF
    for byte in bytes {
      crc ^= UInt16(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
    }
    return crc
  }
}
