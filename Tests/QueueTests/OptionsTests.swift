import EventLoop
import Glibc
import Testing

@testable import Queue

/// Other options for a queue that is open.
@Suite struct OptionsTests {
  private static func options(
    maxSize: Int = 1 << 20, persistAfter: Duration = .seconds(5), memory: Int = 1 << 20
  ) -> QueueOptions {
    QueueOptions(maxSize: maxSize, persistAfter: persistAfter, memory: memory)
  }

  private static let payload = String(repeating: "x", count: 1000)

  @Test func aSmallerMaxSizeDropsTheOldestAtTheNextUpkeep() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      for number in 0..<600 { await queue.append("\(number)\(Self.payload)") }
      await rig.pass(6000, queue)
      #expect(await queue.depth == 600)
      #expect(await queue.use(Self.options(maxSize: 256 * 1024)))
      await rig.pass(0, queue)
      let kept = await queue.depth
      #expect((100..<300).contains(kept))
      #expect(await queue.cardSummary.bytes <= 256 * 1024)
      #expect(await queue.status.droppedRecords == UInt64(600 - kept))
      #expect(rig.lines.count(of: "max_size") == 1)
      let rest = await rig.drain(queue)
      #expect(rest.map(\.text) == (600 - kept..<600).map { "\($0)\(Self.payload)" }, "the oldest went")
      await queue.close()
    }
  }

  @Test func whatIsAcknowledgedGoesBeforeAnythingIsDropped() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      for number in 0..<600 { await queue.append("\(number)\(Self.payload)") }
      await rig.pass(6000, queue)
      await queue.acknowledge(through: 500)
      await queue.use(Self.options(maxSize: 256 * 1024))
      await rig.pass(0, queue)
      #expect(await queue.depth == 100)
      #expect(await queue.status.droppedRecords == 0)
      await queue.close()
    }
  }

  @Test func whatIsBeyondGoesOnceTheCardCanBeWritten() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      for number in 0..<600 { await queue.append("\(number)\(Self.payload)") }
      await rig.pass(6000, queue)
      rig.disk.fail(["fdatasync"], under: Rig.card, errno: EIO)
      await queue.use(Self.options(maxSize: 256 * 1024))
      await rig.pass(0, queue)
      #expect(await queue.depth == 600)
      #expect(await queue.status.degraded != nil)
      rig.disk.failNoMore()
      await rig.pass(TelemetryQueue.retryInterval, queue)
      #expect(await queue.cardSummary.bytes <= 256 * 1024)
      await queue.close()
    }
  }

  @Test func aLargerMaxSizeKeepsMore() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options(maxSize: 128 * 1024))
      let queue = await rig.open()
      await queue.use(Self.options(maxSize: 1 << 20))
      for number in 0..<600 { await queue.append("\(number)\(Self.payload)") }
      await rig.pass(6000, queue)
      #expect(await queue.depth == 600)
      await queue.close()
    }
  }

  @Test func aShorterPersistAfterCountsForWhatWaitsAlready() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options(persistAfter: .seconds(600)))
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await rig.pass(10_000, queue)
      #expect(rig.disk.cardJournal.isEmpty)
      await queue.use(Self.options(persistAfter: .seconds(5)))
      await rig.pass(0, queue)
      #expect(rig.disk.segments(under: Rig.card).count == 1)
      await queue.close()
    }
  }

  @Test func aLongerPersistAfterSparesTheCard() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await queue.use(Self.options(persistAfter: .seconds(60)))
      await rig.pass(30_000, queue)
      #expect(rig.disk.cardJournal.isEmpty)
      await rig.pass(30_000, queue)
      #expect(rig.disk.segments(under: Rig.card).count == 1)
      await queue.close()
    }
  }

  @Test func lessMemoryDropsTheOldestAtOnce() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      rig.disk.fail(["opendir", "open", "mkdir"], under: "/run", errno: EACCES)
      let queue = await rig.open()
      for number in 0..<100 { await queue.append("\(number)\(Self.payload)") }
      #expect(await queue.status.memoryBytes > 50_000)
      await queue.use(Self.options(memory: 20_000))
      let status = await queue.status
      #expect(status.memoryBytes <= 20_000 && status.droppedRecords > 50)
      await queue.close()
    }
  }

  @Test func theHotDirectoryWaitsForARestart() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      var other = Self.options(memory: 2 << 20)
      other.hotDirectory = "/elsewhere"
      #expect(await queue.use(other) == false)
      #expect(await queue.options == Self.options(memory: 2 << 20), "the rest is in effect")
      #expect(await queue.use(Self.options(memory: 2 << 20)))
      await queue.close()
    }
  }

  @Test func theSameOptionsDoNothing() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: Self.options())
      let queue = await rig.open()
      #expect(await queue.use(Self.options()))
      #expect(await queue.nextDue == nil)
      await queue.close()
    }
  }
}
