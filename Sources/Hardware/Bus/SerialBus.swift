public import EventLoop
public import Logging
public import Telemetry

/// A port with a master on it, us: questions are sent one after the other, never interleaved, and their answers found.
///
/// It owns its port, keeps the silence between frames, repeats what was not answered and sets units aside that do not
/// answer; `docs/bus.md` has the rules. `stop` it before it is released.
public actor SerialBus {
  public nonisolated let name: String
  public private(set) var options: SerialOptions
  private let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  public typealias Completion = @Sendable (Result<BusAnswer, BusFailure>) -> Void

  private let pool: BlockingPool
  private let log: Logger
  private let open: SerialPort.Opener
  private let stateChanged: @Sendable () -> Void
  private let timing: @Sendable (SerialOptions) -> BusTiming

  private var machine: BusMachine
  private var journal: BusJournal
  /// `nil` before the start and after the stop.
  public private(set) var port: SerialPort?
  private var timer: TimerSource?
  /// What the timer is armed for.
  private var armedFor: Duration?
  private var waiting: [BusMachine.Ticket: Completion] = [:]
  private var lastTicket: BusMachine.Ticket = 0
  /// What happened while an event was being handled.
  private var events: [BusMachine.Event] = []
  private var isHandling = false

  /// Makes a bus whose port is closed.
  ///
  /// - Parameters:
  ///   - name: The port's, as the configuration names it; the log's metadata `port`.
  ///   - pool: As for `SerialPort`.
  ///   - open: What opens the device; ttys and serial servers unless given.
  ///   - stateChanged: Called on the loop when the port was opened or lost.
  public init(
    name: String, options: SerialOptions, loop: EventLoop, pool: BlockingPool, log: Logger,
    open: @escaping SerialPort.Opener = openStream, stateChanged: @escaping @Sendable () -> Void = {}
  ) {
    self.init(
      name: name, options: options, loop: loop, pool: pool, log: log, open: open, stateChanged: stateChanged,
      timing: { BusTiming($0) })
  }

  init(
    name: String, options: SerialOptions, loop: EventLoop, pool: BlockingPool, log: Logger,
    open: @escaping SerialPort.Opener, stateChanged: @escaping @Sendable () -> Void,
    timing: @escaping @Sendable (SerialOptions) -> BusTiming
  ) {
    self.name = name
    self.options = options
    self.loop = loop
    self.pool = pool
    self.log = log
    self.open = open
    self.stateChanged = stateChanged
    self.timing = timing
    machine = BusMachine(name: name, options: options.bus)
    journal = BusJournal(name: name, log: log)
  }

  // MARK: Start and stop

  /// Opens the port, and keeps it open from now on. Nothing happens when it is started already.
  public func start() {
    guard port == nil else { return }
    if timer == nil {
      do {
        timer = try TimerSource(loop, accuracy: .microseconds(1)) { [weak self] in
          self?.assumeIsolated { $0.timerFired() }
        }
      } catch {
        // A loop without a timer to give does not run at all; this is for the log.
        log.error("no timer for the bus \(name), nothing is asked on it (\(error))", metadata: ["port": "\(name)"])
        return
      }
    }
    let port = SerialPort(name: name, options: options, loop: loop, pool: pool, log: log, open: open) {
      [weak self] event in
      self?.assumeIsolated { $0.portTells(event) }
    }
    self.port = port
    handle(.started)
    port.assumeIsolated { $0.start() }
  }

  /// Ends what is under way and all that waits with `.stopped`, and closes the port. Returns when it is closed.
  public func stop() async {
    handle(.stopped)
    let port = port
    self.port = nil
    await port?.stop()
  }

  /// Takes other options: gap, time-out and retries from the next question on; the port is opened again only where its
  /// line differs.
  public func use(_ options: SerialOptions) {
    guard options != self.options else { return }
    let isSameBus = options.bus == self.options.bus
    self.options = options
    if !isSameBus { handle(.options(options.bus)) }
    port?.assumeIsolated { $0.use(options) }
  }

  // MARK: Asking

  /// Asks a question and waits for what becomes of it. Cancelling the caller does not take it back.
  ///
  /// - Parameter timeout: How long the answer may take; `nil` for the port's `timeout`.
  public func exchange(
    _ request: BusRequest, as traffic: BusTraffic, timeout: Duration? = nil
  ) async -> Result<BusAnswer, BusFailure> {
    await withCheckedContinuation { continuation in
      submit(request, as: traffic, timeout: timeout) { continuation.resume(returning: $0) }
    }
  }

  /// The same without a task.
  ///
  /// - Parameter then: Called once, on the loop, not before this returns. It may submit the next question.
  public func submit(
    _ request: BusRequest, as traffic: BusTraffic, timeout: Duration? = nil, then: @escaping Completion
  ) {
    let ticket = ticket(for: then)
    handle(.submitted(BusMachine.Exchange(request, ticket: ticket, as: traffic, timeout: timeout)))
  }

  /// Sends bytes to whoever listens, between two exchanges; what is answered is dropped.
  ///
  /// Returns when the driver has taken them all, before the last is on the line.
  ///
  /// - Throws: `PortError`: `.notOpen`; `.bufferFull` with more than `BusRequest.byteLimit` bytes or too much waiting;
  ///   `.timedOut` when the driver has no room.
  public func write(_ bytes: [UInt8]) async throws(PortError) {
    guard !bytes.isEmpty else { return }
    let result: Result<BusAnswer, BusFailure> = await withCheckedContinuation { continuation in
      let ticket = ticket { continuation.resume(returning: $0) }
      handle(.submitted(BusMachine.Exchange(plain: bytes, ticket: ticket)))
    }
    guard case .failure(let failure) = result else { return }
    let code: PortError.Code =
      switch failure.code {
      case .timedOut: .timedOut
      case .busy: .bufferFull
      case .setAside, .notOpen, .stopped: .notOpen
      }
    throw PortError(code: code, message: failure.message)
  }

  private func ticket(for completion: @escaping Completion) -> BusMachine.Ticket {
    lastTicket &+= 1
    waiting[lastTicket] = completion
    return lastTicket
  }

  // MARK: Status

  public var portStatus: PortStatus? { port?.assumeIsolated { $0.status } }

  /// The units that were asked so far, by number.
  public var units: [BusUnitStatus] { machine.unitStatuses(at: Uptime.monotonic) }

  /// Bytes that came while nobody waited for any: noise, late answers, another master.
  public var unexpectedBytes: UInt64 { machine.unexpectedBytes }

  // MARK: The machine's hands

  private func portTells(_ event: PortEvent) {
    switch event {
    case .opened(let granted):
      handle(.opened(timing(granted)))
      stateChanged()
    case .received(let bytes, let time): handle(.bytes(bytes, at: time))
    case .lost(let error):
      handle(.lost(error.message))
      stateChanged()
    }
  }

  private func timerFired() {
    armedFor = nil
    // After a delay of ours the answer may be there already.
    if machine.isAwaiting { _ = port?.assumeIsolated { $0.takeArrived() } }
    handle(.timer)
  }

  /// Handles an event and whatever follows from it at once, in order.
  private func handle(_ event: BusMachine.Event) {
    events.append(event)
    guard !isHandling else { return }
    isHandling = true
    let isSubmitting = if case .submitted = event { true } else { false }
    var index = 0
    while index < events.count {
      let event = events[index]
      index += 1
      // Who asks is not called before the call has returned, nor round and round where each question is refused.
      let isLater = if case .submitted = event { true } else { isSubmitting }
      for action in machine.handle(event, at: Uptime.monotonic) { perform(action, isLater) }
    }
    events.removeAll(keepingCapacity: true)
    isHandling = false
    armTimer()
  }

  private func perform(_ action: BusMachine.Action, _ isLater: Bool) {
    switch action {
    case .send(let bytes, let regardless): send(bytes, regardless)
    case .finish(let ticket, let outcome):
      guard let completion = waiting.removeValue(forKey: ticket) else { return }
      if isLater { loop.execute { completion(outcome) } } else { completion(outcome) }
    case .tell(let notice): journal.note(notice, on: options, at: Uptime.monotonic)
    }
  }

  private func send(_ bytes: [UInt8], _ regardless: Bool) {
    guard let port else { return }
    let hasArrived = port.assumeIsolated { $0.takeArrived() }
    if hasArrived, !regardless { return events.append(.held) }
    port.assumeIsolated { port in
      port.send(bytes) { [weak self] result in
        self?.assumeIsolated { $0.sent(result) }
      }
    }
  }

  private func sent(_ result: Result<Void, PortError>) {
    switch result {
    case .success: handle(.written(at: .now()))
    case .failure(let error): handle(.writeFailed(error))
    }
  }

  private func armTimer() {
    let deadline = machine.deadline
    guard deadline != armedFor else { return }
    armedFor = deadline
    if let deadline { timer?.arm(after: max(.zero, deadline - Uptime.monotonic)) } else { timer?.disarm() }
  }
}
