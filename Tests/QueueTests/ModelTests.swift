import EventLoop
import Foundation
import Testing

@testable import Queue

/// Random lives of a queue, compared with a list in memory.
@Suite struct ModelTests {
  /// What may happen to the queue in a run.
  struct World: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var killsEvery = 25
    var powerCutsEvery = 0
    var failuresEvery = 0
    var options = QueueOptions()
    var seeds: UInt64 = 8
    var steps = 700
  }

  static let worlds = [
    World(testDescription: "kills: nothing is lost"),
    World(testDescription: "power cuts: what persist_after covers is there", killsEvery: 40, powerCutsEvery: 20),
    World(
      testDescription: "failing calls and kills: what is in a file is there", killsEvery: 25, failuresEvery: 12),
    World(
      testDescription: "failing calls, kills and power cuts: what was said to be persisted is there", killsEvery: 40,
      powerCutsEvery: 25, failuresEvery: 12, seeds: 12),
  ]

  @Test(arguments: worlds) func keepsItsPromises(_ world: World) throws {
    // A longer run: BAUDGATE_MODEL_SEEDS=1000 swift test --filter ModelTests
    let seeds = ProcessInfo.processInfo.environment["BAUDGATE_MODEL_SEEDS"].flatMap { UInt64($0) } ?? world.seeds
    for seed in 1...seeds {
      try onLoop { loop in
        let life = Life(loop, world, seed: seed)
        await life.run()
      }
    }
  }

  /// A queue of 1 MiB that takes more than that: the oldest go, and each is counted.
  @Test(arguments: [1, 2, 3] as [UInt64]) func whatMaxSizeDropsIsTheOldestAndCounted(seed: UInt64) throws {
    try onLoop { loop in
      var generator = SeededGenerator(seed: seed)
      let options = QueueOptions(maxSize: 1 << 20, persistAfter: .seconds(1), memory: 1 << 20)
      let rig = Rig(loop, options: options)
      let queue = await rig.open()
      var appended: [String] = []
      for number in 0..<6000 {
        let text = "\(number):" + String(repeating: "x", count: Int.random(in: 0...1000, using: &generator))
        appended.append(text)
        await queue.append(text)
        if number % 50 == 0 { await rig.pass(1000, queue) }
        let bytes = rig.disk.paths(under: Rig.card).reduce(0) { $0 + (rig.disk[$1]?.count ?? 0) }
        #expect(bytes <= 1 << 20 + 2 * CursorFile.cardStride)
      }
      let rest = await rig.drain(queue).map(\.text)
      #expect(rest == Array(appended.suffix(rest.count)))
      #expect(await queue.status.droppedRecords == UInt64(appended.count - rest.count))
      #expect(rest.count > 1000)
    }
  }

  /// One run: the queue, and the list it is compared with.
  final class Life {
    private let rig: Rig
    private let world: World
    private let seed: UInt64
    private var generator: SeededGenerator
    private var queue: TelemetryQueue?
    /// Ever appended, by number: when.
    private var times: [Int64] = []
    /// Numbers that wait, in order.
    private var waiting: [Int] = []
    private var isFailing = false
    /// On the card alone, and not synced as far as anyone knows: a failing life left them there.
    private var doubtful: Set<Int> = []
    private var step = 0
    /// The queue as it was before it was opened again.
    private var lastWords = ""

    init(_ loop: EventLoop, _ world: World, seed: UInt64) {
      rig = Rig(loop, options: world.options)
      self.world = world
      self.seed = seed
      generator = SeededGenerator(seed: seed)
    }

    func run() async {
      await reopen(required: [])
      for step in 1...world.steps {
        self.step = step
        await act()
      }
      rig.disk.failNoMore()
      guard let queue else { return }
      await rig.pass(30_000, queue)
      let rest = await rig.drain(queue).map(\.text).map(Self.number)
      expect(rest == waiting, "at the end")
      waiting = []
      #expect(await queue.status.degraded == nil)
      #expect(await queue.status.depthRecords == 0)
      await queue.close()
      rig.disk.kill()
      await reopen(required: [])
      await rig.pass(30_000, queue)
      #expect(rig.disk.segments(under: Rig.card) == [], "an acknowledged card log is unlinked")
      await queue.close()
    }

    private func act() async {
      guard let queue else { return }
      switch roll(100) {
      case 0..<45: await append(to: queue)
      case 45..<60: await batch(from: queue, acknowledge: true)
      case 60..<65: await batch(from: queue, acknowledge: false)
      case 65..<95: await pass(Int64(roll(2000)), queue)
      default: await acknowledgeSome(of: queue)
      }
      if happens(world.failuresEvery) {
        let errno = [ENOSPC, EIO, EROFS, EMFILE].randomElement(using: &generator) ?? EIO
        rig.disk.fail(at: 1 + roll(12), errno: errno, keepsFailing: Bool.random(using: &generator))
        isFailing = true
      } else if isFailing, roll(8) == 0 {
        rig.disk.failNoMore()
      }
      if happens(world.killsEvery) {
        if roll(4) == 0 { await stop(queue) } else { await kill(queue) }
      } else if happens(world.powerCutsEvery) {
        await cutPower(queue)
      }
    }

    private func append(to queue: TelemetryQueue) async {
      var records: [PendingRecord] = []
      for _ in 0...roll(roll(10) == 0 ? 40 : 3) {
        let length = roll(20) == 0 ? roll(60_000) : roll(300)
        let text = "\(times.count):" + String(repeating: "y", count: length)
        records.append(PendingRecord(timestamp: rig.now, boottime: rig.now, payload: Array(text.utf8)))
        waiting.append(times.count)
        times.append(rig.now)
      }
      await queue.append(records)
    }

    private func batch(from queue: TelemetryQueue, acknowledge: Bool) async {
      let limit = 1 + roll(60)
      let batch = await queue.nextBatch(maxRecords: limit, maxBytes: 1 + roll(200_000))
      let numbers = batch?.records.map { Self.number($0.text) } ?? []
      expect(numbers == Array(waiting.prefix(numbers.count)), "a batch in order")
      expect(numbers.isEmpty == waiting.isEmpty, "a batch when there is something")
      guard acknowledge, let batch else { return }
      await queue.acknowledge(through: batch.lastSequence)
      waiting.removeFirst(numbers.count)
    }

    private func acknowledgeSome(of queue: TelemetryQueue) async {
      guard let batch = await queue.nextBatch(maxRecords: 50, maxBytes: 1 << 20) else { return }
      let count = 1 + roll(batch.records.count)
      await queue.acknowledge(through: batch.records[count - 1].sequence)
      waiting.removeFirst(count)
    }

    /// In steps that a timer would not be later than.
    private func pass(_ milliseconds: Int64, _ queue: TelemetryQueue) async {
      var left = milliseconds
      while left > 0 {
        await rig.pass(min(left, 100), queue)
        left -= 100
      }
    }

    private func stop(_ queue: TelemetryQueue) async {
      await queue.close()
      let inMemory = await inMemoryOnly(queue)
      lastWords = "the stop: \(await queue.words)"
      rig.disk.kill()
      await reopen(required: waiting.filter { !inMemory.contains($0) })
    }

    private func kill(_ queue: TelemetryQueue) async {
      let inMemory = await inMemoryOnly(queue)
      lastWords = "the kill: \(await queue.words)"
      expect(isFailing || inMemory.isEmpty, "nothing waits in memory while files work")
      rig.disk.kill()
      await reopen(required: waiting.filter { !inMemory.contains($0) })
    }

    private func cutPower(_ queue: TelemetryQueue) async {
      let persisted = await queue.persisted
      lastWords = "the power cut: \(await queue.words)"
      let numbers = await queue.numbers(through: persisted)
      var required = waiting.filter { numbers.contains($0) }
      if !isFailing {
        let old = waiting.filter { times[$0] <= rig.now - 5000 && !doubtful.contains($0) }
        expect(Set(old).isSubset(of: required), "older than persist_after is persisted")
        required = waiting.filter { Set(required).union(old).contains($0) }
      }
      rig.disk.cutPower(using: &generator)
      await reopen(required: required)
    }

    /// Opens the files again: what is required is there, in order, each once; more may be, but nothing unknown.
    private func reopen(required: [Int]) async {
      rig.disk.failNoMore()
      isFailing = false
      let queue = await rig.open()
      self.queue = queue
      // What grew old while the card failed is due at once.
      await rig.pass(0, queue)
      let records = await queue.nextBatch(maxRecords: 1 << 20, maxBytes: 1 << 30)?.records ?? []
      let (persisted, floor) = (await queue.persisted, await queue.hot.floor)
      doubtful = Set(
        records.filter { $0.sequence > persisted && $0.sequence <= floor }.map { Self.number($0.text) })
      let found = records.map { Self.number($0.text) }
      expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 }, "in order, each once")
      let missing = Set(required).subtracting(found)
      expect(
        missing.isEmpty,
        "lost: \(missing.sorted().prefix(5)) of \(required.count)\nbefore \(lastWords)\nafter \(await queue.words)")
      waiting = found
      #expect(await queue.status.quarantined == 0 || world.powerCutsEvery > 0 || world.failuresEvery > 0)
    }

    private func inMemoryOnly(_ queue: TelemetryQueue) async -> Set<Int> {
      await queue.numbersInMemory()
    }

    static func number(_ text: String) -> Int { Int(text.prefix { $0 != ":" }) ?? -1 }

    private func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &generator) }
    private func happens(_ every: Int) -> Bool { every > 0 && roll(every) == 0 }

    private func expect(_ holds: Bool, _ what: String) {
      if !holds { Issue.record("\(world.testDescription), seed \(seed), step \(step): not so: \(what)") }
    }
  }
}

