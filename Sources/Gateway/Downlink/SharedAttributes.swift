internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Keeps the shared attributes as the server has them, and tells of each change once.
///
/// With `on` overlapping polls tell of changes, and all are read at the start, after each error or gap and every 15
/// minutes, since no poll tells of what happened while none was open. With an interval they are only read.
actor SharedAttributes {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  struct Status: Sendable {
    var polls: PollStatus
    var keys: Int
    /// When all were read last.
    var lastReading: CaptureTime?
    /// Values that were not kept for want of room.
    var refused: UInt64
  }

  typealias OnChange = @Sendable ([SharedAttributeChange]) -> Void

  private let loop: EventLoop
  private let api: any DeviceAPI
  private var mode: DownlinkOptions.Mode
  private let timing: PollTiming
  private let log: Logger
  private let outages: OutageBoard
  private let onChange: OnChange
  private var polls: OverlappingPolls<AttributeUpdate>?
  private var table = SharedAttributeTable()
  private var rereads: RereadSchedule
  private var journal: PollJournal
  private var limiter = LogLimiter<String>()
  private var generator = SystemRandomNumberGenerator()
  private var timer: TimerSource?
  private var reading: Task<Void, Never>?
  private var lastReading: CaptureTime?
  private var refusedTold = false
  private var isRunning = false

  /// - Parameter onChange: Called on the loop with what changed: at the start with everything there is.
  init(
    on loop: EventLoop, api: any DeviceAPI, mode: DownlinkOptions.Mode, timing: PollTiming = .standard, log: Logger,
    outages: OutageBoard = OutageBoard(), onChange: @escaping OnChange
  ) {
    self.outages = outages
    self.loop = loop
    self.api = api
    self.mode = mode
    self.timing = timing
    self.log = log
    self.onChange = onChange
    journal = PollJournal(.readings, log: log, outages: outages)
    rereads = Self.rereads(mode, timing)
  }

  private static func rereads(_ mode: DownlinkOptions.Mode, _ timing: PollTiming) -> RereadSchedule {
    let interval = if case .every(let interval) = mode { interval } else { timing.rereading }
    return RereadSchedule(timing: timing, every: interval)
  }

  /// Whether all were read once: before, what is known is a part.
  var isRead: Bool { lastReading != nil }

  /// What is known, sorted by key.
  var values: [(String, JSON)] { table.values }

  // MARK: Life

  /// - Parameter delay: Before the first poll or reading, `Spread`.
  /// - Throws: `SystemError` without a timer to be had.
  func start(after delay: Duration = .zero) async throws(SystemError) {
    isRunning = true
    try await begin(after: delay)
  }

  /// Asks in another way from now on; what is open is given up where the way differs. What is known stays, so that
  /// only what has changed meanwhile is told.
  ///
  /// - Throws: `SystemError` without a timer to be had: nothing is read then.
  func use(_ mode: DownlinkOptions.Mode) async throws(SystemError) {
    guard mode != self.mode else { return }
    self.mode = mode
    guard isRunning else { return }
    await end()
    try await begin()
  }

  private func begin(after delay: Duration = .zero) async throws(SystemError) {
    guard isRunning, timer == nil, polls == nil else { return }
    rereads = Self.rereads(mode, timing)
    guard api.hasDownlink else {
      journal.status.state = mode == .off ? .off : .unsupported
      return
    }
    switch mode {
    case .off: journal.status.state = .off
    case .every:
      timer = try makeTimer()
      journal.status.state = .polling
      rereads.start(at: Uptime.monotonic, first: Uptime.monotonic + delay)
      rearm()
    case .on:
      timer = try makeTimer()
      journal.status.state = .polling
      rereads.start(at: Uptime.monotonic, first: Uptime.monotonic + timing.rereading)
      let polls = OverlappingPolls<AttributeUpdate>(
        on: loop, words: .sharedAttributes, timing: timing, log: log, outages: outages,
        poll: { [api] length async throws(DeviceAPIError) in try await api.pollAttributes(for: length) },
        notice: { [weak self] notice in self?.assumeIsolated { $0.noticed(notice) } },
        deliver: { [weak self] update, _ in await self?.apply(update) })
      self.polls = polls
      do throws(SystemError) { try await polls.start(after: delay) } catch {
        if self.polls === polls { (self.polls, timer) = (nil, nil) }
        throw error
      }
    }
  }

  /// Begins anew: the token is another one. What is known is compared with what is there then.
  func restart() async {
    guard timer != nil else { return }
    let now = Uptime.monotonic
    rereads.start(at: now, first: polls == nil ? now : now + timing.rereading)
    await polls?.restart()
    rearm()
  }

  /// Returns when nothing is told any more.
  func stop() async {
    isRunning = false
    await end()
    if journal.status.state != .off && journal.status.state != .unsupported { journal.status.state = .stopped }
  }

  /// Gives up what is open; meanwhile a `stop` may come, or another mode.
  private func end() async {
    let (polls, reading) = (polls, reading)
    timer = nil
    rereads.stop()
    reading?.cancel()
    await reading?.value
    journal.ended()
    guard let polls else { return }
    await polls.stop()
    let status = await polls.status
    guard self.polls === polls else { return }
    journal.status = status
    self.polls = nil
  }

  var status: Status {
    get async {
      var status = journal.status
      if let polls {
        status = await polls.status
        if !status.isFailing, journal.status.isFailing {
          (status.isFailing, status.lastError) = (true, journal.status.lastError)
        }
      } else if timer != nil, reading == nil, let due = rereads.due {
        status.state = status.isFailing ? .backingOff(until: due) : .waiting(until: due)
      }
      return Status(polls: status, keys: table.count, lastReading: lastReading, refused: table.refused)
    }
  }

  // MARK: What polls tell

  private func noticed(_ notice: PollNotice) {
    switch notice {
    case .opened(let time): rereads.pollOpened(at: time)
    case .gap(let newest): rereads.gapAppeared(newestOpenedAt: newest, at: Uptime.monotonic)
    }
    rearm()
  }

  private func apply(_ update: AttributeUpdate) {
    tell(table.apply(update), isFirst: false)
  }

  // MARK: Reading all

  private func makeTimer() throws(SystemError) -> TimerSource {
    let accuracy = min(.milliseconds(500), timing.settle / 2)
    return try TimerSource(loop, clock: .monotonic, accuracy: accuracy) { [weak self] in
      self?.assumeIsolated { $0.timerFired() }
    }
  }

  private func rearm() {
    if let due = rereads.due { timer?.arm(after: max(.zero, due - Uptime.monotonic)) } else { timer?.disarm() }
  }

  private func timerFired() {
    guard rereads.begin(at: Uptime.monotonic) else { return rearm() }
    table.beginReading()
    reading = Task(executorPreference: loop) { [api] in
      let result: Result<AttributeSnapshot, DeviceAPIError>
      do throws(DeviceAPIError) {
        result = .success(try await api.attributes(client: nil, shared: nil))
      } catch { result = .failure(error) }
      await self.finishedReading(result)
    }
  }

  private func finishedReading(_ result: Result<AttributeSnapshot, DeviceAPIError>) {
    reading = nil
    switch result {
    case .success(let snapshot):
      journal.answered()
      rereads.succeeded(at: Uptime.monotonic)
      let isFirst = lastReading == nil
      lastReading = .now()
      tell(table.finishReading(snapshot.shared), isFirst: isFirst)
    case .failure(let error):
      table.abandonReading()
      if error.code == .unsupported {
        rereads.stop()
        journal.status.state = .unsupported
      } else {
        let (next, inARow) = rereads.failed(error, at: Uptime.monotonic, using: &generator)
        journal.failed(error, next: next, inARow: inARow)
      }
    }
    rearm()
  }

  // MARK: What is told

  private func tell(_ changes: [SharedAttributeChange], isFirst: Bool) {
    if table.refused > 0 && !refusedTold {
      refusedTold = true
      log.warning(
        """
        the server has more shared attributes than are kept (\(SharedAttributeTable.keyLimit) keys, \
        \(SharedAttributeTable.byteLimit / 1024) KiB); the others have no effect here; delete what is not needed
        """)
    }
    // That there are none is news, too: what an earlier life knew may have been withdrawn.
    guard !changes.isEmpty || isFirst else { return }
    // Values stay out of the log: they may be secrets.
    if isFirst && !changes.isEmpty { log.info("\(changes.count) shared attributes were read") }
    for change in changes where !isFirst {
      guard let suppressed = limiter.admit(change.key) else { continue }
      let key = quoted(change.key.utf8)
      let what = change.value.map { "is now \($0.kind)" } ?? "was deleted"
      log.info("shared attribute \(key) \(what)\(LogLimiter<String>.note(suppressed))")
    }
    onChange(changes)
  }
}

extension JSON {
  /// What it is, in words.
  fileprivate var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .double: "a number"
    case .string: "text"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension PollJournal.Words {
  static let sharedAttributes = PollJournal.Words(
    meanwhile: "changes of shared attributes do not arrive", again: "changes of shared attributes arrive again")
  static let readings = PollJournal.Words(
    meanwhile: "shared attributes may be out of date", again: "shared attributes are read again")
}
