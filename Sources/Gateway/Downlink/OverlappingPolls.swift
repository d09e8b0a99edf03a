internal import EventLoop
internal import Logging
internal import ThingsBoard

/// What the owner of polls is told besides answers.
enum PollNotice: Sendable, Equatable {
  /// A poll was sent at this time of `Uptime.monotonic`.
  case opened(at: Duration)
  /// Something may have happened that no poll will tell. The newest poll opened at this time, if it still is open.
  case gap(newestOpenedAt: Duration?)
}

/// Long polls that overlap, carried out as `PollSchedule` decides.
actor OverlappingPolls<Answer: Sendable> {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  typealias Poll = @Sendable (Duration) async throws(DeviceAPIError) -> Answer?
  typealias Deliver = @Sendable (Answer, _ openedAt: Duration) async -> Void

  private let loop: EventLoop
  private let timing: PollTiming
  private let log: Logger
  private let poll: Poll
  private let deliver: Deliver
  private let notice: @Sendable (PollNotice) -> Void
  private var schedule: PollSchedule
  private var journal: PollJournal
  private var generator = SystemRandomNumberGenerator()
  private var timer: TimerSource?
  private var requests: [PollID: Task<Void, Never>] = [:]
  private var deliveries: [PollID: Task<Void, Never>] = [:]
  private var isRunning = false

  /// - Parameters:
  ///   - words: What an outage means, for the log.
  ///   - poll: One long poll; `nil` is its end without an answer.
  ///   - notice: Called on the loop.
  ///   - deliver: Given each answer with the time of `Uptime.boottime` its poll opened at, twice where two open polls
  ///     brought the same. Never cancelled. The next poll opens when it returns.
  init(
    on loop: EventLoop, words: PollJournal.Words, timing: PollTiming = .standard, log: Logger,
    outages: OutageBoard = OutageBoard(), poll: @escaping Poll,
    notice: @escaping @Sendable (PollNotice) -> Void = { _ in }, deliver: @escaping Deliver
  ) {
    self.loop = loop
    self.timing = timing
    self.log = log
    self.poll = poll
    self.notice = notice
    self.deliver = deliver
    schedule = PollSchedule(timing: timing)
    journal = PollJournal(words, log: log, outages: outages)
  }

  // MARK: Life

  /// Opens the first poll.
  ///
  /// - Parameter delay: Before it, `Spread`.
  /// - Throws: `SystemError` without a timer to be had.
  func start(after delay: Duration = .zero) throws(SystemError) {
    guard !isRunning else { return }
    // A quarter of the lead at most is spent on waking up together with others.
    let accuracy = min(TimerSource.ordinaryAccuracy, timing.lead / 4)
    timer = try TimerSource(loop, accuracy: accuracy) { [weak self] in self?.assumeIsolated { $0.timerFired() } }
    isRunning = true
    perform(schedule.start(at: Uptime.monotonic, after: delay))
  }

  /// Gives up what is open and begins anew: the token is another one.
  func restart() {
    guard isRunning else { return }
    perform(schedule.stop())
    perform(schedule.start(at: Uptime.monotonic))
  }

  /// Gives up what is open. Returns when all that came has been delivered; nothing comes afterwards.
  func stop() async {
    isRunning = false
    timer = nil
    perform(schedule.stop())
    while let task = requests.values.first ?? deliveries.values.first { await task.value }
    if journal.status.state != .unsupported { journal.status.state = .stopped }
    journal.ended()
  }

  var isFailing: Bool { journal.status.isFailing }

  var status: PollStatus {
    var status = journal.status
    status.open = schedule.polls.count
    guard isRunning else { return status }
    if let due = schedule.due, schedule.isFailing, schedule.polls.isEmpty {
      status.state = .backingOff(until: due)
    } else if let due = schedule.due, schedule.polls.isEmpty {
      status.state = .waiting(until: due)
    } else {
      status.state = schedule.polls.isEmpty ? .delivering : .polling
    }
    return status
  }

  // MARK: Steps

  private func timerFired() { perform(schedule.timer(at: Uptime.monotonic)) }

  private func perform(_ actions: [PollSchedule.Action], after error: DeviceAPIError? = nil) {
    for action in actions {
      switch action {
      case .open(let id, let length): open(id, for: length)
      case .abandon(let id): requests[id]?.cancel()
      case .gap: notice(.gap(newestOpenedAt: schedule.newestOpenedAt))
      case .failing(let next, let inARow):
        if let error { journal.failed(error, next: next, inARow: inARow) }
      case .report(.learned(let length)):
        log.info(
          """
          something on the way to the server ends long polls early; they wait \(length.forHumans) at most from now on, \
          longer ones are tried again in \(timing.relearning.forHumans)
          """)
      case .report(.forgotten): log.info("long polls are no longer ended early")
      case .end:
        isRunning = false
        timer = nil
        journal.status.state = .unsupported
      }
    }
    if let due = schedule.due { timer?.arm(after: due - Uptime.monotonic) } else { timer?.disarm() }
  }

  private func open(_ id: PollID, for length: Duration) {
    let (openedAt, stamp) = (Uptime.monotonic, Uptime.boottime)
    requests[id] = Task(executorPreference: loop) { [poll] in
      let result: Result<Answer?, DeviceAPIError>
      do throws(DeviceAPIError) { result = .success(try await poll(length)) } catch { result = .failure(error) }
      await self.finished(id, result, openedAt: stamp)
    }
    notice(.opened(at: openedAt))
  }

  private func finished(_ id: PollID, _ result: Result<Answer?, DeviceAPIError>, openedAt: Duration) {
    requests[id] = nil
    let now = Uptime.monotonic
    switch result {
    case .success(let answer?):
      journal.answered()
      journal.status.delivered &+= 1
      perform(schedule.answered(id, at: now))
      // Of a poll that was given up, too: the server will not hand it over again. A task of its own, since that of a
      // poll is cancelled.
      deliveries[id] = Task(executorPreference: loop) { [deliver] in
        await deliver(answer, openedAt)
        await self.delivered(id)
      }
    case .success(nil):
      journal.answered()
      perform(schedule.ended(id, at: now))
    case .failure(let error):
      let actions = schedule.failed(id, error, at: now, using: &generator)
      let isNewest = actions.contains { if case .failing = $0 { true } else { false } }
      if !isNewest && !actions.isEmpty { journal.failed(error, next: nil, inARow: 1) }
      perform(actions, after: error)
    }
  }

  private func delivered(_ id: PollID) {
    deliveries[id] = nil
    perform(schedule.delivered(id, at: Uptime.monotonic))
  }
}
