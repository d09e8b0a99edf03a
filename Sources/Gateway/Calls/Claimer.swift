internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Opens the device for a customer to claim it: on the command line, at a start, or when a button is pressed.
///
/// Source: contract.md §6.
actor Claimer {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Presses sooner after the one before do nothing.
  static let pressInterval = Duration.seconds(5)
  /// How long a press is tried: a person stands there, and would not expect it to work an hour later.
  static let pressPatience = Duration.seconds(120)
  /// How often one and the same trouble is told of.
  static let logInterval = Duration.seconds(600)

  private let loop: EventLoop
  private let api: any DeviceAPI
  private var options: ClaimOptions
  private let server: String
  private let log: Logger
  private let pace: RetryPace
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: Claimer.logInterval)
  private var series: Task<Void, Never>?
  /// Tells a series from those it has replaced.
  private var round = 0
  /// Whether the claim of the start has yet to be taken.
  private var isOwedToBoot = false
  private var lastPress: Duration?
  private var isOver = false

  /// The last time the server took it, since the start.
  private(set) var lastClaim: CaptureTime?

  /// - Parameter server: The server's URL, for log lines.
  init(
    on loop: EventLoop, api: any DeviceAPI, options: ClaimOptions, server: String, log: Logger,
    pace: RetryPace = RetryPace()
  ) {
    self.loop = loop
    self.api = api
    self.options = options
    self.server = server
    self.log = log
    self.pace = pace
  }

  deinit { series?.cancel() }

  /// Opens the device once.
  ///
  /// - Parameters:
  ///   - secret: In place of the configured one.
  ///   - duration: In place of the configured one.
  /// - Returns: What a person should know.
  func claim(secret: Secret? = nil, duration: Duration? = nil) async -> Result<String, DeviceAPIError> {
    let (secret, duration) = (secret ?? options.secret, duration ?? options.duration)
    do throws(DeviceAPIError) {
      try await api.claim(secret: secret, duration: duration)
      lastClaim = .now()
      return .success(words(secret, duration))
    } catch { return .failure(error) }
  }

  /// Opens the device now where the configuration says so, and tries until the server has taken it.
  func start() {
    guard options.atBoot else { return }
    isOwedToBoot = true
    begin(until: nil)
  }

  /// Takes other options, from the next attempt on. `at_boot` means the daemon's start, so nothing is opened here; what
  /// is still being tried for it ends where it is no longer wanted.
  ///
  /// - Parameter options: `nil` where the configuration has no `claim:` any more.
  func use(_ options: ClaimOptions?) {
    let isGone = options == nil
    let options = options ?? ClaimOptions()
    guard options != self.options else { return }
    self.options = options
    if isGone || isOwedToBoot && !options.atBoot {
      isOwedToBoot = false
      series?.cancel()
    }
  }

  func stop() async {
    isOver = true
    series?.cancel()
    await series?.value
  }

  /// The button's line has come on: opens the device at once, however long the next try would have rested.
  func buttonPressed(now: Duration = Uptime.monotonic) {
    if let lastPress, now - lastPress < Self.pressInterval { return }
    lastPress = now
    log.info("the button for claiming was pressed")
    begin(until: isOwedToBoot ? nil : now + Self.pressPatience)
  }

  /// - Parameter deadline: `nil` tries for ever.
  private func begin(until deadline: Duration?) {
    guard !isOver else { return }
    round += 1
    series?.cancel()
    series = Task(executorPreference: loop) { [round] in await self.claim(round, until: deadline) }
  }

  private func claim(_ round: Int, until deadline: Duration?) async {
    defer { if self.round == round { series = nil } }
    var pace = pace
    while !Task.isCancelled {
      switch await claim() {
      case .success(let words):
        isOwedToBoot = false
        log.notice("\(words)")
        return
      case .failure(let error):
        if Task.isCancelled { return }
        let delay = pace.next(after: error, using: &generator)
        let isLast = error.code == .unsupported || deadline.map { Uptime.monotonic + delay > $0 } == true
        tell(error, next: isLast ? nil : delay)
        if isLast { return }
        do { try await loop.sleep(for: delay) } catch { return }
      }
    }
  }

  private func tell(_ error: DeviceAPIError, next delay: Duration?) {
    guard let suppressed = limiter.admit("\(error.code) \(delay == nil)") else { return }
    let next = delay.map { "next try in \($0.forHumans)" } ?? "given up"
    log.log(
      level: error.code.needsPerson ? .error : .warning,
      "this device cannot be opened for claiming: \(server) \(error.message); \(next)\(LogLimiter<String>.note(suppressed))"
    )
  }

  /// The server says only that it has received the request.
  private func words(_ secret: Secret?, _ duration: Duration?) -> String {
    let who = secret == nil ? "a customer" : "a customer who knows the secret"
    let time = duration.map { "for \($0.forHumans)" } ?? "for as long as the server allows"
    return "\(server) has taken the claim request: \(who) can claim this device \(time)"
  }
}
