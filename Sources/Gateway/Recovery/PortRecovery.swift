internal import EventLoop
internal import Hardware
internal import Logging

/// What is done while a port is silent: `ports.NAME.silent`.
///
/// One timer compares the port's byte counter with what it was; reading costs nothing more. A port that is not there is
/// silent, too; one that was stopped is not.
actor PortRecovery {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Looks in the time after which the first step is taken: it may be late by one of them.
  static let looks = 4
  static let lookRange = Duration.milliseconds(10) ... .seconds(300)

  private let loop: EventLoop
  private let climb: LadderClimb
  private let hands: PortHands
  private let clock: @Sendable () -> Duration
  private let seen: Seen
  private var timer: TimerSource?
  private var interval: Duration

  /// What the port had said at the last look. @unchecked: used on the loop alone.
  private final class Seen: @unchecked Sendable {
    var look: PortHands.Look?
    var time = Duration.zero
  }

  /// - Parameters:
  ///   - port: As the configuration names it.
  ///   - steps: By time.
  ///   - port hands: The port itself.
  ///   - book: The memory of all ladders, opened.
  init(
    on loop: EventLoop, port: String, steps: [RecoveryStep], book: LadderBook, hands: RecoveryHands,
    portHands: PortHands, log: Logger, clock: @escaping @Sendable () -> Duration = { Uptime.boottime }
  ) {
    self.loop = loop
    self.hands = portHands
    self.clock = clock
    interval = Self.interval(steps)
    let seen = Seen()
    self.seen = seen
    var log = log
    log[metadataKey: "port"] = "\(port)"
    climb = LadderClimb(
      on: loop,
      LadderClimb.Subject(name: "port \(port)", trouble: "port \(port) silent", over: "port \(port) speaks again"),
      steps: steps, book: book, hands: hands,
      words: ["reopen": portHands.reopen, "usb-reset": portHands.resetUSB], log: log, clock: clock
    ) { _ in
      // Between two looks it may have begun to speak.
      seen.look.map { $0 == portHands.look() && !$0.isStopped } ?? false
    }
  }

  /// - Throws: `SystemError` without a timer to be had.
  func start() async throws(SystemError) {
    _ = try await climb.start()
    // Looks coincide with other wake-ups.
    timer = try TimerSource(loop, clock: .boottime, accuracy: max(.milliseconds(1), interval / 10)) { [weak self] in
      self?.assumeIsolated { $0.lookAtPort() }
    }
    timer?.arm(after: interval)
  }

  /// Takes no further step; to be called before the port is stopped.
  func stop() async {
    timer = nil
    await climb.stop()
  }

  func update(_ steps: [RecoveryStep], hands: RecoveryHands) async {
    interval = Self.interval(steps)
    timer?.arm(after: interval)
    await climb.update(steps, hands: hands)
  }

  private static func interval(_ steps: [RecoveryStep]) -> Duration {
    min(max((steps.first?.after ?? lookRange.upperBound) / looks, lookRange.lowerBound), lookRange.upperBound)
  }

  private func lookAtPort() {
    timer?.arm(after: interval)
    let now = clock()
    let look = hands.look()
    defer {
      seen.look = look
      seen.time = now
    }
    // The first look proves nothing.
    guard let last = seen.look else { return }
    climb.assumeIsolated { climb in
      guard last.bytes == look.bytes, !look.isStopped else { return climb.end() }
      climb.begin(at: seen.time)
      climb.look()
    }
  }
}
