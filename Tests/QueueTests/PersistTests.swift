import EventLoop
import Glibc
import Testing

@testable import Queue

@Suite struct PersistTests {
  @Test func theCardGetsOnlyWhatWaitsLongerThanPersistAfter() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...5)
      await queue.acknowledge(through: 2)
      await rig.pass(4000, queue)
      #expect(rig.disk.cardJournal == [])
      await rig.pass(1000, queue)
      let segment = "\(Rig.card)/\(SegmentName(first: 3).text)"
      #expect(rig.disk.segments(under: Rig.card) == [segment])
      #expect(rig.disk[segment]?.count == 3 * 58)
      #expect(
        rig.disk.cardJournal.suffix(4) == [
          "create \(segment)", "write \(segment)", "fdatasync \(segment)", "fsync \(Rig.card)",
        ])
      rig.disk.forgetCalls()
      await rig.pass(600_000, queue)
      #expect(rig.disk.cardJournal == [], "once is enough")
    }
  }

  @Test func anOfflineHourIsOneWriteAndOneSyncPerPersistAfter() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      for _ in 0..<600 {
        await queue.append("{\"temperature\":21.5}")
        await rig.pass(1000, queue)
      }
      let calls = rig.disk.callCounts
      #expect((100...150).contains(calls["fdatasync /var"] ?? 0))
      #expect(calls["fdatasync /var"] == calls["write /var"])
      #expect(calls["pwrite /var"] == nil, "no cursor while nothing is acknowledged")
      #expect(rig.disk.segments(under: Rig.card).count == 1)
    }
  }

  @Test func theCursorIsSyncedBeforeASegmentGoes() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: QueueOptions(maxSize: 1 << 20, persistAfter: .seconds(5), memory: 1 << 20))
      let queue = await rig.open()
      let payload = String(repeating: "x", count: 1000)
      for number in 0..<300 { await queue.append("\(number)\(payload)") }
      await rig.pass(6000, queue)
      let before = rig.disk.segments(under: Rig.card).count
      #expect(before >= 4)
      rig.disk.forgetCalls()
      while let batch = await queue.nextBatch(maxRecords: 50, maxBytes: 1 << 20) {
        await queue.acknowledge(through: batch.lastSequence)
        await rig.pass(1000, queue)
      }
      await rig.pass(6000, queue)
      #expect(rig.disk.segments(under: Rig.card) == [])
      var isSynced = false
      for call in rig.disk.cardJournal {
        if call.hasPrefix("pwrite") { isSynced = false }
        if call == "fdatasync \(Rig.card)/cursor" { isSynced = true }
        if call.hasPrefix("unlink") { #expect(isSynced, "\(call)") }
      }
      let syncs = rig.disk.cardJournal.filter { $0.hasPrefix("fdatasync") }.count
      #expect((2...4).contains(syncs), "at most one per persist_after")
    }
  }

  @Test func memoryAndTheHotLogStaySmallWhateverTheBacklog() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      let payload = String(repeating: "x", count: 2000)
      for number in 0..<5000 {
        await queue.append("\(number)\(payload)")
        if number % 50 == 0 { await rig.pass(5000, queue) }
        #expect(await queue.hot.segments.count <= 3)
      }
      let files = rig.disk.paths(under: Rig.hot).reduce(0) { $0 + (rig.disk[$1]?.count ?? 0) }
      #expect(files < 3 * HotLog.segmentSize)
      #expect(await queue.depth == 5000)
      #expect(await queue.cardSummary.segments.count < 12)
      #expect(await rig.drain(queue).count == 5000)
    }
  }

  @Test func aStalledSyncDoesNotKeepLiveRecordsFromTheServer() throws {
    try onLoop { loop in
      let rig = Rig(loop, pool: BlockingPool(name: "stalled", threads: 1))
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.stall("fdatasync")
      rig.wait(5000)
      await queue.timerFired()
      await rig.waitForStall()
      // The server is back while the card is not.
      var sent: [String] = []
      for second in 0..<30 {
        await queue.append("live\(second)")
        while let batch = await queue.nextBatch(maxRecords: 100, maxBytes: 1 << 20) {
          sent += batch.records.map(\.text)
          await queue.acknowledge(through: batch.lastSequence)
        }
        rig.wait(1000)
        if let due = await queue.nextDue, due <= rig.now { await queue.timerFired() }
      }
      #expect(sent == texts("a", 1...3) + texts("live", 0...29))
      #expect(queue.diskBusyFor != nil)
      #expect(rig.lines.count(of: "the card has not answered for 5 s") == 1)
      rig.disk.resume()
      await queue.settle()
      #expect(rig.lines.count(of: "the card answered after 30 s") == 1)
      #expect(rig.lines.all.count == 2)
      await rig.pass(10_000, queue)
      #expect(await queue.depth == 0)
      #expect(rig.disk.segments(under: Rig.card) == [])
    }
  }

  @Test func afterAFailedSyncANewSegmentIsBegun() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await rig.pass(5000, queue)
      await queue.append("a", 4...6)
      rig.disk.fail(["fdatasync"], under: Rig.card, errno: EIO)
      await rig.pass(5000, queue)
      #expect(await queue.status.degraded?.contains("fdatasync: Input/output error") == true)
      #expect(await rig.peek(queue) == texts("a", 1...6))
      rig.disk.failNoMore()
      await rig.pass(10_000, queue)
      #expect(await queue.status.degraded == nil)
      #expect(
        rig.disk.segments(under: Rig.card) == ([1, 4] as [UInt64]).map { "\(Rig.card)/\(SegmentName(first: $0).text)" })
      #expect(rig.lines.count(of: "cannot write the queue on the card") == 1)
      #expect(rig.lines.count(of: "is written again") == 1)
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...6))
    }
  }

  @Test func aFullCardIsTriedAgainAndTheHotLogHoldsTheRecords() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await rig.pass(5000, queue)
      rig.disk.limit("/var", to: 200)
      await queue.append("a", 4...9)
      await rig.pass(60_000, queue)
      #expect(await queue.status.degraded?.contains("No space left on device") == true)
      #expect(await rig.peek(queue) == texts("a", 1...9))
      #expect(rig.disk.segments(under: Rig.card).count == 1, "cut back and kept, not one file per try")
      rig.disk.limit("/var", to: nil)
      await rig.pass(10_000, queue)
      #expect(await queue.status.degraded == nil)
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...9))
    }
  }

  @Test func theHotLogIsBoundedWhileTheCardFails() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      rig.disk.fail(SimulatedDisk.changes, under: "/var", errno: EROFS)
      let payload = String(repeating: "x", count: 60_000)
      for number in 0..<400 {
        await queue.append("\(number):\(payload)")
        await rig.pass(1000, queue)
        #expect(await queue.hot.bytes <= HotLog.limit)
      }
      let rest = await rig.drain(queue).map { Int($0.text.prefix { $0 != ":" }) ?? -1 }
      #expect(rest == Array((400 - rest.count)..<400))
      #expect(await queue.status.droppedRecords == UInt64(400 - rest.count))
      #expect(rest.count > 200)
      #expect((2...10).contains(rig.lines.count(of: "records dropped")), "one a minute")
    }
  }

  @Test func closingPersistsTheRestAndRefusesMore() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...4)
      await queue.acknowledge(through: 1)
      await queue.close()
      await queue.append("late")
      #expect(await queue.status.droppedRecords == 1)
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 2...4))
    }
  }

  @Test func closingWithNothingLeftWritesNothingToTheCard() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...4)
      await queue.acknowledge(through: 4)
      await queue.close()
      #expect(rig.disk.cardJournal == [])
    }
  }

  @Test func closingWaitsForThePersistThatIsRunning() throws {
    try onLoop { loop in
      let rig = Rig(loop, pool: BlockingPool(name: "stalled", threads: 1))
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.stall("fdatasync")
      rig.wait(5000)
      await queue.timerFired()
      await rig.waitForStall()
      await queue.append("a", 4...6)
      let closing = Task(executorPreference: loop) { await queue.close() }
      rig.disk.resume()
      await closing.value
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...6))
    }
  }
}
