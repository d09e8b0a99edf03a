public import EventLoop
public import Logging
internal import Telemetry

/// A serial port that stays open: it opens its device, reads it, and opens it again whenever it went away.
///
/// All calls that the driver can hold up run on the pool; reads and writes never wait and run on the loop. `stop` it
/// before it is released.
public actor SerialPort {
  /// The most bytes of one `received` event.
  public static let readLimit = 4096
  /// How many times in a row epoll(7) may promise bytes or room that are not there before the driver counts as broken.
  static let brokenPromiseLimit = 1000

  /// Opens what the options name. Called on the pool.
  public typealias Opener = @Sendable (SerialOptions) throws(PortError) -> any ByteStream

  public nonisolated let name: String
  public private(set) var options: SerialOptions
  nonisolated let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let pool: BlockingPool
  private let open: Opener
  private let handler: @Sendable (PortEvent) -> Void

  private var generator = SystemRandomNumberGenerator()
  /// What the opening brought, until the machine says what becomes of it.
  private var arrived: (any ByteStream)?
  private var timer: TimerSource?
  private var stopping: [CheckedContinuation<Void, Never>] = []

  // For the extensions too: writing and status.
  let timing: PortTiming
  private(set) var journal: PortJournal
  private(set) var machine: SerialPortStateMachine
  private(set) var connection: Connection?
  typealias WriteToken = @Sendable (Result<Void, PortError>) -> Void
  var outgoing = OutgoingQueue<WriteToken>()
  private(set) var writeTimer: TimerSource?
  private(set) var since: CaptureTime?
  private(set) var retryAt: Duration?
  private(set) var lastError: PortError?
  private(set) var granted: SerialOptions?
  /// Since the port was made.
  public private(set) var bytesReceived: UInt64 = 0
  var bytesSent: UInt64 = 0
  private(set) var openCount = 0
  var driverErrors: LineErrorCounts?
  var errorTimer: TimerSource?
  var errorWatch = LineErrorWatch()

  /// Makes a port that is closed.
  ///
  /// - Parameters:
  ///   - name: As the configuration names it; the log's metadata `port`.
  ///   - pool: Where opening, configuring and closing may block, one call of each port at a time.
  ///   - open: What opens the device; the kernel's ttys and serial servers unless given.
  ///   - handler: Called synchronously on the loop. It should not hold the port's owner strongly.
  public init(
    name: String, options: SerialOptions, loop: EventLoop, pool: BlockingPool, log: Logger,
    open: @escaping Opener = openStream, handler: @escaping @Sendable (PortEvent) -> Void
  ) {
    self.init(
      name: name, options: options, loop: loop, pool: pool, log: log, timing: .standard, open: open, handler: handler)
  }

  init(
    name: String, options: SerialOptions, loop: EventLoop, pool: BlockingPool, log: Logger, timing: PortTiming,
    open: @escaping Opener, handler: @escaping @Sendable (PortEvent) -> Void
  ) {
    self.name = name
    self.options = options
    self.loop = loop
    self.pool = pool
    self.timing = timing
    self.open = open
    self.handler = handler
    machine = SerialPortStateMachine(timing: timing)
    journal = PortJournal(name: name, options: options, timing: timing, log: log)
  }

  // MARK: Start and stop

  /// Opens the port, and keeps it open from now on. Nothing happens when it is started already.
  public func start() {
    do {
      if timer == nil {
        timer = try TimerSource(loop, accuracy: timing.accuracy) { [weak self] in
          self?.assumeIsolated { $0.handle(.timer) }
        }
      }
      if writeTimer == nil {
        writeTimer = try TimerSource(loop, accuracy: timing.accuracy) { [weak self] in
          self?.assumeIsolated { $0.expireWrites() }
        }
      }
    } catch {
      // A loop without a timer to give does not run at all; this is for the log.
      let error = PortError(code: .failed, message: "no timer for \(options.path)", cause: error)
      lastError = error
      journal.failed(error)
      return
    }
    handle(.start)
  }

  /// Closes the port and drops what was not sent. Returns when it is closed, which a stuck driver can delay; an opening
  /// under way is not waited for, its descriptor is closed when it arrives.
  public func stop() async {
    failWrites(PortError(code: .notOpen, message: "\(name) was closed"))
    handle(.stop)
    guard case .closing = machine.state else { return }
    await withCheckedContinuation { stopping.append($0) }
  }

  /// Closes the port and opens it again, or opens it now where it waits for its next attempt.
  ///
  /// - Parameter reason: For the log and the status, without a capital and a full stop.
  /// - Returns: Whether that was begun: a stopped port stays closed, and one whose driver is busy with an opening or a
  ///   closing is left to it.
  @discardableResult
  public func reopen(because reason: String) -> Bool {
    switch machine.state {
    case .open:
      lose(PortError(code: .failed, message: "\(place) is closed and opened again: \(reason)"))
      return true
    case .waiting:
      timer?.disarm()
      handle(.timer)
      return true
    case .closed, .opening, .abandoned, .closing: return false
    }
  }

  /// Something was plugged in, or pulled: a port that waits for its next attempt makes it now.
  ///
  /// - Parameter hasAppeared: Whether anything was plugged in; what was pulled helps where two devices fitted, or another
  ///   had this one's.
  public func lookAgain(hasAppeared: Bool = true) {
    switch machine.state {
    case .waiting(let error) where !hasAppeared && error.code != .ambiguous && error.code != .claimed: break
    case .closing where !hasAppeared: break
    case .closed, .opening, .abandoned, .open, .closing, .waiting: handle(.news)
    }
  }

  /// The open device is gone, says udev: it is closed before the kernel gives its name to the next one.
  public func deviceRemoved() {
    guard case .open = machine.state else { return }
    lose(.gone(place))
  }

  /// Takes other options. Where the line differs the port is closed and opened again by them, which drops what waits to
  /// be sent and what the driver holds unread; where it does not, nothing happens to it.
  public func use(_ options: SerialOptions) {
    guard options != self.options else { return }
    let isSame = options.opensLike(self.options)
    self.options = options
    guard !isSame else { return }
    journal.use(options)
    switch machine.state {
    // The next start takes them; an opening under way is compared with them when it ends.
    case .closed, .abandoned, .closing(then: .stay), .opening: break
    case .open:
      let error = PortError(code: .notOpen, message: "\(name) is opened again with other settings")
      handle(.stop)
      handle(.start)
      failWrites(error)
      handler(.lost(error))
    case .waiting, .closing:
      handle(.stop)
      handle(.start)
    }
  }

  // MARK: The state machine's hands

  private func handle(_ event: SerialPortStateMachine.Event) {
    let before = machine.state
    let action = machine.handle(event, using: &generator)
    if machine.state != before { since = .now() }
    perform(action)
  }

  private func perform(_ action: SerialPortStateMachine.Action) {
    switch action {
    case .none: break
    case .open: beginOpening()
    case .serve: serve()
    case .close: beginClosing()
    case .wait(let delay):
      retryAt = Uptime.monotonic + delay
      timer?.arm(after: delay)
    case .reportStuck: journal.stuck(machine.state)
    case .rest: timer?.disarm()
    }
  }

  private func beginOpening() {
    timer?.arm(after: timing.stuckAfter)
    // Weakly: the last reference must not go away on the pool's thread, the sources belong to the loop's.
    pool.submit { [weak self, loop, open, options] in
      let result = Result { () throws(PortError) in try open(options) }
      loop.execute { [weak self] in self?.assumeIsolated { $0.openingEnded(result, by: options) } }
    }
  }

  private func openingEnded(_ result: Result<any ByteStream, PortError>, by used: SerialOptions) {
    timer?.disarm()
    // Others are wanted meanwhile: what arrived is closed, and the next opening is by those.
    let isOutdated = machine.state == .opening && !used.opensLike(options)
    if isOutdated { handle(.stop) }
    defer { if isOutdated { handle(.start) } }
    switch result {
    case .success(let stream):
      arrived = stream
      handle(.opened)
      arrived = nil
    case .failure(let error):
      lastError = error
      if machine.state == .opening { journal.failed(error) }
      handle(.openingFailed(error))
    }
  }

  private func serve() {
    guard let stream = arrived else { return }
    let connection = Connection(stream)
    self.connection = connection
    granted = stream.granted
    openCount += 1
    connection.counters = stream.readCounters()
    if connection.counters != nil, driverErrors == nil { driverErrors = LineErrorCounts() }
    beginWatchingLineErrors()
    journal.opened(stream.granted)
    handler(.opened(stream.granted))
    do {
      connection.source = try IOSource(loop, descriptor: stream.descriptor, events: .readable) { [weak self] events in
        self?.assumeIsolated { $0.descriptorIsReady(events) }
      }
    } catch {
      lose(PortError(code: .failed, message: "cannot watch \(place)", cause: error))
    }
  }

  private func beginClosing() {
    guard let stream = connection?.stream ?? arrived else { return }
    errorTimer?.disarm()
    countDriverErrors()
    connection?.source = nil
    connection = nil
    timer?.arm(after: timing.stuckAfter)
    pool.submit { [weak self, loop] in
      stream.close()
      loop.execute { [weak self] in self?.assumeIsolated { $0.closingEnded() } }
    }
  }

  private func closingEnded() {
    timer?.disarm()
    handle(.closed)
    let waiting = stopping
    stopping = []
    for continuation in waiting { continuation.resume() }
  }

  // MARK: Reading

  private func descriptorIsReady(_ events: IOSource.Events) {
    guard let connection else { return }
    if !events.isDisjoint(with: [.readable, .hangup, .error]) {
      do throws(PortError) { try receive(from: connection, events) } catch { return lose(error) }
    }
    if events.contains(.writable), self.connection === connection { resumeSending(to: connection) }
  }

  private func receive(from connection: Connection, _ events: IOSource.Events) throws(PortError) {
    if try take(from: connection) { return }
    // Either would be reported again and again.
    if !events.isDisjoint(with: [.hangup, .error]) { throw .gone(place) }
    connection.emptyReads += 1
    guard connection.emptyReads < Self.brokenPromiseLimit else {
      throw PortError(code: .failed, message: "\(place) says it has bytes and gives none; its driver is broken")
    }
  }

  /// Takes what has arrived, up to `readLimit`, and tells it at once instead of in the loop's next round.
  ///
  /// - Returns: Whether anything had.
  func takeArrived() -> Bool {
    guard let connection else { return false }
    do throws(PortError) { return try take(from: connection) } catch {
      lose(error)
      return false
    }
  }

  private func take(from connection: Connection) throws(PortError) -> Bool {
    guard let (bytes, time) = try connection.stream.read(atMost: Self.readLimit) else { return false }
    connection.emptyReads = 0
    bytesReceived &+= UInt64(bytes.count)
    handler(.received(bytes, at: time))
    return true
  }

  /// Takes the port off the loop, says so and has it opened again.
  func lose(_ error: PortError) {
    guard let connection else { return }
    connection.source = nil
    lastError = error
    let duration = Uptime.monotonic - connection.openedAt
    journal.lost(error, afterBeingOpenFor: duration)
    handle(.lost(error, afterBeingOpenFor: duration))
    failWrites(error)
    handler(.lost(error))
  }
}
