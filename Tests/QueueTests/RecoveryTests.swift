import EventLoop
import Glibc
import Testing

@testable import Queue

/// One test per rule of docs/queue.md, "Recovery".
@Suite struct RecoveryTests {
  enum Place: String, CaseIterable, Sendable { case hot, card }

  /// A life that leaves `a1` to `a10`, unacknowledged, in one segment of the hot log, or of the card after a reboot.
  static func leftovers(_ rig: Rig, in place: Place) async throws -> String {
    let queue = await rig.open()
    await queue.append("a", 1...10)
    if place == .card {
      await rig.pass(6000, queue)
      await queue.close()
      rig.disk.reboot()
      // Files of another life may stand there, but no segments.
      return try #require(rig.disk.segments(under: Rig.card).first)
    }
    rig.disk.kill()
    return try #require(rig.disk.segments(under: Rig.hot).first)
  }

  /// Where record `number` of `a1` to `a10` begins; each has a header of 56 bytes.
  static func offset(of number: Int) -> Int { (number - 1) * 58 }

  @Test(arguments: Place.allCases) func R1_aTornTailIsCut(_ place: Place) throws {
    try onLoop { loop in
      for kept in [1, 5, 30, 56, 57] {
        let rig = Rig(loop)
        let path = try await Self.leftovers(rig, in: place)
        let size = Self.offset(of: 9) + kept
        rig.disk[path]?.removeSubrange(size...)
        let queue = await rig.open()
        #expect(await rig.peek(queue) == texts("a", 1...8), "\(kept) bytes of the ninth")
        #expect(rig.disk[path]?.count == Self.offset(of: 9))
        #expect(await queue.status.quarantined == 0)
        await queue.append("next")
        #expect(await rig.peek(queue) == texts("a", 1...8) + ["next"])
        #expect(rig.disk.paths(under: Rig.quarantine) == [])
      }
    }
  }

