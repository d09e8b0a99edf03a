internal import EventLoop
internal import Hardware
internal import Logging
internal import Synchronization

/// What is done while the server is out of reach: `server.unreachable`.
///
/// It learns of that from the ends of requests alone: a gateway that asks for nothing has no trouble.
actor Recovery {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// A step is not taken unless a request has failed within this time: requests are tried again every few minutes, and
  /// what was asked once proves nothing hours later.
  static let evidenceLimit = Duration.seconds(15 * 60)

  private let loop: EventLoop
  private let climb: LadderClimb
  private let clock: @Sendable () -> Duration
  private nonisolated let seen: Seen

  /// What the last failures were. @unchecked: `lastFailure` is used on the loop alone.
  private final class Seen: @unchecked Sendable {
    /// Whether a success would be news.
    let isTroubled = Atomic(false)
    var lastFailure: Duration?
  }

  /// - Parameters:
  ///   - steps: By time; none are legal.
  ///   - book: The memory of all ladders, opened.
  ///   - clock: This boot's.
  init(
    on loop: EventLoop, steps: [RecoveryStep], book: LadderBook, hands: RecoveryHands, log: Logger,
    clock: @escaping @Sendable () -> Duration = { Uptime.boottime }
  ) {
    self.loop = loop
    self.clock = clock
    let seen = Seen()
    self.seen = seen
    climb = LadderClimb(
      on: loop,
      LadderClimb.Subject(name: "server", trouble: "server unreachable", over: "the server is reached again"),
      steps: steps, book: book, hands: hands, log: log, clock: clock
    ) { now in
      seen.lastFailure.map { now - $0 <= Self.evidenceLimit } ?? false
    }
  }

  /// - Throws: `SystemError` without a timer to be had.
  func start() async throws(SystemError) {
    if try await climb.start() { seen.isTroubled.store(true, ordering: .relaxed) }
  }

  /// Takes no further step; a program under way is ended.
  func stop() async { await climb.stop() }

  func update(_ steps: [RecoveryStep], hands: RecoveryHands) async { await climb.update(steps, hands: hands) }

  /// When the next step is due, on the boot's clock; `nil` without trouble.
  var due: Duration? { climb.assumeIsolated { $0.due } }

  /// Takes the step that is due, if one is and a request has failed lately; for tests.
  func lookNow() async {
    await climb.look()
    await climb.settled()
  }

  // MARK: What requests tell

  /// A request has ended. From any thread; costs next to nothing while all is well.
  nonisolated func note(_ contact: ServerContact) {
    switch contact {
    case .reached: linkWorked()
    case .unreached: linkFailed()
    }
  }

  /// ThingsBoard has answered.
  nonisolated func linkWorked() {
    guard seen.isTroubled.load(ordering: .relaxed) else { return }
    loop.execute { [weak self] in self?.assumeIsolated { $0.worked() } }
  }

  /// Nobody has, or something between.
  nonisolated func linkFailed() {
    seen.isTroubled.store(true, ordering: .relaxed)
    loop.execute { [weak self] in self?.assumeIsolated { $0.failed() } }
  }

  private func worked() {
    seen.isTroubled.store(false, ordering: .relaxed)
    seen.lastFailure = nil
    climb.assumeIsolated { $0.end() }
  }

  private func failed() {
    // A success that came in between has taken it back.
    seen.isTroubled.store(true, ordering: .relaxed)
    let now = clock()
    seen.lastFailure = now
    climb.assumeIsolated { climb in
      climb.begin(at: now)
      climb.look()
    }
  }
}
