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
  /// How long the driver may have no room before a write fails.
  public static let writeTimeout = Duration.seconds(5)
  /// How long an opening or closing may take before the log says that the driver is stuck. A wedged USB adapter takes
  /// 5 s for each control message.
  static let stuckAfter = Duration.seconds(10)

  /// Opens what the options name. Called on the pool.
  public typealias Opener = @Sendable (SerialOptions) throws(PortError) -> any ByteStream

  public nonisolated let name: String
  public nonisolated let options: SerialOptions
  nonisolated let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let pool: BlockingPool
  private let open: Opener
  private let handler: @Sendable (PortEvent) -> Void

  private var machine = SerialPortStateMachine()
  private var generator = SystemRandomNumberGenerator()
  private var connection: Connection?
  /// What the opening brought, until the machine says what becomes of it.
  private var arrived: (any ByteStream)?
  private var timer: TimerSource?
  private var stopping: [CheckedContinuation<Void, Never>] = []
  private var journal: PortJournal

  typealias WriteToken = CheckedContinuation<Result<Void, PortError>, Never>
  private var outgoing = OutgoingQueue<WriteToken>()
  private var writeTimer: TimerSource?

  private var since: CaptureTime?
  private var retryAt: Duration?
  private var lastError: PortError?
  private var granted: SerialOptions?
  private var bytesReceived: UInt64 = 0
  private var bytesSent: UInt64 = 0
  private var openCount = 0
  private var driverErrors: LineErrorCounts?

  /// An open stream and its place on the loop, which it leaves before its descriptor is closed.
  private final class Connection {
    let stream: any ByteStream
    let openedAt = Uptime.monotonic
    var source: IOSource?
    var counters: DriverCounters?
    var isWaitingForRoom = false

    init(_ stream: any ByteStream) { self.stream = stream }

    deinit { source = nil }
  }

  /// Makes a port that is closed.
  ///
  /// - Parameters:
  ///   - name: As the configuration names it; the log's metadata `port`.
  ///   - pool: Where opening, configuring and closing may block, one call of each port at a time.
  ///   - open: What opens the device; the kernel's ttys unless given.
  ///   - handler: Called synchronously on the loop. It should not hold the port's owner strongly.
  public init(
    name: String, options: SerialOptions, loop: EventLoop, pool: BlockingPool, log: Logger,
    open: @escaping Opener = TTY.open, handler: @escaping @Sendable (PortEvent) -> Void
  ) {
    self.name = name
    self.options = options
    self.loop = loop
    self.pool = pool
    self.open = open
    self.handler = handler
    journal = PortJournal(name: name, options: options, log: log)
  }

  // MARK: Start and stop

  /// Opens the port, and keeps it open from now on. Nothing happens when it is started already.
  public func start() {
    do {
      if timer == nil {
        timer = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.handle(.timer) } }
      }
      if writeTimer == nil {
        writeTimer = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.expireWrites() } }
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
    case .reportStuck: journal.stuck(machine.state, for: Self.stuckAfter)
    case .rest: timer?.disarm()
    }
  }

  private func beginOpening() {
    timer?.arm(after: Self.stuckAfter)
    // Weakly: the last reference must not go away on the pool's thread, the sources belong to the loop's.
    pool.submit { [weak self, loop, open, options] in
      let result = Result { () throws(PortError) in try open(options) }
      loop.execute { [weak self] in self?.assumeIsolated { $0.openingEnded(result) } }
    }
  }

  private func openingEnded(_ result: Result<any ByteStream, PortError>) {
    timer?.disarm()
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
    journal.opened(stream.granted)
    handler(.opened(stream.granted))
    do {
      connection.source = try IOSource(loop, descriptor: stream.descriptor, events: .readable) { [weak self] events in
        self?.assumeIsolated { $0.descriptorIsReady(events) }
      }
    } catch {
      lose(PortError(code: .failed, message: "cannot watch \(options.path)", cause: error))
    }
  }

  private func beginClosing() {
    guard let stream = connection?.stream ?? arrived else { return }
    countDriverErrors()
    connection?.source = nil
    connection = nil
    timer?.arm(after: Self.stuckAfter)
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
    do throws(PortError) {
      if !events.isDisjoint(with: [.readable, .hangup, .error]) {
        if let (bytes, time) = try connection.stream.read(atMost: Self.readLimit) {
          bytesReceived &+= UInt64(bytes.count)
          handler(.received(bytes, at: time))
        } else if !events.isDisjoint(with: [.hangup, .error]) {
          // Reported again and again until the source is dropped.
          throw .gone(options.path)
        }
      }
    } catch {
      return lose(error)
    }
    if events.contains(.writable), self.connection === connection { sendOutgoing() }
  }

  private func lose(_ error: PortError) {
    guard let connection else { return }
    connection.source = nil
    lastError = error
    let duration = Uptime.monotonic - connection.openedAt
    journal.lost(error, afterBeingOpenFor: duration)
    handle(.lost(error, afterBeingOpenFor: duration))
    failWrites(error)
    handler(.lost(error))
  }

  // MARK: Writing

  /// Sends bytes after those of earlier writes; whole, or not to the end.
  ///
  /// Returns when the driver has taken them all, before the last is on the line. Cancelling the caller does not take
  /// them back; what the driver has taken of a write that failed may still go out.
  ///
  /// - Throws: `PortError`: `.notOpen`; `.bufferFull` with more than 64 KiB or 256 writes waiting; `.timedOut` after
  ///   `writeTimeout`; `.gone` or `.failed` when the port is lost meanwhile.
  public func write(_ bytes: [UInt8]) async throws(PortError) {
    guard connection != nil else {
      throw PortError(code: .notOpen, message: "\(name) (\(options.path)) is not open")
    }
    guard !bytes.isEmpty else { return }
    guard outgoing.hasRoom(for: bytes.count) else {
      throw PortError(
        code: .bufferFull, message: "\(name): \(bytes.count) bytes refused, \(outgoing.byteCount) wait already")
    }
    let result: Result<Void, PortError> = await withCheckedContinuation { continuation in
      let isFirst = outgoing.isEmpty
      outgoing.append(bytes, deadline: Uptime.monotonic + Self.writeTimeout, token: continuation)
      if isFirst { sendOutgoing() }
    }
    try result.get()
  }

  private func sendOutgoing() {
    guard let connection else { return }
    do throws(PortError) {
      while let front = outgoing.front {
        let count = try connection.stream.write(front)
        if count <= 0 { break }
        bytesSent &+= UInt64(count)
        outgoing.advance(by: count)?.resume(returning: .success(()))
      }
      try waitForRoom(connection)
    } catch {
      lose(error)
    }
  }

  /// Asks to be told of room, and bounds the wait, exactly while something waits.
  private func waitForRoom(_ connection: Connection) throws(PortError) {
    if let deadline = outgoing.nextDeadline {
      writeTimer?.arm(after: max(.zero, deadline - Uptime.monotonic))
    } else {
      writeTimer?.disarm()
    }
    let needsRoom = !outgoing.isEmpty
    guard needsRoom != connection.isWaitingForRoom else { return }
    do {
      try connection.source?.wait(for: needsRoom ? [.readable, .writable] : .readable)
      connection.isWaitingForRoom = needsRoom
    } catch {
      throw PortError(code: .failed, message: "cannot watch \(options.path)", cause: error)
    }
  }

  private func expireWrites() {
    let error = PortError(
      code: .timedOut,
      message: """
        \(name) (\(options.path)) took nothing for \(Self.writeTimeout.components.seconds) s; \
        does the other end hold the line (flow: \(options.flow.rawValue))?
        """)
    for token in outgoing.expire(at: Uptime.monotonic) { token.resume(returning: .failure(error)) }
    guard let connection else { return }
    do throws(PortError) { try waitForRoom(connection) } catch { lose(error) }
  }

  private func failWrites(_ error: PortError) {
    writeTimer?.disarm()
    for token in outgoing.removeAll() { token.resume(returning: .failure(error)) }
  }

  // MARK: Status

  /// The port as it is now; reads the driver's counters where it keeps any.
  public var status: PortStatus {
    countDriverErrors()
    return PortStatus(
      name: name, path: options.path, state: publicState, since: since, lastError: lastError, granted: granted,
      bytesReceived: bytesReceived, bytesSent: bytesSent, reopenCount: max(0, openCount - 1),
      driverErrors: driverErrors)
  }

  private var publicState: PortStatus.State {
    switch machine.state {
    case .closed, .abandoned: .closed
    case .opening: .opening
    case .open: .open
    case .closing: .closing
    case .waiting: .waiting(retryIn: max(.zero, (retryAt ?? .zero) - Uptime.monotonic))
    }
  }

  private func countDriverErrors() {
    guard let connection, let before = connection.counters, let now = connection.stream.readCounters() else { return }
    connection.counters = now
    driverErrors?.add(from: before, to: now)
  }
}
