internal import EventLoop
internal import Hardware
internal import Logging
internal import Telemetry

/// Counts and measures: edges in, readings out, and the counts kept.
///
/// Each pulse goes into a file in memory before anything else is done with it, so that a kill costs none; the card gets
/// them now and then, on the disk's thread, so that a power cut costs no more than `persist_every`.
actor Counters {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Takes what a line has to tell, on the loop.
  typealias Sender = @Sendable (_ line: String, _ readings: [Reading], _ time: CaptureTime) -> Void

  private nonisolated let loop: EventLoop
  private let disk: BlockingPool
  private let file: CountFile
  /// `nil` where there is no memory to be had; a kill then costs as much as a power cut.
  private let hot: HotCounts?
  private let send: Sender
  private let log: Logger
  private var ledger: CountLedger
  private var meters: [String: LineMeter] = [:]
  private var timer: TimerSource?
  /// What the timer is armed for.
  private var armed: Duration?
  private var limiter = LogLimiter<String>()
  private var isHotTold = false
  private var isFailureTold = false
  private var lastWrite: [CheckedContinuation<Void, Never>] = []
  private var isClosed = false

  // MARK: Opening

  /// Reads what was counted before.
  ///
  /// - Parameters:
  ///   - hotDirectory: A directory in memory; made where it is missing.
  ///   - disk: One thread, so that writes reach the card in order.
  ///   - send: Called on the loop.
  static func open(
    on loop: EventLoop, hotDirectory: String, stateDirectory: String, disk: BlockingPool, log: Logger,
    boot: String? = nil, send: @escaping Sender
  ) async -> Counters {
    let file = CountFile(directory: stateDirectory)
    let (card, hot) = await disk.run { () -> (Result<CountFile.Content, SystemError>, Result<HotCounts, SystemError>) in
      let card = Result { () throws(SystemError) -> CountFile.Content in
        let content = try file.load()
        if content == .damaged { try file.setAside() }
        return content
      }
      let hot = Result { () throws(SystemError) in
        if let boot {
          try HotCounts(directory: hotDirectory, boot: boot)
        } else {
          try HotCounts(directory: hotDirectory)
        }
      }
      return (card, hot)
    }
    return Counters(on: loop, file, card, hot, disk: disk, log: log, send: send)
  }

  private init(
    on loop: EventLoop, _ file: CountFile, _ card: Result<CountFile.Content, SystemError>,
    _ hot: Result<HotCounts, SystemError>, disk: BlockingPool, log: Logger, send: @escaping Sender
  ) {
    self.loop = loop
    self.file = file
    self.disk = disk
    self.send = send
    self.log = log
    var image: CountImage?
    switch card {
    case .success(.found(let found)): image = found
    case .success(.missing): break
    case .success(.damaged):
      log.error(
        """
        \(file.path) is damaged and was set aside as \(file.path).damaged: counters go on from what is in memory, or \
        from 0; `initial_total` sets a total
        """)
    case .failure(let error):
      log.error("\(error): counters go on from what is in memory, or from 0; check the card")
    }
    let memory = try? hot.get()
    if case .failure(let error) = hot {
      log.warning("\(error): a kill of the daemon costs as many pulses as a power cut; check queue.hot_directory")
    }
    self.hot = memory
    ledger = CountLedger(card: image, hot: memory?.records ?? [], now: Uptime.monotonic)
    if let image, !image.isClean, memory?.isOfThisBoot != true { isPowerCut = true }
  }

  /// The last stop was none: what was counted after the last write is gone.
  private var isPowerCut = false

  // MARK: The configuration

  /// Makes these the lines that are counted and measured. One that keeps its name keeps its count.
  func use(_ lines: [GPIOLineOptions]) {
    let now = Uptime.monotonic
    let wanted = lines.compactMap { line in line.meter.map { (name: line.name, options: $0) } }
    var kept: [String: LineMeter] = [:]
    for (name, options) in wanted {
      if var meter = meters[name], meter.options.quantity == options.quantity {
        meter.use(options)
        kept[name] = meter
      } else {
        kept[name] = LineMeter(name, options, now: now)
      }
    }
    meters = kept
    let counters = wanted.filter { $0.options.quantity == .count }
    tellLoss(counters)
    let (changed, dropped) = ledger.use(
      counters.map { ($0.name, $0.options.persistEvery, $0.options.persistAfter, $0.options.initialTotal) }, now: now)
    for name in dropped {
      hot?.forget(name)
      log.notice("\(name): its count made room for another line's; the configuration has had it no more")
    }
    for record in changed { keep(record) }
    arm(all: now)
  }

  /// Told once, of the counters that were there.
  private func tellLoss(_ counters: [(name: String, options: GPIOMeter)]) {
    guard isPowerCut else { return }
    isPowerCut = false
    let cause = hot == nil ? "the daemon did not stop in order" : "the power was cut"
    for (name, options) in counters {
      guard let record = ledger[name]?.record, record.pulses > 0 else { continue }
      log.warning(
        """
        \(name): \(cause), so up to \(options.persistEvery) pulses may be missing (`persist_every`); \
        the count goes on at \(record.pulses)
        """)
    }
  }

  // MARK: Counting

  /// Takes edges, within the callback that brought them.
  func take(_ edges: GPIOEdges) {
    guard !isClosed, let quantity = meters[edges.line]?.options.quantity else { return }
    meters[edges.line]?.take(edges.edges)
    let missed = edges.edges.reduce(UInt64(0)) { $0 &+ UInt64($1.missed) }
    let now = Uptime.monotonic
    if quantity == .count {
      let pulses = UInt64(edges.edges.count) &+ missed
      if let record = ledger.add(pulses, missed: missed, to: edges.line, now: now) { keep(record) }
    }
    if missed > 0 { tell(missed, of: edges.line, isCounted: quantity == .count) }
    // This line's report alone can have come nearer, or the card's turn.
    arm([meters[edges.line]?.due(now: now), ledger.nextWrite(now: now)], now)
  }

  private func keep(_ record: CountRecord) {
    guard let hot else { return }
    do {
      try hot.write(record)
      isHotTold = false
    } catch {
      guard !isHotTold else { return }
      isHotTold = true
      log.warning("\(error): a kill of the daemon would cost pulses, until that works again")
    }
  }

  private func tell(_ missed: UInt64, of name: String, isCounted: Bool) {
    guard let suppressed = limiter.admit(name) else { return }
    let consequence = isCounted ? "they are in the count" : "the measurement goes on without them"
    log.warning(
      """
      \(name): the kernel had no room for \(missed) edges, which a gap in its numbers tells; \(consequence); \
      the signal is too fast, or the board too busy\(LogLimiter<String>.note(suppressed))
      """, metadata: ["line": "\(name)"])
  }

  // MARK: Time

  /// Looks at everything anew.
  private func arm(all now: Duration) {
    armed = nil
    timer?.disarm()
    arm(meters.values.map { $0.due(now: now) } + [ledger.nextWrite(now: now)], now)
  }

  private func arm(_ times: [Duration?], _ now: Duration) {
    guard !isClosed, let next = times.compactMap({ $0 }).min(), next < armed ?? .seconds(Int64.max) else { return }
    if timer == nil {
      do throws(SystemError) {
        timer = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.timerFired() } }
      } catch {
        // A loop without a timer to give does not run at all; this is for the log.
        return log.error("\(error): counts are not told; restart baudgated")
      }
    }
    armed = next
    timer?.arm(after: max(.zero, next - now))
  }

  private func timerFired() {
    let now = Uptime.monotonic
    report(now) { meter in meter.due(now: now).map { $0 <= now } ?? false }
    if let due = ledger.nextWrite(now: now), due <= now { startWrite() }
    arm(all: now)
  }

  private func report(_ now: Duration, where isDue: (LineMeter) -> Bool) {
    let time = CaptureTime.now()
    for (name, meter) in meters where isDue(meter) {
      let readings = meters[name]?.report(now: now, ledger[name]?.record) ?? []
      if !readings.isEmpty { send(name, readings, time) }
    }
  }

  // MARK: The card

  private func startWrite(isLast: Bool = false) {
    let write = ledger.beginWrite(isLast: isLast, now: Uptime.monotonic)
    disk.submit { [weak self, file, loop] in
      let result = Result { () throws(SystemError) in try file.store(write.image) }
      loop.execute { [weak self] in self?.assumeIsolated { $0.writeEnded(write, result) } }
    }
  }

  private func writeEnded(_ write: CountLedger.Write, _ result: Result<Void, SystemError>) {
    let now = Uptime.monotonic
    switch result {
    case .success:
      ledger.writeEnded(write, succeeded: true, now: now)
      if isFailureTold { log.notice("\(file.path) is written again") }
      isFailureTold = false
    case .failure(let error):
      ledger.writeEnded(write, succeeded: false, now: now)
      if !isFailureTold {
        log.error(
          """
          \(error): a power cut would cost all pulses since the last write, tried again every \
          \(CountLedger.retryPause.forHumans); check the card
          """)
      }
      isFailureTold = true
    }
    let waiting = lastWrite
    lastWrite = []
    for continuation in waiting { continuation.resume() }
    arm(all: now)
  }

  // MARK: Stopping

  /// Tells what has not been told yet, while there is still somebody to send it.
  func tellLast() { report(Uptime.monotonic) { $0.hasNews } }

  /// Writes the counts to the card. Nothing is counted afterwards.
  func close() async {
    guard !isClosed else { return }
    isClosed = true
    timer = nil
    if ledger.isWriting { await withCheckedContinuation { lastWrite.append($0) } }
    guard ledger.needsLastWrite else { return }
    startWrite(isLast: true)
    await withCheckedContinuation { lastWrite.append($0) }
  }

  // MARK: Status

  /// What `baudgate status` shows of a line beside what every line has; empty for one that is neither counted nor
  /// measured.
  func status(of name: String) -> [JSON.Member] {
    guard let meter = meters[name] else { return [] }
    var members: [JSON.Member] = []
    if let entry = ledger[name], meter.options.quantity == .count {
      members = [
        .init("total", JSON(meter.total(entry.record))),
        .init("pulses", .integer(Int64(clamping: entry.record.pulses))),
        .init("missed", .integer(Int64(clamping: entry.record.missed))),
        .init("unsaved", .integer(Int64(clamping: entry.unsaved))),
      ]
      if let rate = meter.currentRate(now: Uptime.monotonic) {
        members.append(.init("rate", .double(rate)))
        members.append(.init("rate_per", .string(meter.options.rate.rawValue)))
      }
    } else if let latest = meter.latest {
      members.append(.init("measured", .double(latest)))
    }
    if let units = meter.options.units { members.append(.init("units", .string(units))) }
    return members
  }

  /// The newest values, as `readNow` answers them; `nil` for a line that is neither counted nor measured.
  func latest(of name: String) -> [Reading]? {
    guard var meter = meters[name] else { return nil }
    // A copy: asking ends no interval.
    return meter.report(now: Uptime.monotonic, ledger[name]?.record)
  }
}