extension TelemetryQueue {
  /// Where everything is, for a failing run.
  fileprivate var words: String {
    func list(_ segments: [Segment]) -> String {
      segments.map { "\($0.first)-\($0.last) (\($0.records), \($0.name.text))" }.joined(separator: " ")
    }
    return """
      next \(nextSequence), acknowledged \(acknowledged), persisted \(persisted), floor \(hot.floor), \
      hot [\(list(hot.segments))], card [\(list(cardSummary.segments))] to \(cardSummary.cursor.acknowledged), \
      memory \(ring.chunks.map { "\($0.first)-\($0.last)" }), \(status.degraded ?? "well")
      """
  }

  /// The numbers of the waiting records up to `sequence`.
  fileprivate func numbers(through sequence: UInt64) async -> Set<Int> {
    let batch = await nextBatch(maxRecords: 1 << 20, maxBytes: 1 << 30)
    return Set((batch?.records ?? []).filter { $0.sequence <= sequence }.map { ModelTests.Life.number($0.text) })
  }

  /// The numbers of the records no file holds.
  fileprivate func numbersInMemory() -> Set<Int> {
    var batch = BatchBuilder(after: released, limit: BatchLimit(records: 1 << 20, bytes: 1 << 30))
    ring.read(into: &batch)
    return Set(batch.records.map { ModelTests.Life.number($0.text) })
  }
}
