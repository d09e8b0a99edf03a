internal import EventLoop
internal import Glibc
internal import Logging

/// One device's durable queue. What stands where, and what is recovered how: `docs/queue.md`.
///
/// Records go at once into the hot log in tmpfs, which a killed process leaves behind; only what the server has not
/// taken after `persistAfter` goes to the card, synced. The reader gets them in order: card, hot log, memory. It is an
/// actor on the loop; `append` and `acknowledge` are synchronous there and do not wait for the card.
///
/// Nothing here throws: while a file cannot be written the queue is *degraded*, says so, holds what it can in bounded
/// memory and tries again every 10 s.
public actor TelemetryQueue {
  /// The most bytes of a record's payload, 1 MiB.
  public static let maximumPayload = RecordFormat.maximumPayload
  /// Milliseconds until something that failed is tried again.
  static let retryInterval: Int64 = 10_000
  /// Milliseconds after which a persist that is still running is told of.
  static let slowPersist: Int64 = 5_000
  /// Bytes of encoding buffer that are kept between appends.
  static let bufferKept = 256 * 1024

  public nonisolated let device: String
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  nonisolated let loop: EventLoop
  nonisolated let disk: BlockingPool
  var options: QueueOptions
  let log: Logger
  let clock: @Sendable () -> Int64
  var persistAfter: Int64
  /// Milliseconds the timer may be late, so that it fires with the loop's other wake-ups; it is armed so much earlier.
  var accuracy: Int64
  let card: CardLog
  let parked: ParkedFile
  let quarantine: Quarantine

  var hot: HotLog
  var ring: MemoryRing
  var cardSummary: CardSummary
  /// The next record's.
  var nextSequence: UInt64
  /// What the server has, or was dropped, through here.
  var acknowledged: UInt64
  /// On the card and synced through here.
  var persisted: UInt64
  var newestTimestamp: Int64
  /// See `Cursor.base`.
  var cursorBase: UInt64
  var marks: AppendMarks

  var isHotRecovered: Bool
  var isCardRecovered: Bool
  /// What keeps records from the hot log, or the card; `nil` while all is well.
  var hotFailure: SystemError?
  var cardFailure: SystemError?
  /// Milliseconds on `clock`; `nil` when it is not due at all.
  var hotRetryAt: Int64?
  var cardRetryAt: Int64?
  var cursorDueAt: Int64?
  /// Set while the card may hold more than a `max_size` that has become smaller.
  var trimDueAt: Int64?
  /// When the upkeep that is running began.
  var upkeepSince: Int64?
  /// When a batch that could not be read is worth another try.
  var readRetryAt: Int64?
  var isSlowPersistTold = false
  var upkeepWaiters: [CheckedContinuation<Void, Never>] = []
  var timer: TimerSource?
  var armedFor: Int64?
  var isClosed = false
  /// Timers are the test's to fire.
  let isManual: Bool

  var buffer: [UInt8] = []
  var counters = QueueStatus()
  var cardOldest: (sequence: UInt64, timestamp: Int64)?
  var dropGate = LogGate()
  var damageGate = LogGate()
  var readGate = LogGate()

  /// Called on the loop after each append that brought records, and when a batch may be had again after a failure.
  public var onAppend: (@Sendable () -> Void)?

  public func setOnAppend(_ handler: (@Sendable () -> Void)?) { onAppend = handler }

  init(_ parts: Parts, _ findings: Findings) {
    device = parts.device
    loop = parts.loop
    disk = parts.disk
    options = parts.options
    log = parts.log
    clock = parts.clock
    isManual = parts.isManual
    persistAfter = parts.options.persistAfter.wholeMilliseconds
    accuracy = Self.accuracy(persistAfter)
    card = parts.card
    parked = parts.parked
    quarantine = parts.quarantine
    hot = findings.hot
    ring = MemoryRing(limit: parts.options.memory)
    cardSummary = findings.cardSummary
    nextSequence = findings.nextSequence
    acknowledged = findings.acknowledged
    persisted = findings.persisted
    newestTimestamp = findings.newestTimestamp
    cursorBase = findings.cursorBase
    marks = AppendMarks(persistAfter: persistAfter)
    isHotRecovered = findings.hotFailure == nil
    isCardRecovered = findings.cardFailure == nil
    hotFailure = findings.hotFailure
    cardFailure = findings.cardFailure
  }

  // MARK: In

  /// Appends records in order, with one write(2) to the hot log; never fails and never waits for the card.
  ///
  /// While the hot log does not take them they wait in memory. A payload beyond `maximumPayload` is dropped and counted.
  public func append(_ records: [PendingRecord]) {
    guard !records.isEmpty else { return }
    guard !isClosed else { return countDropped(UInt64(records.count), why: "the queue is closed") }
    buffer.removeAll(keepingCapacity: buffer.capacity <= Self.bufferKept)
    let first = nextSequence
    for record in records {
      guard record.payload.count <= Self.maximumPayload else {
        countDropped(1, why: "a payload of \(record.payload.count) bytes is beyond 1 MiB")
        continue
      }
      RecordFormat.append(
        timestamp: record.timestamp, boottime: record.boottime, payload: record.payload, sequence: nextSequence,
        bootID: .current, to: &buffer)
      nextSequence += 1
      newestTimestamp = max(newestTimestamp, record.timestamp)
    }
    guard nextSequence > first else { return }
    counters.appendedRecords += nextSequence - first
    store(buffer, first: first, last: nextSequence - 1)
    let now = clock()
    marks.appended(first, at: now)
    // What an append makes due comes no sooner than this.
    if armedFor.map({ $0 > now + persistAfter - accuracy }) ?? true { schedule() }
    onAppend?()
  }

  /// Puts encoded records into the hot log, or into memory behind those that wait there already.
  func store(_ records: [UInt8], first: UInt64, last: UInt64) {
    if hotFailure == nil {
      do {
        try hot.append(records, first: first, last: last, released: released, mayReuse: upkeepSince == nil)
        if hot.bytes > HotLog.limit { dropOldestHot() }
        return
      } catch {
        hotFailed(error)
      }
    }
    let dropped = ring.append(MemoryRing.Chunk(bytes: records, first: first, last: last), acknowledged: released)
    countDropped(dropped, why: "memory holds \(options.memory) bytes and no file takes them")
  }

  /// What need not be kept in the hot log.
  var released: UInt64 { max(acknowledged, persisted) }

  private func dropOldestHot() {
    let dropped = hot.dropFirst(released: released)
    countDropped(dropped, why: "the card has not taken them and the hot log holds \(HotLog.limit) bytes")
  }

  // MARK: Out

  /// The oldest records that are not acknowledged, in order; the same ones again until they are.
  ///
  /// - Parameters:
  ///   - maxRecords: At least 1.
  ///   - maxBytes: Of payload; a single record may exceed it.
  /// - Returns: `nil` when none waits, or none can be read now (`onAppend` is called when it is worth another try).
  public func nextBatch(maxRecords: Int, maxBytes: Int) async -> QueueBatch? {
    var batch = BatchBuilder(
      after: acknowledged, limit: BatchLimit(records: max(1, maxRecords), bytes: max(1, maxBytes)))
    while !batch.isFull {
      guard batch.after < hot.floor, cardSummary.newest > batch.after, isCardRecovered else {
        readLive(into: &batch)
        break
      }
      let (unfinished, limit, card) = (batch, hot.floor, card)
      let reading = await disk.run { card.read(unfinished, through: limit) }
      let before = batch.after
      batch = reading.batch
      cardSummary = reading.summary
      report(reading.damages)
      if let first = batch.records.first { cardOldest = (first.sequence, first.timestamp) }
      batch.drop(through: acknowledged)
      if let error = reading.error {
        readFailed(error)
        break
      }
      if batch.after == before { break }
    }
    guard !batch.records.isEmpty else { return nil }
    return QueueBatch(records: batch.records, payloadBytes: batch.payloadBytes)
  }

  /// Goes on with the hot log, then memory.
  private func readLive(into batch: inout BatchBuilder) {
    var damages = DamageList()
    do {
      try hot.read(into: &batch, &damages)
      if !batch.isFull, hot.newest <= batch.after { ring.read(into: &batch) }
    } catch {
      readFailed(error)
    }
    report(damages)
  }

  /// Takes note that the server has every record up to `sequence`.
  ///
  /// The hot cursor is written at once; the card's, when the card has records at all, within `persistAfter`.
  public func acknowledge(through sequence: UInt64) {
    let sequence = min(sequence, nextSequence - 1)
    guard sequence > acknowledged else { return }
    acknowledged = sequence
    storeHotCursor()
    hot.release(through: upkeepSince == nil ? released : 0)
    ring.remove(through: acknowledged)
    if needsCardCursor, cursorDueAt == nil {
      cursorDueAt = clock() + persistAfter
      schedule()
    }
  }

  var cursor: Cursor {
    Cursor(
      acknowledged: acknowledged, base: cursorBase, persisted: persisted, newestTimestamp: newestTimestamp)
  }

  /// Whether records on the card were acknowledged that its cursor does not cover.
  var needsCardCursor: Bool {
    guard let first = cardSummary.segments.first else { return false }
    return acknowledged >= first.first && acknowledged > cardSummary.cursor.acknowledged
  }

  func storeHotCursor() {
    guard isHotRecovered else { return }
    do { try hot.store(cursor) } catch { hotFailed(error) }
  }

  /// Sets a record aside that the server will never take: `parked/<device>.jsonl` gets it with the server's words.
  /// The caller acknowledges it then.
  ///
  /// - Returns: Whether it is in the file; when not, it is logged, and gone with the acknowledgement.
  @discardableResult
  public func park(_ record: QueueRecord, reason: String) async -> Bool {
    counters.parkedRecords += 1
    let parked = parked
    let result: Result<Void, SystemError> = await disk.run {
      Result { () throws(SystemError) in try parked.append(record, reason: reason) }
    }
    guard case .failure(let error) = result else { return true }
    log.warning(
      "\(device): cannot write \(parked.path) (\(error)); record \(record.sequence) is lost: \(reason)",
      metadata: ["device": "\(device)"])
    return false
  }
}
