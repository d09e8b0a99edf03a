import Testing

@testable import ThingsBoard

/// Who may look for a connection, as a value.
@Suite struct LaunchGateTests {
  private func ms(_ milliseconds: Int) -> Duration { .milliseconds(5000 + milliseconds) }

  @Test func oneAtATimeWhereConnectionsAreShared() {
    var gate = LaunchGate(sharesConnections: true)
    for id: UInt64 in 0..<3 { gate.enter(id) }
    #expect(gate.next(at: ms(0)) == 0)
    #expect(gate.next(at: ms(0)) == nil)
    #expect(gate.due == nil, "nothing but its being sent helps")
    gate.sent(0, at: ms(90), connections: 1)
    #expect(gate.next(at: ms(90)) == nil, "the server's settings are not there yet")
    #expect(gate.due == ms(180))
    #expect(gate.next(at: ms(180)) == 1)
    gate.sent(1, at: ms(180), connections: 1)
    #expect(gate.next(at: ms(180)) == 2, "it needed no connection of its own")
    #expect(gate.due == nil)
  }

  @Test func aSlowConnectionIsNotWaitedForWithoutEnd() {
    var gate = LaunchGate(sharesConnections: true)
    gate.enter(0)
    gate.enter(1)
    _ = gate.next(at: ms(0))
    gate.sent(0, at: ms(9000), connections: 1)
    #expect(gate.due == ms(9000) + LaunchGate.longestSettling)
  }

  @Test func severalAtATimeWhereEachNeedsItsOwn() {
    var gate = LaunchGate(sharesConnections: false)
    for id: UInt64 in 0..<40 { gate.enter(id) }
    var begun: [UInt64] = []
    while let id = gate.next(at: ms(0)) { begun.append(id) }
    #expect(begun == Array(0..<UInt64(LaunchGate.mostAtATime)))
    gate.sent(3, at: ms(1), connections: 1)
    #expect(gate.next(at: ms(1)) == UInt64(LaunchGate.mostAtATime))
    #expect(gate.next(at: ms(1)) == nil)
  }

  @Test func whoIsGivenUpHoldsUpNobody() {
    var gate = LaunchGate(sharesConnections: true)
    for id: UInt64 in 0..<4 { gate.enter(id) }
    #expect(gate.next(at: ms(0)) == 0)
    #expect(gate.isLooking(0))
    gate.leave(1)
    gate.leave(0)
    #expect(gate.next(at: ms(1)) == 2)
    #expect(gate.dismiss() == [3])
    gate.leave(2)
    #expect(gate.next(at: ms(2)) == nil)
  }
}
