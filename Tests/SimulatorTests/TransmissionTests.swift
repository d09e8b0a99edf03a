import Testing

@testable import Simulator

@Suite struct TransmissionTests {
  /// 11 bit times of 1 ms each at 1,000 baud make 11 ms a character.
  static let millisecond: UInt64 = 1_000_000

  @Test("A slow UART hands over each character one latency after its last bit")
  func characterByCharacter() {
    var wire = Transmission(WireTiming(baud: 1000, latency: .milliseconds(1), capacity: 16))
    wire.begin(.init(bytes: Array("ab\n".utf8), number: 7), at: 0)
    var times: [UInt64] = []
    var ends: [Int] = []
    while wire.fill() {
      let packet = wire.takePacket()
      times.append(packet.due / Self.millisecond)
      ends += packet.ends.map(\.number)
    }
    let last = wire.takePacket()
    #expect(times + [last.due / Self.millisecond] == [12, 23, 34])
    #expect(ends + last.ends.map(\.number) == [7])
    #expect(wire.wireFree == 33 * Self.millisecond)
  }

  @Test("A USB adapter hands over what came within its latency, also of the next line")
  func bursts() {
    var wire = Transmission(WireTiming(baud: 11_000, latency: .milliseconds(16), capacity: 62))
    wire.begin(.init(bytes: Array("12345678\n".utf8), number: 0), at: 0)
    let isComplete1 = wire.fill()
    #expect(!isComplete1)
    #expect(wire.isJoined(by: wire.wireFree))
    wire.begin(.init(bytes: Array("12345678\n".utf8), number: 1), at: wire.wireFree)
    let isComplete2 = wire.fill()
    #expect(isComplete2)
    let packet = wire.takePacket()
    // The first character is complete at 1 ms, so the packet goes at 17 ms with 17 of the 18 characters.
    #expect(packet.due == 17 * Self.millisecond)
    #expect(packet.bytes.count == 17)
    #expect(packet.ends.map(\.offset) == [9])
    let isComplete3 = wire.fill()
    #expect(!isComplete3)
    let rest = wire.takePacket()
    #expect(rest.ends.map(\.number) == [1])
  }

  @Test("A full packet goes at once")
  func fullPacket() {
    var wire = Transmission(WireTiming(baud: 11_000, latency: .milliseconds(16), capacity: 4))
    wire.begin(.init(bytes: Array("123456".utf8), number: nil), at: 0)
    let isComplete4 = wire.fill()
    #expect(isComplete4)
    let packet = wire.takePacket()
    #expect(packet.bytes.count == 4)
    #expect(packet.due == 4 * Self.millisecond)
  }

  @Test("A line that begins after the packet is due does not join it")
  func separateLines() {
    var wire = Transmission(WireTiming(baud: 11_000, latency: .milliseconds(16), capacity: 62))
    wire.begin(.init(bytes: Array("1\n".utf8), number: 0), at: 0)
    let isComplete5 = wire.fill()
    #expect(!isComplete5)
    #expect(!wire.isJoined(by: 17 * Self.millisecond))
    #expect(wire.isJoined(by: 16 * Self.millisecond))
  }
}
