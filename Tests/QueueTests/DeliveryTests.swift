import Glibc
import Testing

@testable import Queue

@Suite struct DeliveryTests {
  @Test func recordsComeBackAsTheyWereAppendedAndInOrder() throws {
    try onLoop { loop in
      let queue = await Rig(loop).open()
      await queue.append([
        PendingRecord(timestamp: 10, boottime: 1, payload: Array("{\"a\":1}".utf8)),
        PendingRecord(timestamp: 20, boottime: 2, payload: []),
      ])
      let batch = try #require(await queue.nextBatch(maxRecords: 10, maxBytes: 1000))
      #expect(
        batch.records == [
          QueueRecord(sequence: 1, timestamp: 10, boottime: 1, bootID: .current, payload: Array("{\"a\":1}".utf8)),
          QueueRecord(sequence: 2, timestamp: 20, boottime: 2, bootID: .current, payload: []),
        ])
      #expect(batch.payloadBytes == 7)
      #expect(batch.lastSequence == 2)
    }
  }

  @Test func theSameBatchComesAgainUntilItIsAcknowledged() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...5)
      let first = await queue.nextBatch(maxRecords: 3, maxBytes: 1000)
      #expect(await queue.nextBatch(maxRecords: 3, maxBytes: 1000) == first)
      await queue.acknowledge(through: 2)
      #expect(await rig.peek(queue) == texts("a", 3...5))
      await queue.acknowledge(through: 1)
      #expect(await rig.peek(queue) == texts("a", 3...5))
      await queue.acknowledge(through: 999)
      #expect(await queue.nextBatch(maxRecords: 3, maxBytes: 1000) == nil)
      await queue.append("later")
      #expect(await rig.peek(queue) == ["later"])
    }
  }

  @Test func aBatchKeepsItsLimitsButHoldsOneRecordAtLeast() throws {
    try onLoop { loop in
      let queue = await Rig(loop).open()
      for text in ["12345", "12345", "123", "1234567890123"] { await queue.append(text) }
      #expect(await queue.nextBatch(maxRecords: 10, maxBytes: 12)?.records.count == 2)
      #expect(await queue.nextBatch(maxRecords: 1, maxBytes: 12)?.records.count == 1)
      #expect(await queue.nextBatch(maxRecords: 10, maxBytes: 13)?.records.count == 3)
      await queue.acknowledge(through: 3)
      #expect(await queue.nextBatch(maxRecords: 10, maxBytes: 12)?.payloadBytes == 13)
    }
  }

  @Test func oneAppendIsOneWriteAndOneAcknowledgementOnePwriteAndTheCardSeesNothing() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      // The first of each opens its file.
      await queue.append("first")
      await queue.acknowledge(through: 1)
      rig.disk.forgetCalls()
      let lines = 600
      for line in 0..<lines {
        await queue.append("{\"temperature\":21.5}")
        let batch = try #require(await queue.nextBatch(maxRecords: 500, maxBytes: 1 << 20))
        #expect(batch.records.count == 1)
        await queue.acknowledge(through: batch.lastSequence)
        await rig.pass(1000, queue)
        #expect(await queue.status.depthBytes == 0, "after line \(line)")
      }
      // A segment of which nothing waits is emptied now and then.
      let emptied = rig.disk.callCounts["ftruncate /run", default: 0]
      #expect(emptied <= lines / 100)
      #expect(
        rig.disk.callCounts
          == ["write /run": lines, "pwrite /run": lines, "pread /run": lines, "ftruncate /run": emptied])
      #expect(rig.disk.cardJournal == [])
    }
  }

  @Test func theHotLogUsesOneSegmentAgainWhileEverythingIsAcknowledged() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      let text = String(repeating: "x", count: 1000)
      for _ in 0..<1000 {
        await queue.append(text)
        await queue.acknowledge(through: .max)
      }
      #expect(rig.disk.segments(under: Rig.hot).count == 1)
      #expect(await queue.hot.bytes <= HotLog.idleSize)
      // What waits is not emptied, however much it is.
      for _ in 0..<100 { await queue.append(text) }
      #expect(await queue.hot.bytes > HotLog.idleSize)
      #expect(await rig.peek(queue).count == 100)
      await queue.acknowledge(through: .max)
      await queue.append("after")
      #expect(await rig.peek(queue) == ["after"])
    }
  }

  @Test func appendingCallsTheUplink() throws {
    try onLoop { loop in
      let queue = await Rig(loop).open()
      let calls = LogLines()
      await queue.setOnAppend { calls.add("called") }
      await queue.append([])
      #expect(calls.all.isEmpty)
      await queue.append("a", 1...2)
      #expect(calls.all.count == 2)
    }
  }

  @Test func aPayloadBeyondTheBoundIsDroppedAndCounted() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append([
        PendingRecord(timestamp: 1, boottime: 1, payload: [UInt8](repeating: 32, count: 1 << 20)),
        PendingRecord(timestamp: 1, boottime: 1, payload: [UInt8](repeating: 32, count: 1 << 20 + 1)),
      ])
      #expect(await queue.status.droppedRecords == 1)
      #expect(await queue.nextBatch(maxRecords: 9, maxBytes: 9)?.payloadBytes == 1 << 20)
      #expect(rig.lines.count(of: "1 records dropped") == 1)
    }
  }

  @Test func parkedRecordsStandInAFileWithTheServersWords() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("{\"a\":\u{1}\"x\"}", at: 77)
      let record = try #require(await queue.nextBatch(maxRecords: 1, maxBytes: 100)?.records.first)
      #expect(await queue.park(record, reason: "400: \"bad\"\n"))
      await queue.acknowledge(through: record.sequence)
      let file = String(decoding: rig.disk[Rig.parked] ?? [], as: UTF8.self)
      #expect(
        file == #"{"ts":77,"sequence":1,"reason":"400: \"bad\"\u000a","payload":"{\"a\":\u0001\"x\"}"}"# + "\n")
      #expect(await queue.status.parkedRecords == 1)
      #expect(await queue.status.depthRecords == 0)
    }
  }

  @Test func theParkedFileIsBounded() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      let record = QueueRecord(
        sequence: 1, timestamp: 1, boottime: 1, payload: [UInt8](repeating: UInt8(ascii: "x"), count: 200_000))
      for _ in 0..<60 { await queue.park(record, reason: String(repeating: "?", count: 5000)) }
      #expect(rig.disk.paths(under: "/var/lib/baudgate/parked") == [Rig.parked, "\(Rig.parked).1"])
      for path in rig.disk.paths(under: "/var/lib/baudgate/parked") {
        #expect((rig.disk[path]?.count ?? 0) <= ParkedFile.bytesAtMost)
      }
    }
  }

  @Test func aParkedRecordThatCannotBeWrittenIsLogged() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      rig.disk.fail(SimulatedDisk.changes, under: "/var", errno: EROFS)
      let record = QueueRecord(sequence: 1, timestamp: 1, boottime: 1, payload: [])
      #expect(await queue.park(record, reason: "no") == false)
      #expect(rig.lines.count(of: "record 1 is lost: no") == 1)
    }
  }

  @Test func statusTellsDepthAndOldest() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      #expect(await queue.status.oldestTimestamp == nil)
      await queue.append("a", at: 100)
      await queue.append("b", at: 300)
      await queue.append("c", at: 200)
      #expect(await queue.status.depthRecords == 3)
      #expect(await queue.depth == 3)
      #expect(await queue.status.oldestTimestamp == 100)
      #expect(await queue.status.newestTimestamp == 300)
      #expect(await queue.status.depthBytes == 3 * 57)
      await queue.acknowledge(through: 1)
      #expect(await queue.status.depthRecords == 2)
      #expect(await queue.status.oldestTimestamp == 300)
      #expect(await queue.status.appendedRecords == 3)
      #expect(await queue.status.acknowledgedThrough == 1)
    }
  }
}