  @Test(arguments: Place.allCases) func R1_zerosAtTheEndAreATornTail(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: place)
      let size = rig.disk[path]?.count
      rig.disk[path]? += [UInt8](repeating: 0, count: 70_000)
      let queue = await rig.open()
      #expect(await rig.peek(queue) == texts("a", 1...10))
      #expect(rig.disk[path]?.count == size)
      #expect(await queue.status.quarantined == 0)
    }
  }

  @Test(arguments: Place.allCases) func R2_aFlippedBitCostsItsRecordAlone(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: place)
      let range = Self.offset(of: 4)..<Self.offset(of: 5)
      rig.disk[path]?[range.lowerBound + 57] ^= 1
      let damaged = rig.disk[path].map { Array($0[range]) }
      let queue = await rig.open()
      #expect(await rig.peek(queue) == texts("a", 1...3) + texts("a", 5...10))
      #expect(await queue.status.quarantined == 1)
      let copy = try #require(rig.disk.paths(under: Rig.quarantine).first)
      #expect(rig.disk[copy] == damaged)
      #expect(rig.lines.count(of: "are damaged and were passed over") == 1)
      // The next life finds the copy and does not tell again.
      rig.disk.kill()
      let again = await rig.open()
      #expect(await rig.drain(again).count == 9)
      #expect(await again.status.quarantined == 0)
      #expect(rig.disk.paths(under: Rig.quarantine).count == 1)
    }
  }

  @Test(arguments: Place.allCases) func R2_damageAtTheEndIsCopiedAndCut(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: place)
      rig.disk[path]?[Self.offset(of: 10) + 30] ^= 0x10
      let queue = await rig.open()
      #expect(await rig.peek(queue) == texts("a", 1...9))
      #expect(rig.disk[path]?.count == Self.offset(of: 10))
      #expect(rig.disk.paths(under: Rig.quarantine).count == 1)
    }
  }

  @Test(arguments: Place.allCases, [9, 10, 11]) func R3_aFlippedLengthCostsItsRecordAlone(
    _ place: Place, byte: Int
  ) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: place)
      // Beyond the file's end, or beyond any record's bound.
      rig.disk[path]?[Self.offset(of: 6) + byte] = 1
      let queue = await rig.open()
      #expect(await rig.peek(queue) == texts("a", 1...5) + texts("a", 7...10))
      #expect(await queue.status.quarantined == 1)
    }
  }

  @Test(arguments: Place.allCases) func R4_anEmptyFileIsRemoved(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      _ = try await Self.leftovers(rig, in: place)
      let empty = "\(place == .hot ? Rig.hot : Rig.card)/\(SegmentName(first: 11).text)"
      rig.disk[empty] = []
      let queue = await rig.open()
      #expect(rig.disk[empty] == nil)
      #expect(await rig.peek(queue) == texts("a", 1...10))
    }
  }

  @Test(arguments: Place.allCases) func R5_aFileOfSomethingElseIsCopiedAndPassedOver(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      _ = try await Self.leftovers(rig, in: place)
      let text = Array(String(repeating: "not a record, though \u{B4}BGQ stands in it\n", count: 5000).utf8)
      let path = "\(place == .hot ? Rig.hot : Rig.card)/\(SegmentName(first: 11).text)"
      rig.disk[path] = text
      let queue = await rig.open()
      await queue.append("next")
      #expect(await rig.peek(queue) == texts("a", 1...10) + ["next"])
      #expect(await queue.status.quarantined == 1)
      let copy = try #require(rig.disk.paths(under: Rig.quarantine).first)
      #expect(rig.disk[copy] == text)
    }
  }

  @Test(arguments: Place.allCases) func R6_aNewerFormatIsCopiedWholeAndPassedOver(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: place)
      for record in 1...10 { rig.disk[path]?[Self.offset(of: record) + 4] = 2 }
      let bytes = rig.disk[path]
      let queue = await rig.open()
      #expect(await rig.peek(queue) == [])
      await queue.append("next")
      #expect(await rig.peek(queue) == ["next"])
      #expect(await queue.status.quarantined == 1)
      let copy = try #require(rig.disk.paths(under: Rig.quarantine).first)
      #expect(rig.disk[copy] == bytes)
      #expect(rig.lines.count(of: "written by a newer version (format 2)") == 1)
    }
  }

  @Test(arguments: Place.allCases) func R7_otherNamesAreLeftAlone(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      _ = try await Self.leftovers(rig, in: place)
      let directory = place == .hot ? Rig.hot : Rig.card
      let names = ["README", "0000000000000001.0.seg.bak", "zzz.0.seg"].map { "\(directory)/\($0)" }
      for name in names { rig.disk[name] = [1, 2, 3] }
      let queue = await rig.open()
      #expect(await rig.drain(queue).count == 10)
      await rig.pass(60_000, queue)
      await queue.close()
      for name in names { #expect(rig.disk[name] == [1, 2, 3]) }
    }
  }

  @Test(arguments: Place.allCases) func R8_withoutACursorEverythingThereIsSentAgain(_ place: Place) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let first = await rig.open()
      await first.append("a", 1...10)
      if place == .card { await rig.pass(6000, first) }
      await first.acknowledge(through: 4)
      if place == .card { await rig.pass(6000, first) }
      rig.disk.kill()
      if place == .card { rig.disk.reboot() }
      let reopened = await rig.open()
      #expect(await rig.peek(reopened) == texts("a", 5...10))
      rig.disk.kill()
      rig.disk["\(place == .hot ? Rig.hot : Rig.card)/cursor"] = nil
      rig.disk["\(Rig.hot)/cursor"] = nil
      let queue = await rig.open()
      #expect(await rig.peek(queue) == texts("a", 1...10))
    }
  }

  @Test(arguments: Place.allCases, [0, 1]) func R9_ofACorruptCursorTheOtherSlotCounts(_ place: Place, slot: Int) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let first = await rig.open()
      await first.append("a", 1...10)
      if place == .card { await rig.pass(6000, first) }
      for sequence in [2, 4] as [UInt64] {
        await first.acknowledge(through: sequence)
        if place == .card { await rig.pass(6000, first) }
      }
      rig.disk.kill()
      if place == .card { rig.disk.reboot() }
      let path = "\(place == .hot ? Rig.hot : Rig.card)/cursor"
      let stride = place == .hot ? CursorFile.hotStride : CursorFile.cardStride
      rig.disk[path]?[slot * stride + 24] ^= 1
      let queue = await rig.open()
      let found = await rig.peek(queue)
      // The newer slot, or the one before it.
      #expect(found == texts("a", 3...10) || found == texts("a", 5...10))
      await queue.acknowledge(through: 6)
      await rig.pass(6000, queue)
      rig.disk.kill()
      if place == .card { rig.disk.reboot() }
      #expect(await rig.peek(await rig.open()) == texts("a", 7...10))
      // Both gone: as missing.
      rig.disk.kill()
      for start in [0, stride] { rig.disk[path]?[start + 24] ^= 0xFF }
      if place == .card { rig.disk.reboot() }
      #expect(await rig.peek(await rig.open()) == texts("a", 1...10))
    }
  }

  @Test func R10_afterACursorBeyondTheNewestRecordNumbersGoOnBehindIt() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let path = try await Self.leftovers(rig, in: .hot)
      rig.disk["\(Rig.hot)/cursor"] = CursorFile.encode(Cursor(acknowledged: 500), counter: 1)
      let queue = await rig.open()
      #expect(await rig.peek(queue) == [])
      await queue.append("next")
      let batch = try #require(await queue.nextBatch(maxRecords: 1, maxBytes: 100))
      #expect(batch.records.map(\.text) == ["next"])
      #expect(batch.lastSequence == 501)
      _ = path
    }
  }

  @Test func R11_aCursorIntoAMissingSegmentGoesOnWithTheOldestLeft() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      let big = String(repeating: "x", count: 60_000)
      for number in 1...40 { await queue.append("\(number)\(big)") }
      await queue.acknowledge(through: 2)
      rig.disk.kill()
      let segments = rig.disk.segments(under: Rig.hot)
      #expect(segments.count > 5)
      for path in segments.prefix(3) { rig.disk[path] = nil }
      let oldest = try #require(SegmentName(String(segments[3].dropFirst(Rig.hot.count + 1)))).first
      let reopened = await rig.open()
      #expect(await reopened.nextBatch(maxRecords: 1, maxBytes: 1)?.records.first?.sequence == oldest)
    }
  }

  @Test func R12_afterARebootTheCardsRecordsAreThereAndNoSequenceComesTwice() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...10)
      await rig.pass(6000, queue)
      await queue.append("young", 1...5)
      rig.disk.reboot()
      let reopened = await rig.open()
      #expect(await rig.peek(reopened) == texts("a", 1...10))
      await reopened.append("b")
      let records = await rig.drain(reopened)
      #expect(records.map(\.text) == texts("a", 1...10) + ["b"])
      #expect((records.last?.sequence ?? 0) > 15)
    }
  }

  @Test func R13_withoutTheCardTheHotLogsRecordsAreThere() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...10)
      await rig.pass(6000, queue)
      await queue.append("b", 1...3)
      rig.disk.kill()
      for path in rig.disk.paths(under: "/var") { rig.disk[path] = nil }
      let reopened = await rig.open()
      #expect(await rig.peek(reopened) == texts("a", 1...10) + texts("b", 1...3))
      await rig.pass(6000, reopened)
      rig.disk.reboot()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...10) + texts("b", 1...3))
    }
  }

  @Test func R14_recordsInBothLogsComeOnce() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...5)
      await rig.pass(6000, queue)
      await queue.append("a", 6...8)
      rig.disk.kill()
      #expect(rig.disk.segments(under: Rig.hot).count == 1 && rig.disk.segments(under: Rig.card).count == 1)
      let reopened = await rig.open()
      #expect(await rig.peek(reopened) == texts("a", 1...8))
      #expect(await reopened.depth == 8)
    }
  }

  @Test func R15_whatWentFromMemoryToTheCardIsReadFromThere() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      rig.disk.fail(["write"], under: Rig.hot, errno: ENOSPC)
      await queue.append("b", 1...3)
      await rig.pass(6000, queue)
      rig.disk.failNoMore()
      await rig.pass(5000, queue)
      await queue.append("c", 1...3)
      rig.disk.kill()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...3) + texts("b", 1...3) + texts("c", 1...3))
    }
  }

  @Test func R16_anUnreadableHotDirectoryIsTakenOverLater() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      _ = try await Self.leftovers(rig, in: .hot)
      rig.disk.fail(["opendir", "open", "mkdir"], under: "/run", errno: EACCES)
      let queue = await rig.open()
      #expect(await queue.status.degraded?.contains("hot log") == true)
      await queue.append("live")
      #expect(await rig.drain(queue).map(\.text) == ["live"])
      rig.disk.failNoMore()
      await rig.pass(10_000, queue)
      #expect(await queue.status.degraded == nil)
      #expect(await rig.peek(queue) == texts("a", 1...10))
      await queue.append("more")
      rig.disk.kill()
      #expect(await rig.peek(await rig.open()) == texts("a", 1...10) + ["more"])
    }
  }

  @Test(arguments: [false, true]) func R17_anUnreadableCardIsTakenOverLater(afterARestart: Bool) throws {
    try onLoop { loop in
      let rig = Rig(loop)
      _ = try await Self.leftovers(rig, in: .card)
      rig.disk.fail(["opendir", "stat", "open", "create", "mkdir"], under: "/var/lib/baudgate", errno: EACCES)
      var queue = await rig.open()
      #expect(await queue.status.degraded?.contains("card") == true)
      await queue.append("live", 1...2)
      let batch = try #require(await queue.nextBatch(maxRecords: 1, maxBytes: 100))
      #expect(batch.records.map(\.text) == ["live1"])
      await queue.acknowledge(through: batch.lastSequence)
      rig.disk.failNoMore()
      if afterARestart {
        rig.disk.kill()
        queue = await rig.open()
      } else {
        await rig.pass(10_000, queue)
      }
      #expect(await queue.status.degraded == nil)
      #expect(await rig.drain(queue).map(\.text) == texts("a", 1...10) + ["live2"])
      await queue.append("later")
      rig.disk.kill()
      #expect(await rig.peek(await rig.open()) == ["later"])
    }
  }

  @Test func R18_whatTheCardHoldsWithoutASyncIsWrittenAgain() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...3)
      await queue.acknowledge(through: 1)
      // The sync fails, and the file cannot even be cut back: a restart finds whole records in the page cache.
      rig.disk.fail(["fdatasync", "ftruncate", "unlink"], under: Rig.card, errno: EIO)
      await rig.pass(6000, queue)
      rig.disk.failNoMore()
      rig.disk.kill()
      let reopened = await rig.open()
      #expect(await reopened.persisted < 2)
      await rig.pass(6000, reopened)
      var generator = SeededGenerator(seed: 7)
      rig.disk.cutPower(using: &generator)
      #expect(await rig.peek(await rig.open()).suffix(2) == ["a2", "a3"])
    }
  }

  @Test func R19_whatWaitedBeforeTheRestartKeepsItsAge() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      var queue = await rig.open()
      await queue.append([PendingRecord(timestamp: 1, boottime: rig.now, payload: Array("a1".utf8))])
      for _ in 0..<3 {
        rig.disk.kill()
        rig.wait(2000)
        queue = await rig.open()
        await rig.pass(0, queue)
      }
      #expect(rig.disk.segments(under: Rig.card).count == 1, "6 s old, though no life lasted 5 s")
    }
  }

  @Test func R20_damageInAnOlderCardSegmentIsMetWhenItIsRead() throws {
    try onLoop { loop in
      let rig = Rig(loop, options: QueueOptions(maxSize: 1 << 20, persistAfter: .seconds(5), memory: 1 << 20))
      let queue = await rig.open()
      let payload = String(repeating: "x", count: 1000)
      for number in 0..<200 { await queue.append("\(1000 + number)\(payload)") }
      await rig.pass(6000, queue)
      rig.disk.reboot()
      let segments = rig.disk.segments(under: Rig.card)
      #expect(segments.count >= 3)
      rig.disk[segments[0]]?[5 * 1060 + 60] ^= 1
      rig.disk.forgetCalls()
      let reopened = await rig.open()
      #expect((rig.disk.callCounts["pread /var"] ?? 0) <= 4, "the start reads the cursor and the newest segment")
      #expect(await reopened.status.quarantined == 0)
      let numbers = await rig.drain(reopened).map { Int($0.text.prefix(4)) ?? 0 }
      #expect(numbers == (1000...1199).filter { $0 != 1005 })
      #expect(await reopened.status.quarantined == 1)
    }
  }

  @Test(arguments: [ENOENT, EIO]) func R21_aSegmentThatCannotBeReadIsPassedOverAndCounted(errno: CInt) throws {
    try onLoop { loop in
      let rig = Rig(loop, options: QueueOptions(maxSize: 1 << 20, persistAfter: .seconds(5), memory: 1 << 20))
      let queue = await rig.open()
      let payload = String(repeating: "x", count: 1000)
      for number in 0..<200 { await queue.append("\(1000 + number)\(payload)") }
      await rig.pass(6000, queue)
      rig.disk.reboot()
      let segments = rig.disk.segments(under: Rig.card)
      let reopened = await rig.open()
      rig.disk.fail(["open", "pread"], under: segments[1], errno: errno)
      let calls = LogLines()
      await reopened.setOnAppend { calls.add("again") }
      var numbers: [Int] = []
      for _ in 0..<4 {
        numbers += await rig.drain(reopened).map { Int($0.text.prefix(4)) ?? 0 }
        await rig.pass(10_000, reopened)
      }
      let lost = 200 - numbers.count
      #expect(numbers == numbers.sorted() && numbers.last == 1199)
      #expect(lost > 20 && lost < 100)
      #expect(await reopened.status.droppedRecords == UInt64(lost))
      #expect(await reopened.status.depthRecords == 0)
      #expect(calls.all.count == (errno == EIO ? CardLog.readAttempts - 1 : 0), "the uplink is told to try again")
    }
  }

  @Test func theQuarantineIsBounded() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", 1...300)
      rig.disk.kill()
      let path = try #require(rig.disk.segments(under: Rig.hot).first)
      for byte in stride(from: 30, to: (rig.disk[path]?.count ?? 0) - 200, by: 130) { rig.disk[path]?[byte] ^= 1 }
      let reopened = await rig.open()
      #expect(rig.disk.paths(under: Rig.quarantine).count == Quarantine.filesAtMost)
      #expect(await reopened.status.quarantined > Quarantine.filesAtMost)
      #expect(rig.lines.all.count < 5, "one line a minute")
      #expect(await rig.peek(reopened).last == "a300")
    }
  }

  @Test func theNewestTimestampIsRecovered() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      let queue = await rig.open()
      await queue.append("a", at: 2000)
      await queue.append("b", at: 1000)
      rig.disk.kill()
      #expect(await rig.open().status.newestTimestamp == 2000)
      let reopened = await rig.open()
      await reopened.acknowledge(through: .max)
      for path in rig.disk.segments(under: Rig.hot) { rig.disk[path] = nil }
      #expect(await rig.open().status.newestTimestamp == 2000, "from the cursor")
    }
  }

  @Test func hostileFilesCostBoundedTime() throws {
    try onLoop { loop in
      let rig = Rig(loop)
      // Headers as far as the eye sees, each claiming a MiB that is not a record.
      var header = FormatTests.encode([])
      header[8] = 0
      header[10] = 0x08
      rig.disk["\(Rig.card)/\(SegmentName(first: 1).text)"] = Array(
        (0..<20_000).map { _ in header }.joined())
      let queue = await rig.open()
      await queue.append("next")
      #expect(await rig.peek(queue) == ["next"])
    }
  }
}
