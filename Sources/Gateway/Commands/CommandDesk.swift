internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Takes the server's commands, has each carried out at most once, and answers until the server has the answer.
///
/// A command takes: its start to the disk (where its effect lasts), the command itself, its result to the disk, the
/// reply. What is known of it is `CommandMemory`'s; the desk does what that decides.
actor CommandDesk {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// How long `received` waits for a reply to be out: a poll opened sooner would only bring the same command again.
  static let deliveryPatience = Duration.seconds(1)
  /// Commands that run at once; beyond, the answer is `busy`.
  static let runningLimit = 16
  /// Answers to commands there is no room to remember, on their way at once; beyond, the server asks again.
  static let refusalLimit = 16
  /// How long a reply is posted for, at most.
  static let replyPatience = Duration.seconds(600)
  static let replyBackoff = Backoff(first: .milliseconds(500), most: .seconds(30))
  /// What a server's Retry-After may ask for at most.
  static let retryAfterLimit = Duration.seconds(60)
  /// How long after the commands themselves their replies may take at a stop.
  static let lastReplies = Duration.seconds(1)
  /// How late old commands may be forgotten.
  private static let upkeepAccuracy = Duration.seconds(30)
  /// How often a file that cannot be written is tried again.
  static let mendInterval = Duration.seconds(60)

  /// Since the start.
  struct Status: Sendable, Equatable {
    /// Carried out without an error.
    var executed: UInt64 = 0
    /// Answered with an error by the command itself.
    var failed: UInt64 = 0
    /// Brought again: by an overlapping poll, or because the server had no reply yet.
    var duplicates: UInt64 = 0
    /// Not carried out, for want of room or of a disk.
    var refused: UInt64 = 0
    /// Now: running, or with a reply the server has not confirmed.
    var pending = 0
    /// Why commands with lasting effect are refused, while they are.
    var problem: String?
  }

  private let loop: EventLoop
  private let api: any DeviceAPI
  private var router: CommandRouter
  private let ledger: CommandLedger
  private let log: Logger

  private var memory = CommandMemory()
  private var counters = Status()
  private var running = 0
  private var refusals = 0
  private var isStopping = false
  /// Whether no command begins any more.
  private var isClosed = false
  private var tasks: [CommandKey: Task<Void, Never>] = [:]
  /// The commands themselves, apart from their replies: a stop ends them first.
  private var executions: [CommandKey: Task<Result<JSON, CommandError>, Never>] = [:]
  private var pauses: [CommandKey: Task<Void, Never>] = [:]
  private var waiters: [CommandKey: [Waiter]] = [:]
  private var upkeep: TimerSource?
  /// Armed while the file cannot be written.
  private var mending: TimerSource?
  private let mendInterval: Duration
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: .seconds(600))
  private var failures = LogLimiter<String>()

  /// - Parameter api: Where replies go.
  init(
    on loop: EventLoop, api: any DeviceAPI, router: CommandRouter, ledger: CommandLedger, log: Logger,
    mendInterval: Duration = CommandDesk.mendInterval
  ) {
    self.mendInterval = mendInterval
    self.loop = loop
    self.api = api
    self.router = router
    self.ledger = ledger
    self.log = log
  }

  var status: Status {
    var status = counters
    status.pending = memory.pending
    return status
  }

  /// How long the disk has been at one record; `nil` while it is idle. For the watchdog.
  nonisolated var longestDiskCall: Duration? { ledger.longestCall }

  // MARK: Life

  /// Reads what an earlier life left. To be called once, before the first command.
  ///
  /// - Throws: `SystemError` without a timer to be had.
  func start() async throws(SystemError) {
    upkeep = try TimerSource(loop, clock: .boottime, accuracy: Self.upkeepAccuracy) { [weak self] in
      self?.assumeIsolated { $0.forgetOld() }
    }
    mending = try TimerSource(loop, clock: .boottime, accuracy: mendInterval / 10) { [weak self] in
      self?.assumeIsolated { $0.tryToMend() }
    }
    let recovery = await ledger.load()
    if isStopping { return }
    if let problem = recovery.problem { note(problem) }
    if let finding = recovery.finding { log.error("\(finding)") }
    memory.restore(recovery.replies, now: Uptime.boottime)
    if !memory.isEmpty {
      log.info("\(memory.pending) commands of an earlier run have a reply waiting, should the server ask again")
    }
    forgetOld()
  }

  /// Has commands carried out by another router from now on; one under way ends with that it began with.
  func use(_ router: CommandRouter) { self.router = router }

  /// Lets what runs end and replies go out, but no longer than `limit`. Polls are to be stopped before.
  ///
  /// A command that is cut off is answered with `interrupted`: now, where a second suffices for that, else in the next
  /// life. What a stalled card or a driver holds ends when that lets go; the caller bounds it.
  func stop(within limit: Duration) async {
    isStopping = true
    upkeep = nil
    mending = nil
    for pause in pauses.values { pause.cancel() }
    let ending = Array(tasks.values)
    let deadline = Task(executorPreference: loop) { [loop, weak self] in
      try await loop.sleep(for: limit)
      await self?.endExecutions()
      try await loop.sleep(for: Self.lastReplies)
      for task in ending { task.cancel() }
    }
    for task in ending { await task.value }
    deadline.cancel()
    await ledger.shutDown()
  }

  private func endExecutions() {
    isClosed = true
    for execution in executions.values { execution.cancel() }
  }

  // MARK: Deliveries

  /// A poll has brought a command.
  ///
  /// Returns when the reply is out, or after a second: the next poll may be opened then.
  ///
  /// - Parameter pollOpenedAt: When that poll was opened, `Uptime.boottime`.
  func received(_ command: ServerCommand, pollOpenedAt: Duration) async {
    guard !isStopping else { return }
    let key = CommandKey(command)
    let route = router.route(command)
    switch memory.deliver(
      key, hasLastingEffect: route.hasLastingEffect, pollOpenedAt: pollOpenedAt, now: Uptime.boottime)
    {
    case .run:
      begin(command, key, route)
    case .wait:
      counters.duplicates &+= 1
    case .hasten:
      // The server asks, so it can be reached again.
      counters.duplicates &+= 1
      pauses[key]?.cancel()
    case .answer(let reply):
      counters.duplicates &+= 1
      // Written by this daemon, and behind a checksum: it can be read.
      let json = (try? JSON(parsing: reply)) ?? CommandError.replyNotKept.json
      start(key) { await $0.post(json, key, command.method, hasLastingEffect: true) }
    case .ignore:
      counters.duplicates &+= 1
      return
    case .refuse:
      refuse(command, key)
    }
    armUpkeep()
    await replyIsOut(key)
  }

  private func start(_ key: CommandKey, _ work: @escaping @Sendable (isolated CommandDesk) async -> Void) {
    tasks[key] = Task(executorPreference: loop) { await self.run(work, for: key) }
  }

  private func run(_ work: @Sendable (isolated CommandDesk) async -> Void, for key: CommandKey) async {
    await work(self)
    tasks[key] = nil
    endWaiting(key)
  }

  private func begin(_ command: ServerCommand, _ key: CommandKey, _ route: CommandRouter.Route) {
    guard running < Self.runningLimit else {
      counters.refused &+= 1
      noteFailure(command, key, "refused", "since \(Self.runningLimit) commands run already")
      // Remembered, since an overlapping poll may bring it once more when there is room: what was answered with
      // `busy` must not run.
      memory.finish(key, keeping: memory.reserve(CommandError.busy.reply, for: key))
      return start(key) { await $0.post(CommandError.busy.json, key, command.method, hasLastingEffect: false) }
    }
    running += 1
    start(key) { [router] in await $0.carryOut(command, key, route, router) }
  }

  /// Not remembered: should the answer be lost, the command is as new when it comes again.
  private func refuse(_ command: ServerCommand, _ key: CommandKey) {
    counters.refused &+= 1
    noteFailure(command, key, "refused", "since \(CommandMemory.pendingLimit) replies wait for the server already")
    guard refusals < Self.refusalLimit else { return }
    refusals += 1
    Task(executorPreference: loop) { await self.sendRefusal(command.id, key) }
  }

  private func sendRefusal(_ id: CommandID, _ key: CommandKey) async {
    try? await api.reply(CommandError.busy.json, to: id)
    refusals -= 1
    endWaiting(key)
  }

  // MARK: Carrying out

  private func carryOut(
    _ command: ServerCommand, _ key: CommandKey, _ route: CommandRouter.Route, _ router: CommandRouter
  ) async {
    let began = Uptime.monotonic
    var isOnDisk = false
    let reply: JSON
    do throws(CommandError) {
      if route.hasLastingEffect {
        try await noteStart(key)
        isOnDisk = true
      }
      reply = try await execute(route, router, key)
      counters.executed &+= 1
      let outcome = "ok in \((Uptime.monotonic - began).forHumans)"
      // Some widgets ask each second.
      tell(route.hasLastingEffect ? .info : .debug, command, key, outcome)
    } catch {
      reply = error.json
      if route.hasLastingEffect && !isOnDisk { counters.refused &+= 1 } else { counters.failed &+= 1 }
      noteFailure(command, key, error.code.rawValue, "in \((Uptime.monotonic - began).forHumans)")
    }
    running -= 1
    var bytes: [UInt8] = []
    reply.write(into: &bytes)
    let kept = memory.reserve(bytes, for: key)
    if isOnDisk, let kept { await noteResult(kept, key) }
    memory.finish(key, keeping: kept)
    await post(reply, key, command.method, hasLastingEffect: route.hasLastingEffect)
  }

  /// As a task of its own, which a stop can end without ending the reply.
  private func execute(
    _ route: CommandRouter.Route, _ router: CommandRouter, _ key: CommandKey
  ) async throws(CommandError) -> JSON {
    // The card may have held it up for so long.
    if isClosed { throw .interrupted }
    let execution = Task(executorPreference: loop) { () -> Result<JSON, CommandError> in
      do throws(CommandError) { return .success(try await router.run(route)) } catch { return .failure(error) }
    }
    executions[key] = execution
    defer { executions[key] = nil }
    return try await execution.value.get()
  }

  private func noteStart(_ key: CommandKey) async throws(CommandError) {
    do throws(SystemError) {
      try await ledger.begin(key)
      noteMended()
    } catch {
      tellOfProblem(error, "commands with lasting effect are refused, since after a power cut they could run twice")
      throw CommandError(
        .unavailable, "not carried out: the gateway cannot write its state directory (\(error)), so it could run twice")
    }
  }

  private func noteResult(_ reply: [UInt8], _ key: CommandKey) async {
    do throws(SystemError) { try await ledger.finish(key, reply: reply) } catch {
      tellOfProblem(error, "the result of a command is posted, but would not outlive a restart")
    }
  }

  // MARK: A disk that cannot be written

  private func note(_ problem: SystemError) {
    counters.problem = problem.description
    if mending?.isArmed == false { mending?.arm(after: mendInterval) }
  }

  private func noteMended() {
    guard counters.problem != nil else { return }
    counters.problem = nil
    mending?.disarm()
    log.notice("the file commands can be written again: commands with lasting effect are carried out")
  }

  /// Not by the next command alone: whoever looks at the status wants to know whether one would be carried out.
  private func tryToMend() {
    Task(executorPreference: loop) { await self.mend() }
  }

  private func mend() async {
    do throws(SystemError) {
      try await ledger.mend()
      noteMended()
    } catch { note(error) }
  }

  private func tellOfProblem(_ error: SystemError, _ consequence: String) {
    note(error)
    guard let suppressed = limiter.admit("disk") else { return }
    log.error(
      """
      cannot write the file commands in the state directory (\(error)): \(consequence); free or mend the disk\
      \(LogLimiter<String>.note(suppressed))
      """)
  }

  /// Once a minute for each method and outcome.
  private func noteFailure(_ command: ServerCommand, _ key: CommandKey, _ outcome: String, _ more: String) {
    guard let suppressed = failures.admit("\(shortened(command.method)) \(outcome)") else { return }
    tell(.info, command, key, "\(outcome) \(more)\(LogLimiter<String>.note(suppressed))")
  }

  private func tell(_ level: Logger.Level, _ command: ServerCommand, _ key: CommandKey, _ outcome: String) {
    let method = shortened(command.method)
    log.log(level: level, "command \(key.id) \(method): \(outcome)", metadata: ["command": "\(method)"])
  }

  // MARK: Replies

  /// Posts until the server has it, gives it up for good, or a stop ends it.
  private func post(_ reply: JSON, _ key: CommandKey, _ method: String, hasLastingEffect: Bool) async {
    var reply = reply
    var isReplaced = false
    var backoff = Self.replyBackoff
    let deadline = Uptime.boottime + Self.replyPatience
    while true {
      do throws(DeviceAPIError) {
        try await api.reply(reply, to: CommandID(key.id))
        memory.acknowledge(key, now: Uptime.boottime)
        if hasLastingEffect { ledger.close([key]) }
        return
      } catch {
        if Task.isCancelled { return }
        switch error.code {
        case .poison, .tooLarge:
          if isReplaced { return giveUp(key, method, error) }
          isReplaced = true
          reply = CommandError.replyRefused.json
          tellOfRefusal(key, method, error)
          continue
        case .unsupported: return giveUp(key, method, error)
        case .serverError, .unavailable, .unreachable, .unauthorized, .deviceDeleted, .notFound, .redirected,
          .notThingsBoard, .certificate, .noAnswer, .cancelled:
          break
        }
        // A stop leaves the rest to the next life.
        if isStopping || Uptime.boottime >= deadline { return giveUp(key, method, error) }
        let asked = min(error.retryAfter ?? .zero, Self.retryAfterLimit)
        await pause(max(backoff.next(using: &generator), asked), key)
        if Task.isCancelled { return }
      }
    }
  }

  /// Ended early by `hasten`, a stop, or the task's cancellation.
  private func pause(_ delay: Duration, _ key: CommandKey) async {
    let pause = Task(executorPreference: loop) { [loop] in
      // Cut short or not: the next attempt is due.
      _ = try? await loop.sleep(for: delay)
    }
    pauses[key] = pause
    await withTaskCancellationHandler {
      await pause.value
    } onCancel: {
      pause.cancel()
    }
    pauses[key] = nil
  }

  private func tellOfRefusal(_ key: CommandKey, _ method: String, _ error: DeviceAPIError) {
    guard let suppressed = limiter.admit("refused") else { return }
    log.warning(
      """
      the server does not accept the reply to command \(key.id) \(shortened(method)) (\(error)): it gets a short error \
      in its place\(LogLimiter<String>.note(suppressed))
      """, metadata: ["command": "\(shortened(method))"])
  }

  private func giveUp(_ key: CommandKey, _ method: String, _ error: DeviceAPIError) {
    memory.giveUp(key)
    log.warning(
      """
      the reply to command \(key.id) \(shortened(method)) did not reach the server (\(error)): given up, unless the \
      server hands the command over again
      """, metadata: ["command": "\(shortened(method))"])
  }

  // MARK: Waiting

  /// Suspends until nothing is done about the command any more, a second at most.
  private func replyIsOut(_ key: CommandKey) async {
    guard tasks[key] != nil || refusals > 0 else { return }
    await withCheckedContinuation { continuation in
      let waiter = Waiter(continuation)
      let id = ObjectIdentifier(waiter)
      waiter.timer = try? TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.stopWaiting(key, id) } }
      // Without a timer to be had there is nothing to wait by.
      guard let timer = waiter.timer else { return waiter.end() }
      timer.arm(after: Self.deliveryPatience)
      waiters[key, default: []].append(waiter)
    }
  }

  private func stopWaiting(_ key: CommandKey, _ id: ObjectIdentifier) {
    guard let waiter = waiters[key]?.first(where: { ObjectIdentifier($0) == id }) else { return }
    waiters[key]?.removeAll { $0 === waiter }
    if waiters[key]?.isEmpty == true { waiters[key] = nil }
    waiter.end()
  }

  private func endWaiting(_ key: CommandKey) {
    guard let ended = waiters.removeValue(forKey: key) else { return }
    for waiter in ended { waiter.end() }
  }

  // MARK: Upkeep

  /// While it is armed it is armed for something older.
  private func armUpkeep() {
    guard let upkeep, !upkeep.isArmed else { return }
    let now = Uptime.boottime
    guard let next = memory.nextExpiry(now: now) else { return }
    upkeep.arm(after: max(Self.upkeepAccuracy, next - now))
  }

  private func forgetOld() {
    ledger.close(memory.expire(now: Uptime.boottime))
    armUpkeep()
  }
}

/// One `received` that waits. Used on the loop alone.
private final class Waiter {
  private var continuation: CheckedContinuation<Void, Never>?
  var timer: TimerSource?

  init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }

  func end() {
    timer = nil
    continuation?.resume()
    continuation = nil
  }
}
