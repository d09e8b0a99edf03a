import Testing

@testable import Hardware

/// Bytes that wait for room in the driver.
@Suite struct OutgoingQueueTests {
  @Test func writesLeaveInOrderAndInPieces() {
    var queue = OutgoingQueue<String>()
    queue.append([1, 2, 3], deadline: .seconds(1), token: "first")
    queue.append([4], deadline: .seconds(2), token: "second")
    #expect(queue.front == [1, 2, 3])
    #expect(queue.advance(by: 2) == nil)
    #expect(queue.front == [3])
    #expect(queue.byteCount == 2)
    #expect(queue.advance(by: 1) == "first")
    #expect(queue.advance(by: 1) == "second")
    #expect(queue.isEmpty)
    #expect(queue.advance(by: 1) == nil)
  }

  @Test func bytesAndWritesAreBounded() {
    var queue = OutgoingQueue<Int>()
    #expect(queue.hasRoom(for: 65_536))
    #expect(!queue.hasRoom(for: 65_537))
    queue.append([UInt8](repeating: 0, count: 65_000), deadline: .zero, token: 0)
    #expect(queue.hasRoom(for: 536))
    #expect(!queue.hasRoom(for: 537))
    for number in 1..<256 { queue.append([0], deadline: .zero, token: number) }
    #expect(!queue.hasRoom(for: 1), "256 writes wait")
  }

  @Test func whatIsLateIsTakenAwayAndTheRestStays() {
    var queue = OutgoingQueue<String>()
    queue.append([1, 2], deadline: .seconds(5), token: "late")
    queue.append([3], deadline: .seconds(9), token: "in time")
    #expect(queue.nextDeadline == .seconds(5))
    #expect(queue.expire(at: .seconds(4)) == [])
    #expect(queue.expire(at: .seconds(5)) == ["late"])
    #expect(queue.front == [3])
    #expect(queue.byteCount == 1)
    #expect(queue.removeAll() == ["in time"])
    #expect(queue.nextDeadline == nil)
    #expect(queue.byteCount == 0)
  }
}
