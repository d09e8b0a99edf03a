import EventLoop
import Glibc
import Testing

@testable import Queue

@Suite struct DegradationTests {
  @Test(arguments: [ENOSPC, EROFS, EIO]) func withoutAHotLogRecordsWaitInMemoryAndReachTheServer(errno: CInt) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.fail(SimulatedDisk.changes, under: "/run", errno: errno)
      await queue.append("b", 1...3)
      #expect(await queue.status.degraded?.contains("records wait in memory") == true)
      #expect(await queue.status.memoryBytes > 0)
      #expect(await rig.peek(queue) == texts("a", 1...3) + texts("b", 1...3))
      #expect(await rig.drain(queue, records: 2).map(\.text) == texts("a", 1...3) + texts("b", 1...3))
      #expect(await queue.status.memoryBytes == 0)
      await queue.append("c", 1...3)
      rig.disk.failNoMore()
      await rig.pass(10_000, queue)
      #expect(await queue.status.degraded == nil)
      #expect(rig.lines.count(of: "cannot write the hot log") == 1)
      #expect(rig.lines.count(of: "is written again") == 1)
      rig.disk.kill()
      #expect(await rig.peek(await rig.open()).suffix(3) == texts("c", 1...3))
    }
  }

  @Test func aWriteThatTookOnlyAPartIsCutBack() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.limit("/run", to: 3 * 58 + 30)
      await queue.append("b", 1...3)
      let path = try #require(rig.disk.segments(under: Rig.hot).first)
      #expect(rig.disk[path]?.count == 3 * 58)
      rig.disk.limit("/run", to: nil)
      await rig.pass(10_000, queue)
      rig.disk.kill()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...3) + texts("b", 1...3))
    }
  }

  @Test func memoryIsBoundedTheOldestGoAndAreCounted() throws {
    try onLoop { loop in
      let rig = Rig(
        loop, options: QueueOptions(maxSize: 1 << 20, persistAfter: .seconds(5), memory: 100_000))
      let queue = await rig.open()
      rig.disk.fail(SimulatedDisk.changes, under: "/", errno: EROFS)
      let payload = String(repeating: "x", count: 900)
      for number in 100...999 {
        await queue.append("\(number)\(payload)")
        #expect(await queue.status.memoryBytes <= 100_000)
      }
      let rest = await rig.drain(queue).map { Int($0.text.prefix(3)) ?? 0 }
      #expect(rest == Array((1000 - rest.count)...999))
      #expect(rest.count > 80)
      #expect(await queue.status.droppedRecords == UInt64(900 - rest.count))
      #expect(rig.lines.count(of: "records dropped") == 1)
    }
  }

  @Test func withoutAHotLogMemoryIsPersisted() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      rig.disk.fail(SimulatedDisk.changes, under: "/run", errno: EROFS)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await rig.pass(5000, queue)
      #expect(await queue.status.memoryBytes == 0)
      await queue.append("b", 1...2)
      #expect(await rig.peek(queue) == texts("a", 1...3) + texts("b", 1...2))
      rig.disk.failNoMore()
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...3))
    }
  }

  @Test func aReadOnlyStateDirectoryCostsNothingWhileTheServerIsThere() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      rig.disk.fail(SimulatedDisk.changes, under: "/var", errno: EROFS)
      let queue = await rig.open()
      #expect(await queue.status.degraded == nil, "nobody has asked anything of the card")
      await queue.append("a", 1...3)
      await rig.pass(6000, queue)
      #expect(await queue.status.degraded?.contains("Read-only file system") == true)
      #expect(await rig.drain(queue).count == 3)
      rig.disk.failNoMore()
      await rig.pass(10_000, queue)
      #expect(await queue.status.degraded == nil, "told no longer than it lasts")
      #expect(await queue.nextDue == nil)
    }
  }

  @Test func aVanishedHotDirectoryIsMadeAgainAndTheLossCounted() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.wipe("/run/baudgate")
      let payload = String(repeating: "x", count: 100_000)
      for number in 1...4 { await queue.append("\(number)\(payload)") }
      #expect(await queue.status.degraded == nil)
      #expect(rig.disk.segments(under: Rig.hot).count >= 1)
      // The full segment went with the directory, and is counted; the open one goes on.
      #expect(await rig.drain(queue).map { String($0.text.prefix(2)) } == ["3x", "4x"])
      #expect(await queue.status.droppedRecords == 5)
      #expect(rig.lines.count(of: "5 records at most are lost") == 1)
    }
  }

  /// What SQLite's tests do: each call of a life fails once, then everything from it on, with each of these errors.
  @Test(arguments: [ENOSPC, EIO, EMFILE], [false, true])
  func nothingIsLostWhicheverCallFails(errno: CInt, keepsFailing: Bool) throws {
    try onLoop { loop in
      var call = 1
      while true {
        let rig = Rig(loop)
        rig.disk.fail(at: call, errno: errno, keepsFailing: keepsFailing)
        let queue = await rig.open()
        await queue.append("a", 1...20)
        await rig.pass(6000, queue)
        let batch = await queue.nextBatch(maxRecords: 5, maxBytes: 1000)
        #expect(batch?.records.map(\.text) == texts("a", 1...5), "call \(call)")
        await queue.acknowledge(through: batch?.lastSequence ?? 0)
        await rig.pass(6000, queue)
        await queue.append("b", 1...10)
        #expect(await rig.peek(queue) == texts("a", 6...20) + texts("b", 1...10), "call \(call)")
        await rig.pass(6000, queue)
        await queue.close()
        let hasFailed = rig.disk.hasFailed
        rig.disk.failNoMore()
        rig.disk.kill()
        let found = await rig.peek(await rig.open())
        let dropped = Int(await queue.status.droppedRecords)
        let expected = texts("a", 6...20) + texts("b", 1...10)
        // What was dropped is counted; a cursor that could not be written sends some again.
        #expect(
          found.suffix(25) == expected[...] || dropped > 0 && found.count >= 25 - dropped,
          "call \(call): \(found) and \(dropped) dropped")
        #expect(keepsFailing || dropped == 0, "one failing call drops nothing: call \(call)")
        if !hasFailed { break }
        call += 1
      }
      #expect(call > 50)
    }
  }
}
