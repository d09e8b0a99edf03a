import EventLoop
import Foundation
import Logging
import Synchronization

@testable import Queue

/// A queue on a simulated disk, with a clock and timers in the test's hand.
final class Rig: Sendable {
  static let hot = "/run/baudgate/pump"
  static let card = "/var/lib/baudgate/queue/pump"
  static let quarantine = "/var/lib/baudgate/quarantine/pump"
  static let parked = "/var/lib/baudgate/parked/pump.jsonl"
  /// One thread serves all rigs but those that stall it.
  static let sharedPool = BlockingPool(name: "queue-tests", threads: 1)

  let loop: EventLoop
  let disk: SimulatedDisk
  let options: QueueOptions
  let pool: BlockingPool
  let lines = LogLines()
  private let time = Mutex<Int64>(1_000_000)

  init(
    _ loop: EventLoop, disk: SimulatedDisk = SimulatedDisk(), options: QueueOptions = QueueOptions(),
    pool: BlockingPool = sharedPool
  ) {
    self.loop = loop
    self.disk = disk
    self.options = options
    self.pool = pool
  }

  var now: Int64 { time.withLock { $0 } }
  func wait(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }

  func open() async -> TelemetryQueue {
    var log = Logger(label: "queue") { [lines] _ in LineHandler(lines: lines) }
    log.logLevel = .debug
    return await TelemetryQueue.open(
      device: "pump", hotDirectory: "/run/baudgate", stateDirectory: "/var/lib/baudgate", options: options,
      loop: loop, disk: pool, fileSystem: disk, log: log, clock: { [self] in now }, isManual: true)
  }

  /// Lets time pass and does what has become due, until nothing is.
  func pass(_ milliseconds: Int64, _ queue: TelemetryQueue) async {
    wait(milliseconds)
    for _ in 0..<100 {
      guard let due = await queue.nextDue, due <= now else { return }
      await queue.timerFired()
      await queue.settle()
    }
  }

  /// Suspends until a call is stalled; the loop goes on.
  func waitForStall() async {
    await BlockingPool(name: "waiter", threads: 1).run { [disk] in disk.waitForStall() }
  }

  /// Everything that waits, acknowledged batch by batch.
  func drain(_ queue: TelemetryQueue, records: Int = 100, bytes: Int = 1 << 20) async -> [QueueRecord] {
    var all: [QueueRecord] = []
    while let batch = await queue.nextBatch(maxRecords: records, maxBytes: bytes) {
      all += batch.records
      await queue.acknowledge(through: batch.lastSequence)
    }
    return all
  }

  /// Everything that waits, up to 100,000 records, without acknowledging.
  func peek(_ queue: TelemetryQueue) async -> [String] {
    await queue.nextBatch(maxRecords: 100_000, maxBytes: 1 << 30)?.records.map(\.text) ?? []
  }
}

extension TelemetryQueue {
  /// Suspends until no upkeep runs.
  func settle() async {
    while upkeepSince != nil {
      await withCheckedContinuation { upkeepWaiters.append($0) }
    }
  }

  /// Appends one record with this payload.
  func append(_ text: String, at timestamp: Int64 = 1_700_000_000_000) {
    append([PendingRecord(timestamp: timestamp, boottime: 42, payload: Array(text.utf8))])
  }

  /// Appends `a1`, `a2`, … one by one.
  func append(_ prefix: String, _ numbers: ClosedRange<Int>) {
    for number in numbers { append("\(prefix)\(number)") }
  }
}

extension QueueRecord {
  var text: String { String(decoding: payload, as: UTF8.self) }
}

/// Runs `body` on a loop of its own, on this thread.
func onLoop(_ body: @escaping @Sendable (EventLoop) async throws -> Void) throws {
  let loop = try EventLoop()
  try loop.run { try await body(loop) }
}

/// What was logged.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  func count(of words: String) -> Int { all.filter { $0.contains(words) }.count }
}

private struct LineHandler: LogHandler {
  let lines: LogLines
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.debug
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  init(lines: LogLines) { self.lines = lines }
  // As the daemon's handler: older compilers get a swift-log without `LogEvent`.
  #if compiler(>=6.2)
    func log(event: LogEvent) { lines.add("\(event.level): \(event.message)") }
  #else
    func log(
      level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
      function: String, line: UInt
    ) { lines.add("\(level): \(message)") }
  #endif
}

/// SplitMix64: the same run for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

/// `a1`, `a2`, …
func texts(_ prefix: String, _ numbers: ClosedRange<Int>) -> [String] { numbers.map { "\(prefix)\($0)" } }
