internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Keeps a device's client attributes on the server as they should be: all of them after a start, then what changes.
///
/// Without anything to send there is no timer and no task.
actor ClientAttributes {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Changes within this time leave in one post.
  static let window = Duration.seconds(1)
  /// How much later the window may close, so that wake-ups coincide.
  static let windowLeeway = Duration.milliseconds(250)
  /// How often one and the same trouble is told of.
  static let logInterval = Duration.seconds(600)

  struct Status: Sendable {
    /// Attributes the server has yet to confirm.
    var waiting = 0
    var posts: UInt64 = 0
    /// Attributes the server will not take as they are.
    var givenUp: UInt64 = 0
    /// The last failure since a post was taken.
    var lastError: (message: String, at: CaptureTime)?
  }

  private enum Life {
    case idle, running
    /// Nothing is sent any more: the transport carries no attributes, or the gateway stops.
    case over
  }

  private let loop: EventLoop
  private let api: any DeviceAPI
  private let log: Logger
  private let window: Duration
  private var ledger = AttributeLedger()
  private var pace: RetryPace
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: ClientAttributes.logInterval)
  private var outages: OutageLog
  private var life = Life.idle
  private var timer: TimerSource?
  private var isBackingOff = false
  private var delivery: Task<Void, Never>?
  private var counters = Status()

  init(
    on loop: EventLoop, api: any DeviceAPI, log: Logger, window: Duration = ClientAttributes.window,
    pace: RetryPace = RetryPace(), outages: OutageBoard = OutageBoard()
  ) {
    self.outages = OutageLog(outages)
    self.loop = loop
    self.api = api
    self.log = log
    self.window = window
    self.pace = pace
  }

  deinit { delivery?.cancel() }

  var status: Status {
    var status = counters
    status.waiting = ledger.waiting
    return status
  }

  // MARK: Life

  /// Sends what is wanted so far, and from now on what changes.
  func start() throws(SystemError) {
    guard life == .idle else { return }
    timer = try TimerSource(loop, accuracy: min(Self.windowLeeway, max(window, .microseconds(1)))) { [weak self] in
      self?.assumeIsolated { $0.timerFired() }
    }
    life = .running
    timerFired()
  }

  /// Sends what still waits, such as the levels outputs were left at, but no longer than `limit`; then nothing any more.
  func stop(within limit: Duration) async {
    // What failed a moment ago fails again.
    if life == .running, !isBackingOff { timerFired() }
    timer = nil
    let deadline = Task(executorPreference: loop) { [loop, weak self] in
      try await loop.sleep(for: limit)
      await self?.giveUpSending()
    }
    // A failure ends it as well: there is no timer any more for the next attempt.
    await delivery?.value
    deadline.cancel()
    life = .over
  }

  private func giveUpSending() {
    life = .over
    delivery?.cancel()
  }

  // MARK: What is wanted

  /// Wants these attributes on the server; those that are not named stay as they are. Callable before `start`.
  func set(_ attributes: [Reading]) {
    for reading in attributes {
      switch ledger.want(reading) {
      case .accepted: break
      case .unsendable(let reason):
        guard let suppressed = limiter.admit("unsendable \(reading.key.name)") else { continue }
        log.warning(
          "client attribute \(reading.key.name): \(reason), so it is not sent\(LogLimiter<String>.note(suppressed))")
      case .tooMany:
        guard let suppressed = limiter.admit("too many") else { continue }
        log.warning(
          """
          client attribute \(reading.key.name) is left out: there are \(AttributeLedger.keyLimit) already\
          \(LogLimiter<String>.note(suppressed))
          """)
      }
    }
    sendSoon()
  }

  /// Leaves these alone from now on: the configuration no longer has them. The server keeps what it has, since a device
  /// cannot delete an attribute. Nothing is sent for it.
  func forget(keys: some Sequence<Key>) { ledger.forget(keys) }

  /// Sends everything again: the credential is another, so the device may be.
  func resendAll() {
    ledger.forget()
    isBackingOff = false
    timer?.disarm()
    pace.succeeded()
    sendSoon()
  }

  // MARK: The way up

  private func sendSoon() {
    guard life == .running, delivery == nil, !isBackingOff, ledger.waiting > 0, timer?.isArmed == false else { return }
    timer?.arm(after: window)
  }

  private func timerFired() {
    isBackingOff = false
    guard life == .running, delivery == nil, ledger.waiting > 0 else { return }
    delivery = Task(executorPreference: loop) { await self.deliver() }
  }

  private func deliver() async {
    var next: Duration?
    while life == .running, next == nil, let post = ledger.nextPost() {
      counters.posts &+= 1
      do throws(DeviceAPIError) {
        try await api.postAttributes(post.attributes)
        ledger.confirm(post)
        pace.succeeded()
        counters.lastError = nil
        if let outage = outages.recovered() { log.notice("client attributes are sent again after \(outage.forHumans)") }
      } catch {
        next = failed(error, post)
      }
    }
    delivery = nil
    guard life == .running, let next, ledger.waiting > 0 else { return }
    isBackingOff = true
    timer?.arm(after: next)
  }

  /// - Returns: How long to wait; `nil` to go on at once.
  private func failed(_ error: DeviceAPIError, _ post: AttributeLedger.Post) -> Duration? {
    switch error.code {
    case .cancelled where life != .running: return nil
    case .unsupported:
      life = .over
      timer = nil
      log.debug("client attributes are not sent: \(error)")
      return nil
    // A small body is not refused for its size, whatever is said.
    case .poison,
      .tooLarge where post.bytes > AttributeLedger.smallestPost:
      if let culprit = ledger.refuse(post, isTooLarge: error.code == .tooLarge) { giveUp(culprit, error) }
      return nil
    default: break
    }
    counters.lastError = (error.message, .now())
    let delay = pace.next(after: error, using: &generator)
    guard let suppressed = outages.failed("\(error.code)", isOutage: true) else { return delay }
    log.log(
      level: error.code.needsPerson ? .error : .warning,
      """
      client attributes cannot be sent: the server \(error.message); next try in \(delay.forHumans)\
      \(LogLimiter<String>.note(suppressed))
      """)
    return delay
  }

  private func giveUp(_ reading: Reading, _ error: DeviceAPIError) {
    counters.givenUp &+= 1
    guard let suppressed = limiter.admit("given up \(reading.key.name)") else { return }
    log.error(
      """
      client attribute \(reading.key.name): the server \(error.message); it is not sent until its value changes\
      \(LogLimiter<String>.note(suppressed))
      """)
  }
}
