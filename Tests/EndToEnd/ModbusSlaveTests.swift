import Foundation
import Simulator
import Testing

/// The slaves that other tests ask, asked by hand: frames as the standard's examples spell them.
@Suite(.enabled(if: ModbusSlave.isWanted)) struct ModbusSlaveTests {
  struct Exchange: Sendable {
    var framing: ModbusSlave.Framing
    /// Input register 0 of unit 1, and its answer.
    var request: [UInt8]
    var answer: [UInt8]
  }

  @Test(arguments: [
    Exchange(
      framing: .rtu, request: [1, 4, 0, 0, 0, 1, 0x31, 0xCA], answer: [1, 4, 2, 0x03, 0xE9, 0x78, 0x4E]),
    Exchange(framing: .ascii, request: Array(":010400000001FA\r\n".utf8), answer: Array(":01040203E90D\r\n".utf8)),
  ])
  func answersOnAPacedLine(_ row: Exchange) throws {
    let scratch = try Scratch()
    var options = PacedBus.Options(baud: 19_200)
    options.keepsPassages = true
    let bus = try PacedBus(link: scratch.file("bus"), slaveLink: scratch.file("slave"), options)
    defer { bus.stop() }
    let slave = try ModbusSlave(.line(bus.slaveLink), framing: row.framing)
    defer { slave.stop() }
    let line = open(bus.link, O_RDWR | O_NOCTTY | O_CLOEXEC)
    defer { close(line) }
    #expect(ask(line, row.request, expecting: row.answer.count) == row.answer)
    try slave.set(1, .input, at: 0, to: [7])
    #expect(try slave.values(of: 1, .input, from: 0, count: 2) == [7, 0x1_0000 - 1234])
    #expect(ask(line, row.request, expecting: row.answer.count) != row.answer)
    #expect(try slave.requests() == [1: 2])
    #expect(bus.passages.map(\.from) == [.master, .slave, .master, .slave])
    #expect(bus.counts.collisions == 0)
    // A dead one, whose request arrives all the same.
    try slave.mute(1)
    #expect(write(line, row.request, row.request.count) == row.request.count)
    while try slave.requests() != [1: 3] { usleep(10_000) }
    try slave.unmute(1)
    #expect(ask(line, row.request, expecting: row.answer.count).count == row.answer.count)
    #expect(bus.passages.count == 7)
  }

  @Test func answersOverTCP() throws {
    let slave = try ModbusSlave(.tcp)
    #expect(slave.port != nil)
    slave.stop()
  }

  /// Waits for that many bytes; fewer after 10 s without any.
  private func ask(_ line: CInt, _ request: [UInt8], expecting count: Int) -> [UInt8] {
    #expect(write(line, request, request.count) == request.count)
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 512)
    var entry = pollfd(fd: line, events: Int16(POLLIN), revents: 0)
    while answer.count < count, poll(&entry, 1, 10_000) > 0 {
      let taken = read(line, &chunk, chunk.count)
      answer += chunk.prefix(max(0, taken))
    }
    return answer
  }
}
