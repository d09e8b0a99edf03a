internal import Configuration
internal import EventLoop
internal import Logging
internal import ThingsBoard

/// Fetches the server's commands.
///
/// With `on` polls overlap, so that no command is lost between two. With an interval a short poll is made each time:
/// two-way commands are handed over while they live, but a one-way command sent between two looks is lost, since the
/// server counts it as given to the poll that ended before (contract.md §4, ghosts).
actor CommandPolls {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  typealias Deliver = OverlappingPolls<ServerCommand>.Deliver

  private let loop: EventLoop
  private let api: any DeviceAPI
  private var mode: DownlinkOptions.Mode
  private let timing: PollTiming
  private let log: Logger
  private let outages: OutageBoard
  private let deliver: Deliver
  private var polls: OverlappingPolls<ServerCommand>?
  private var journal: PollJournal
  private var looking: Task<Void, Never>?
  private var isRunning = false
  private var generator = SystemRandomNumberGenerator()

  /// - Parameter deliver: Given each command and when, by `Uptime.boottime`, its poll opened; one command more than once where several polls
  ///   bring it. Returns when the reply is out, or after a second: until then the server would hand over the same again.
  init(
    on loop: EventLoop, api: any DeviceAPI, mode: DownlinkOptions.Mode, timing: PollTiming = .standard, log: Logger,
    outages: OutageBoard = OutageBoard(), deliver: @escaping Deliver
  ) {
    self.outages = outages
    self.loop = loop
    self.api = api
    self.mode = mode
    self.timing = timing
    self.log = log
    self.deliver = deliver
    journal = PollJournal(.commands, log: log, outages: outages)
  }

  /// - Parameter delay: Before the first poll or look, `Spread`.
  /// - Throws: `SystemError` without a timer to be had.
  func start(after delay: Duration = .zero) async throws(SystemError) {
    isRunning = true
    try await begin(after: delay)
  }

  /// Asks in another way from now on. What is open is given up where the way differs, what came is delivered first.
  ///
  /// - Throws: `SystemError` without a timer to be had: nothing is fetched then.
  func use(_ mode: DownlinkOptions.Mode) async throws(SystemError) {
    guard mode != self.mode else { return }
    self.mode = mode
    guard isRunning else { return }
    await end()
    try await begin()
  }

  private func begin(after delay: Duration = .zero) async throws(SystemError) {
    guard isRunning, polls == nil, looking == nil else { return }
    guard api.hasDownlink else {
      journal.status.state = mode == .off ? .off : .unsupported
      return
    }
    switch mode {
    case .off: journal.status.state = .off
    case .every(let interval): look(every: interval, first: Uptime.monotonic + delay)
    case .on:
      let polls = OverlappingPolls<ServerCommand>(
        on: loop, words: .commands, timing: timing, log: log, outages: outages,
        poll: { [api] length async throws(DeviceAPIError) in try await api.pollCommand(for: length) },
        deliver: deliver)
      // Before it starts: another mode may be asked for meanwhile.
      self.polls = polls
      do throws(SystemError) { try await polls.start(after: delay) } catch {
        if self.polls === polls { self.polls = nil }
        throw error
      }
    }
  }

  /// Begins anew: the token is another one.
  func restart() async {
    await polls?.restart()
    guard case .every(let interval) = mode, let before = looking else { return }
    before.cancel()
    look(every: interval, after: before)
  }

  /// Returns when no more commands come and those that came have been delivered.
  func stop() async {
    isRunning = false
    await end()
    if journal.status.state != .off && journal.status.state != .unsupported { journal.status.state = .stopped }
  }

  /// Gives up what is open and waits for deliveries; meanwhile a `stop` may come, or another mode.
  private func end() async {
    let (polls, looking) = (polls, looking)
    looking?.cancel()
    if let polls {
      await polls.stop()
      let status = await polls.status
      if self.polls === polls {
        journal.status = status
        self.polls = nil
      }
    }
    await looking?.value
    if let looking, self.looking == looking {
      self.looking = nil
      journal.ended()
    }
  }

  /// Whether commands do not arrive at present.
  var isFailing: Bool { polls?.assumeIsolated { $0.isFailing } ?? journal.status.isFailing }

  var status: PollStatus {
    get async {
      guard let polls else { return journal.status }
      return await polls.status
    }
  }

  // MARK: Looks

  private func look(every interval: Duration, first: Duration = .zero, after before: Task<Void, Never>? = nil) {
    looking = Task(executorPreference: loop) {
      await before?.value
      if first > Uptime.monotonic, await !self.wait(until: first) { return }
      await self.runLooks(every: interval)
    }
  }

  private func runLooks(every interval: Duration) async {
    var failures = 0
    // An outage is no reason to use more data than looks do.
    var (quick, slow) = (timing.slowRetry, timing.slowRetry)
    while !Task.isCancelled {
      var next = Uptime.monotonic + interval
      do throws(DeviceAPIError) {
        try await takeCommands()
        (failures, quick, slow) = (0, timing.slowRetry, timing.slowRetry)
      } catch {
        if error.code == .unsupported {
          journal.status.state = .unsupported
          return
        }
        failures += 1
        let delay = PollTiming.delay(after: error, quick: &quick, slow: &slow, using: &generator)
        let pause = error.retryAfter == nil ? min(interval, delay) : delay
        next = Uptime.monotonic + pause
        journal.failed(error, next: pause, inARow: failures)
      }
      guard await wait(until: next) else { return }
    }
  }

  /// Polls until nothing comes any more.
  private func takeCommands() async throws(DeviceAPIError) {
    for _ in 0..<timing.mostPerLook {
      if Task.isCancelled { return }
      let openedAt = Uptime.boottime
      journal.status.state = .polling
      journal.status.open = 1
      defer { journal.status.open = 0 }
      let command = try await api.pollCommand(for: timing.look)
      journal.answered()
      guard let command else { return }
      journal.status.delivered &+= 1
      journal.status.open = 0
      journal.status.state = .delivering
      // A task of its own: a stop does not cut it off.
      await Task(executorPreference: loop) { [deliver] in await deliver(command, openedAt) }.value
    }
  }

  /// - Returns: Whether to go on.
  private func wait(until time: Duration) async -> Bool {
    if Task.isCancelled { return false }
    let pause = max(.zero, time - Uptime.monotonic)
    journal.status.state = journal.status.isFailing ? .backingOff(until: time) : .waiting(until: time)
    // A twentieth of the pause: wide enough to wake up together with others.
    let accuracy = max(.milliseconds(1), min(pause / 20, .seconds(5)))
    do {
      try await loop.sleep(for: pause, clock: .boottime, accuracy: accuracy)
      return true
    } catch is CancellationError {
      return false
    } catch {
      log.error("no timer is to be had (\(error)), so commands are not fetched any more; restart baudgated")
      return false
    }
  }
}

extension PollJournal.Words {
  static let commands = PollJournal.Words(meanwhile: "commands do not arrive", again: "commands arrive again")
}
