import Testing
import ThingsBoard

@testable import Gateway

/// What many devices tell of one server.
@Suite struct OutageBoardTests {
  private static let dead = "\(DeviceAPIError.Code.unreachable)"
  private static let revoked = "\(DeviceAPIError.Code.unauthorized)"

  /// - Returns: A way for each of as many devices.
  private static func ways(_ count: Int, of server: OutageBoard) -> [OutageLog] {
    (0..<count).map { _ in OutageLog(OutageBoard(server: server)) }
  }

  @Test func aDeadServerIsToldOnceAndItsEndOnce() {
    let server = OutageBoard()
    var ways = Self.ways(100, of: server)
    var (failures, ends) = (0, 0)
    // Two hours, in which another device meets the ten minutes' end each time.
    for minute in 0..<120 {
      for index in ways.indices {
        let way = (index + minute) % ways.count
        if ways[way].failed(Self.dead, isOutage: true, now: .seconds(60 * minute)) != nil { failures += 1 }
      }
    }
    for index in ways.indices where ways[index].recovered(now: .seconds(7200)) != nil { ends += 1 }
    #expect(failures == 12)
    #expect(ends == 1)
  }

  @Test func whatConcernsOneDeviceIsToldOfEach() {
    let server = OutageBoard()
    var ways = Self.ways(3, of: server)
    for index in ways.indices { #expect(ways[index].failed(Self.revoked, isOutage: true, now: .zero) == 0) }
    for index in ways.indices { #expect(ways[index].recovered(now: .seconds(5)) == .seconds(5)) }
  }

  /// A revoked device fails all the time, and an outage after a quiet time is news all the same.
  @Test(arguments: [false, true]) func aServerThatWasWellIsNewsAgain(isRevoked: Bool) {
    let server = OutageBoard()
    var ways = Self.ways(2, of: server)
    if isRevoked { _ = ways[1].failed(Self.revoked, isOutage: true, now: .zero) }
    #expect(ways[0].failed(Self.dead, isOutage: true, now: .seconds(1)) == 0)
    #expect(ways[0].recovered(now: .seconds(2)) == .seconds(1))
    #expect(ways[0].failed(Self.dead, isOutage: true, now: .seconds(10)) == nil, "it comes and goes")
    _ = ways[0].recovered(now: .seconds(11))
    #expect(ways[0].failed(Self.dead, isOutage: true, now: .seconds(11) + OutageBoard.settled) != nil)
  }
}
