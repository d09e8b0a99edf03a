internal import EventLoop
internal import Logging
internal import Queue
internal import Telemetry
internal import ThingsBoard

/// Carries one device's queue to the server: oldest first, in order, one request at a time.
///
/// The first sample after a quiet time leaves at once; those that follow wait until the upload interval has passed or
/// a full batch is there, so an idle gateway has no timer and a busy one no small requests.
actor Uplink {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// How the way to the server is.
  enum State: Sendable, Equatable {
    case idle
    case sending
    case backingOff(until: Duration)
    case stopped
  }

  struct Status: Sendable {
    var state = State.idle
    var delivered: UInt64 = 0
    var requests: UInt64 = 0
    var parked: UInt64 = 0
    /// The last failure, and whether anything has been delivered since.
    var lastError: (message: String, code: DeviceAPIError.Code, at: CaptureTime)?
    var isFailing = false
    var lastDelivery: CaptureTime?
  }

  struct Options: Sendable, Equatable {
    var interval: Duration
    var maxBatch: Int
    var maxBytes: Int
    /// Who is named in log lines: the server's URL, which holds no secret.
    var server: String
  }

  /// Before a queue that could not be read is asked again. It gives a damaged segment up after a few attempts, so they
  /// must not come in a row.
  static let unreadableRetry = Duration.seconds(10)

  private let loop: EventLoop
  private let queue: TelemetryQueue
  private let api: any DeviceAPI
  private var options: Options
  private let log: Logger
  private var machine: UplinkStateMachine
  private var generator = SystemRandomNumberGenerator()
  private var outages: OutageLog

  private var waiter: CheckedContinuation<Void, Never>?
  private var timer: TimerSource?
  private var isIdle = false
  /// The end of a pause, while there is one.
  private var pausedUntil: Duration?
  private var lastStart: Duration?
  private var isStopping = false
  private var task: Task<Void, Never>?

  private(set) var status = Status()

  init(
    on loop: EventLoop, queue: TelemetryQueue, api: any DeviceAPI, options: Options, log: Logger,
    outages: OutageBoard = OutageBoard()
  ) {
    self.outages = OutageLog(outages)
    self.loop = loop
    self.queue = queue
    self.api = api
    self.options = options
    self.log = log
    machine = UplinkStateMachine(maxRecords: options.maxBatch, maxBytes: options.maxBytes)
  }

  // MARK: Life

  /// A tenth of the interval: wide enough to share wake-ups.
  private var leeway: Duration { max(.milliseconds(1), min(options.interval / 10, .milliseconds(100))) }

  /// Begins to deliver.
  ///
  /// - Parameter delay: Before the first request, `Spread`.
  func start(after delay: Duration = .zero) throws(SystemError) {
    timer = try makeTimer()
    task = Task(executorPreference: loop) {
      if delay > .zero { await self.pause(for: delay) }
      await self.run()
    }
  }

  private func makeTimer() throws(SystemError) -> TimerSource {
    try TimerSource(loop, accuracy: leeway) { [weak self] in self?.assumeIsolated { $0.wake() } }
  }

  /// Takes other options, from the next request on. One under way goes on, and so does a pause after a failure.
  func use(_ options: Options) {
    guard options != self.options else { return }
    let before = leeway
    self.options = options
    machine.use(maxRecords: options.maxBatch, maxBytes: options.maxBytes)
    // Without a timer to be had the one there is does, with its own leeway.
    if timer != nil, leeway != before, let other = try? makeTimer() {
      timer = other
      if let pausedUntil { other.arm(after: max(.zero, pausedUntil - Uptime.monotonic)) }
    }
    guard isIdle, queueDepth > 0 else { return }
    timer?.disarm()
    scheduleNextRequest()
  }

  /// Delivers what is still waiting, but no longer than `limit`, and ends. A failure ends it as well.
  func stop(within limit: Duration) async {
    isStopping = true
    wake()
    guard let task else { return }
    let deadline = Task(executorPreference: loop) { [loop] in
      try await loop.sleep(for: limit)
      task.cancel()
    }
    await task.value
    deadline.cancel()
    status.state = .stopped
  }

  /// Ends a pause after a failure: something has changed that it waited for.
  func tryNow() {
    if case .backingOff = status.state { wake() }
  }

  /// The queue has taken records; called on the loop for every append.
  nonisolated func recordsArrived() {
    assumeIsolated { uplink in
      guard uplink.isIdle else { return }
      uplink.scheduleNextRequest()
    }
  }

  // MARK: The way up

  private func run() async {
    while !Task.isCancelled {
      let request = machine.nextRequest()
      let waiting = queueDepth
      guard
        let batch = await queue.nextBatch(maxRecords: request.isProbe ? 2 : request.records, maxBytes: request.bytes)
      else {
        if isStopping { return }
        // Some waited before and still do: they cannot be read, and asking at once would spin.
        if waiting > 0 && queueDepth > 0 { await pause(for: Self.unreadableRetry) } else { await waitForRecords() }
        continue
      }
      let action = await send(batch, request)
      guard await carryOut(action, batch) else { return }
    }
  }

  /// - Returns: Whether to go on.
  private func carryOut(_ action: UplinkStateMachine.Action, _ batch: QueueBatch) async -> Bool {
    switch action {
    case .acknowledge:
      guard let last = batch.records.last else { return true }
      await queue.acknowledge(through: last.sequence)
      if !isStopping && queueDepth < options.maxBatch { await waitForRecords() }
      return true
    case .park(let words):
      guard let record = batch.records.first else { return true }
      await park(record, words)
      return await carryOut(machine.parked(using: &generator), batch)
    case .again: return true
    case .wait(let delay):
      if isStopping { return false }
      status.state = .backingOff(until: Uptime.monotonic + delay)
      await pause(for: delay)
      return true
    }
  }

  private func send(_ batch: QueueBatch, _ request: UplinkStateMachine.Request) async -> UplinkStateMachine.Action {
    let records = request.isProbe ? Array(batch.records.dropFirst()) : batch.records
    guard !records.isEmpty else { return machine.probeHadNothingToSend(using: &generator) }
    status.state = .sending
    status.requests &+= 1
    lastStart = Uptime.monotonic
    let elements = records.map { TelemetryBatch.Element(timestamp: $0.timestamp, values: $0.payload) }
    do throws(DeviceAPIError) {
      try await api.postTelemetry(TelemetryBatch(elements))
      let action = machine.succeeded(request, records: records.count)
      delivered(action == .acknowledge ? records.count : 0)
      return action
    } catch {
      let bytes = elements.reduce(0) { $0 + $1.values.count }
      let action = machine.failed(
        error, request, records: records.count, bytes: bytes, using: &generator)
      failed(error, action, records: records.count)
      return action
    }
  }

  private func park(_ record: QueueRecord, _ words: String) async {
    status.parked &+= 1
    log.error(
      """
      \(options.server) will never take the record of \(record.timestamp) ms (\(record.payload.count) bytes): \(words); \
      set aside in the state directory's parked/, going on with the next
      """, metadata: ["record": "\(record.sequence)"])
    await queue.park(record, reason: words)
    await queue.acknowledge(through: record.sequence)
  }

  private var queueDepth: Int { queue.assumeIsolated { $0.depth } }

  // MARK: Waiting

  private func waitForRecords() async {
    status.state = .idle
    isIdle = true
    if queueDepth > 0 { scheduleNextRequest() }
    if isIdle { await suspend() }
    isIdle = false
    timer?.disarm()
  }

  /// Wakes now or when the interval has passed.
  private func scheduleNextRequest() {
    let due = lastStart.map { $0 + options.interval } ?? .zero
    let now = Uptime.monotonic
    // What arrives within the timer's window leaves with this wake-up instead of one of its own.
    if now + leeway >= due || queueDepth >= options.maxBatch { return wake() }
    if timer?.isArmed == false { timer?.arm(after: due - now) }
  }

  private func pause(for delay: Duration) async {
    pausedUntil = Uptime.monotonic + delay
    timer?.arm(after: delay)
    await suspend()
    pausedUntil = nil
    timer?.disarm()
  }

  private func suspend() async {
    if isStopping { return }
    await withCheckedContinuation { waiter = $0 }
  }

  private func wake() {
    isIdle = false
    let continuation = waiter
    waiter = nil
    continuation?.resume()
  }

  // MARK: What is told

  private func delivered(_ records: Int) {
    status.delivered &+= UInt64(records)
    guard records > 0 else { return }
    status.lastDelivery = .now()
    status.isFailing = false
    guard let outage = outages.recovered() else { return }
    log.notice(
      """
      \(options.server) takes readings again after \(outage.forHumans); \
      \(max(0, queueDepth - records)) records wait
      """)
  }

  private func failed(_ error: DeviceAPIError, _ action: UplinkStateMachine.Action, records: Int) {
    guard error.code != .cancelled else { return }
    status.lastError = (error.message, error.code, .now())
    if case .park = action { return }
    let isOutage = error.code != .poison && error.code != .tooLarge
    if isOutage { status.isFailing = true }
    let level: Logger.Level = error.code.needsPerson ? .error : error.code == .tooLarge ? .notice : .warning
    guard let suppressed = outages.failed("\(error.code)", isOutage: isOutage) else { return }
    let next =
      switch action {
      case .wait(let delay): "all readings are kept, next try in \(delay.forHumans)"
      case .again: "trying again with less than \(records) records"
      case .acknowledge, .park: "going on"
      }
    log.log(
      level: level, "\(options.server) \(error.message); \(next)\(LogLimiter<String>.note(suppressed))",
      metadata: error.status.map { ["status": "\($0)"] })
  }
}

extension DeviceAPIError.Code {
  /// Whether it lasts until somebody changes something.
  var needsPerson: Bool {
    switch self {
    case .unauthorized, .deviceDeleted, .notFound, .redirected, .notThingsBoard, .certificate, .unsupported: true
    case .poison, .tooLarge, .serverError, .unavailable, .unreachable, .noAnswer, .cancelled: false
    }
  }
}
