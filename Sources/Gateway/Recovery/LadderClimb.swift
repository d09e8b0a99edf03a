internal import EventLoop
internal import Hardware
internal import Logging
internal import Telemetry

/// Takes a ladder's steps while its trouble lasts: remembers each before it is taken, logs and reports what it came to.
actor LadderClimb {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// What the trouble is called.
  struct Subject: Sendable {
    /// In `recovery.json`.
    var name: String
    /// `server unreachable`
    var trouble: String
    /// `the server is reached again`
    var over: String
  }

  /// How late a step may be, so that wake-ups coincide.
  static let accuracy = Duration.milliseconds(250)
  /// The telemetry key of a step's outcome.
  static let key = "recovery"

  private let loop: EventLoop
  private let subject: Subject
  private let book: LadderBook
  private var hands: RecoveryHands
  private let words: [String: @Sendable () async -> StepResult]
  private let isCurrent: @Sendable (_ now: Duration) -> Bool
  private let clock: @Sendable () -> Duration
  private let log: Logger
  private var ladder: Ladder
  private var timer: TimerSource?
  private var climbing: Task<Void, Never>?
  /// Told apart by this: a trouble that ended while a step was being remembered, and the next.
  private var episode = 0
  private var isStopped = false

  /// - Parameters:
  ///   - words: Steps that need no program, besides `reboot`.
  ///   - isCurrent: Whether the trouble still shows; called on the loop. Where it does not, a step waits for `look`.
  ///   - clock: This boot's, as `Uptime.boottime`.
  init(
    on loop: EventLoop, _ subject: Subject, steps: [RecoveryStep], book: LadderBook, hands: RecoveryHands,
    words: [String: @Sendable () async -> StepResult] = [:], log: Logger,
    clock: @escaping @Sendable () -> Duration = { Uptime.boottime },
    isCurrent: @escaping @Sendable (_ now: Duration) -> Bool
  ) {
    self.loop = loop
    self.subject = subject
    self.book = book
    self.hands = hands
    self.words = words
    self.log = log
    self.clock = clock
    self.isCurrent = isCurrent
    ladder = Ladder(steps)
  }

  /// Takes up what the book has of this trouble.
  ///
  /// - Returns: Whether it is in doubt: there before, and not yet known to be over.
  /// - Throws: `SystemError` without a timer to be had.
  func start() throws(SystemError) -> Bool {
    ladder = Ladder(ladder.steps, trouble: book.assumeIsolated { [subject] in $0.claim(subject.name) })
    timer = try TimerSource(loop, clock: .boottime, accuracy: Self.accuracy) { [weak self] in
      self?.assumeIsolated { $0.look() }
    }
    schedule()
    return ladder.trouble != nil
  }

  /// Takes no further step, and returns when the one under way has ended, which cancelling hurries.
  func stop() async {
    isStopped = true
    timer = nil
    climbing?.cancel()
    await climbing?.value
  }

  /// Goes on with other steps and programs.
  func update(_ steps: [RecoveryStep], hands: RecoveryHands) {
    self.hands = hands
    ladder.update(steps)
    schedule()
  }

  // MARK: The trouble

  var trouble: Trouble? { ladder.trouble }

  /// When the next step is due, on the boot's clock.
  var due: Duration? { ladder.due(after: reboots) }

  /// It is there, since then.
  func begin(at start: Duration) {
    guard ladder.trouble == nil else { return }
    ladder.begin(at: start)
    schedule()
  }

  /// It is over.
  func end() {
    guard let trouble = ladder.end() else { return }
    episode += 1
    timer?.disarm()
    guard !trouble.tally.isEmpty else { return }
    log.notice(
      "\(subject.over) after \(trouble.length(at: clock()).forHumans); steps taken: \(oneLine(trouble.steps))")
    Task(executorPreference: loop) { [book, subject] in await book.forget(subject.name) }
  }

  /// Takes the step that is due, if one is.
  func look() {
    guard climbing == nil, !isStopped, let due, due <= clock() else { return schedule() }
    climbing = Task(executorPreference: loop) { await self.climb() }
  }

  /// Returns when no step is under way; for tests.
  func settled() async { await climbing?.value }

  private var reboots: RebootHistory { book.assumeIsolated { $0.reboots } }

  private func schedule() {
    // What is overdue waits for evidence: `look`.
    guard !isStopped, climbing == nil, let due else { return }
    let delay = due - clock()
    if delay > .zero { timer?.arm(after: delay) } else { timer?.disarm() }
  }

  // MARK: Climbing

  private func climb() async {
    while !isStopped, isCurrent(clock()), await takeNext() {}
    climbing = nil
    schedule()
  }

  /// - Returns: Whether a step was due.
  private func takeNext() async -> Bool {
    var after = ladder
    let now = clock()
    let number = (ladder.trouble?.taken ?? 0) + 1
    guard let step = after.take(at: now, after: reboots), let trouble = after.trouble else { return false }
    let episode = episode
    var result: StepResult?
    do throws(SystemError) { try await book.keep(trouble, of: subject.name) } catch {
      log.error("\(subject.trouble): the step \(oneLine(step.run)) cannot be remembered: \(error)")
      // Without a memory the board would restart again and again.
      if step.run == Ladder.reboot {
        result = .skipped("it could not be remembered (\(error)); make room, or check the card")
      }
    }
    // The trouble may have ended while the card was busy.
    guard episode == self.episode else {
      await book.forget(subject.name)
      return false
    }
    if isStopped { return false }
    // Other steps may have been configured meanwhile.
    after.update(ladder.steps)
    ladder = after
    let length = trouble.length(at: now)
    log.warning(
      """
      \(subject.trouble) for \(length.forHumans): taking step \(number) of \(ladder.steps.count), \(oneLine(step.run)) \
      (round \(trouble.rounds + (trouble.taken == 0 ? 0 : 1)))
      """)
    let outcome: StepResult
    if let result { outcome = result } else { outcome = await carryOut(step) }
    log.log(
      level: outcome == .done ? .notice : .warning,
      "\(subject.trouble): \(oneLine(step.run)): \(outcome.words)\(outlook)")
    report(step, after: length, outcome)
    return true
  }

  private func carryOut(_ step: RecoveryStep) async -> StepResult {
    if hands.programs.contains(step.run) { return await hands.run(step.run) }
    if step.run == Ladder.reboot { return await hands.reboot() }
    if let word = words[step.run] { return await word() }
    return .skipped("rpc.run has no program of that name; correct the step or add the program")
  }

  /// `; next, unless it is over: reboot in 5 h`
  private var outlook: String {
    guard let next = ladder.next, let due else { return "" }
    return "; next, unless it is over: \(oneLine(next.run)) in \(max(.zero, due - clock()).forHumans)"
  }

  private func report(_ step: RecoveryStep, after length: Duration, _ outcome: StepResult) {
    guard let key = try? Key(Self.key) else { return }
    let value = JSON.object([
      .init("trouble", .string(oneLine(subject.trouble))), .init("step", .string(oneLine(step.run))),
      .init("after_ms", .integer(length.wholeMilliseconds)), .init("result", .string(outcome.words)),
    ])
    hands.report([Reading(key, .json(value))])
  }
}
