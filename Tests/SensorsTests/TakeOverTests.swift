import Telemetry
import Testing

@testable import Sensors

/// A decoder that takes another one's place on a port that stays open.
@Suite struct TakeOverTests {
  private static func feed(_ decoder: inout any PortDecoder, _ text: String) -> [String] {
    Harvest(&decoder, [Array(text.utf8)]).samples
  }

  @Test func aLineUnderWayIsReadByTheNewOne() throws {
    var old = try lineSensor("template: \"T={t}\"")
    #expect(Self.feed(&old, "T=1\nT=2").count == 1)
    var new = try lineSensor("template: \"T={temperature}\"")
    new.takeOver(from: old)
    let found = Self.feed(&new, "5\nT=3\n")
    #expect(found.count == 2)
    #expect(found.first?.contains("temperature=25") == true)
  }

  @Test func betweenTwoLinesNoneIsLost() throws {
    var old = try lineSensor("template: \"T={t}\"")
    old.portOpened()
    _ = Self.feed(&old, "tail\nT=1\n")
    var new = try lineSensor("template: \"T={t}\"")
    new.takeOver(from: old)
    #expect(Self.feed(&new, "T=2\n").count == 1)
  }

  @Test func aTailAfterTheOpeningIsStillOne() throws {
    var old = try lineSensor("template: \"T={t}\"")
    old.portOpened()
    _ = Self.feed(&old, "T=")
    var new = try lineSensor("template: \"T={t}\"")
    new.takeOver(from: old)
    #expect(Self.feed(&new, "7\nT=8\n").count == 1, "nobody knows what stood before it")
  }

  @Test func aLineBeyondASmallerLimitIsTooLong() {
    var old = LineFramer(limit: 100)
    var piece = Array(repeating: UInt8(ascii: "x"), count: 50)[...]
    #expect(old.next(from: &piece) == nil)
    var new = LineFramer(limit: 10)
    new.takeOver(from: old)
    #expect(new.limit == 10)
    var rest = Array("y\nab\n".utf8)[...]
    #expect(new.next(from: &rest) == .tooLong)
    #expect(new.next(from: &rest) == .line(Array("ab".utf8)[...]))
  }

  @Test func anotherProtocolBeginsAnew() throws {
    var new = try lineSensor("template: \"T={t}\"")
    new.takeOver(from: Deaf())
    #expect(Self.feed(&new, "T=1\nT=2\n").count == 1)
  }

  private struct Deaf: PortDecoder {
    mutating func portOpened() {}
    mutating func feed(_ bytes: [UInt8], at time: CaptureTime, into output: inout DecoderOutput) {}
  }
}
