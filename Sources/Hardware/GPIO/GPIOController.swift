public import EventLoop
public import Logging
internal import Synchronization
internal import Telemetry

/// The configured GPIO lines, held from `start` to `stop`: inputs are followed, outputs driven.
///
/// Each line stands alone. One that cannot be had is asked for again and again, and holds up neither the daemon nor the
/// others. A simulated chip is used on the loop itself; a character device may sit behind a slow bus, so its calls run on
/// the pool, each line's one after the other. `stop` it before it is released.
public actor GPIOController: DigitalLines {
  /// The most calls of `set` and `pulse` that may wait for one line's chip.
  static let waitingLimit = 64

  /// In the order of the file.
  public nonisolated var lines: [GPIOLineOptions] { configured.withLock { $0 } }
  let configured: Mutex<[GPIOLineOptions]>
  nonisolated let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let pool: BlockingPool
  let timing: GPIOTiming
  let log: Logger
  private let request: GPIORequester
  let keeper: LineKeeper?
  var interlocks: Interlocks
  /// Outputs whose `safe_after` is over in this outage.
  var unreachable: Set<String> = []
  private let handler: @Sendable (GPIOEvent) -> Void
  let edgeHandler: @Sendable (GPIOEdges) -> Void
  var indices: [String: Int] = [:]
  /// Places in `held`, in the order of the file.
  var order: [Int] = []
  /// A line keeps its place as long as anything of it is under way; then another may have it.
  var held: [Line] = []

  private var generator = SystemRandomNumberGenerator()
  private var startTimer: TimerSource?
  private(set) var starting: [CheckedContinuation<Void, Never>] = []
  private var stopping: [CheckedContinuation<Void, Never>] = []
  var settleTimer: TimerSource?
  /// Those who want other options, waiting for what these leave.
  var settling: [CheckedContinuation<Void, Never>] = []
  /// Lines being left at their safe value.
  private(set) var leaving = 0
  private(set) var isRunning = false

  /// Makes lines that are not held yet.
  ///
  /// - Parameters:
  ///   - pool: Where a character device's calls may wait for its bus.
  ///   - keeper: What has outputs with `safe: hold` outlive this process; without one they are just left.
  ///   - handler: Called synchronously on the loop: with the first value of each line, each debounced change of an
  ///     input, and each change of an output. It should not hold the controller strongly.
  ///   - edges: The same for lines that are counted or measured, whose levels are not told.
  public init(
    _ options: GPIOOptions, on loop: EventLoop, pool: BlockingPool, log: Logger, keeper: LineKeeper? = nil,
    edges: @escaping @Sendable (GPIOEdges) -> Void = { _ in }, handler: @escaping @Sendable (GPIOEvent) -> Void
  ) {
    self.init(
      options, on: loop, pool: pool, log: log, timing: .standard, request: keeper?.request ?? requestLine,
      keeper: keeper, edges: edges, handler: handler)
  }

  init(
    _ options: GPIOOptions, on loop: EventLoop, pool: BlockingPool, log: Logger, timing: GPIOTiming,
    request: @escaping GPIORequester, keeper: LineKeeper? = nil,
    edges: @escaping @Sendable (GPIOEdges) -> Void = { _ in }, handler: @escaping @Sendable (GPIOEvent) -> Void
  ) {
    configured = Mutex(options.lines)
    interlocks = Interlocks(options.interlocks)
    self.keeper = keeper
    self.loop = loop
    self.pool = pool
    self.log = log
    self.timing = timing
    self.request = request
    self.handler = handler
    edgeHandler = edges
    held = options.lines.map { Line($0, timing: timing, log: log) }
    order = Array(held.indices)
    indices = Dictionary(options.lines.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  // MARK: Start and stop

  /// Requests every line; outputs take their `initial` value with the request. Returns when each line was tried once;
  /// after 5 s without those whose chip does not answer. Nothing happens to lines that are held already.
  public func start() async {
    isRunning = true
    await requestLines()
  }

  func requestLines() async {
    do {
      if startTimer == nil {
        startTimer = try TimerSource(loop) { [weak self] in self?.assumeIsolated { $0.startTookTooLong() } }
      }
      for index in order {
        let line = held[index]
        guard line.timer == nil else { continue }
        line.timer = try TimerSource(loop, accuracy: timing.accuracy) { [weak self] in
          self?.assumeIsolated { $0.timerFired(index) }
        }
      }
    } catch {
      // A loop without a timer to give does not run at all; this is for the log.
      let fault = GPIOFault(.failed, "no timer for GPIO", error)
      for index in order where held[index].handle == nil { held[index].refused(fault) }
      return
    }
    // What is to be on alone has to find the others off.
    let last = order.filter { comesLast(held[$0].requested.initial, $0) && held[$0].machine.state == .released }
    for index in order where !last.contains(index) { handle(.start, index) }
    await untilTried()
    await waitForGap(of: last)
    if isRunning, !last.isEmpty {
      for index in last { handle(.start, index) }
      await untilTried()
    }
    if !isStarting { keeper?.dropUnclaimed() }
  }

  private func untilTried() async {
    guard isStarting else { return }
    startTimer?.arm(after: timing.startLimit)
    await withCheckedContinuation { starting.append($0) }
  }

  var isStarting: Bool { held.contains { $0.machine.state == .requesting && !$0.isTried } }

  private func startTookTooLong() {
    for line in held where line.machine.state == .requesting && !line.isTried {
      line.journal.unanswered(after: timing.startLimit)
    }
    endStart()
  }

  func endStart() {
    startTimer?.disarm()
    let waiting = starting
    starting = []
    for continuation in waiting { continuation.resume() }
  }

  /// Leaves every output at its `safe` value and gives all lines back; returns when that is done, which a stuck driver
  /// can delay. A request under way is not waited for, its line is given back when it arrives.
  ///
  /// `hold` leaves an output as it is. The kernel may still change a line whose descriptor is closed: most chips keep
  /// it, some make it an input.
  public func stop() async {
    isRunning = false
    let last = held.indices.filter { comesLast(held[$0].options.safe == .on, $0) && held[$0].handle != nil }
    for index in held.indices where !last.contains(index) { stop(index) }
    endStart()
    endSettling()
    await untilLeft()
    await waitForGap(of: last)
    for index in last { stop(index) }
    await untilLeft()
  }

  private func stop(_ index: Int) {
    held[index].kept = nil
    handle(.stop, index)
    held[index].isTried = false
  }

  private func untilLeft() async {
    guard leaving > 0 else { return }
    await withCheckedContinuation { stopping.append($0) }
  }

  // MARK: The state machine's hands

  /// - Parameters:
  ///   - granted: What came of a request.
  ///   - requested: What that was made with.
  func handle(
    _ event: GPIOLineStateMachine.Event, _ index: Int, granted: (any GPIOLineHandle)? = nil,
    requested: GPIOLineOptions? = nil
  ) {
    let line = held[index]
    switch line.machine.handle(event, using: &generator) {
    case .none: break
    case .request: beginRequest(index)
    case .serve: if let granted { serve(granted, index) }
    case .leave: if let handle = granted ?? line.handle { leave(handle, index, by: requested ?? line.options) }
    case .wait(let delay): line.timer?.arm(after: delay)
    case .rest: line.timer?.disarm()
    }
  }

  private func beginRequest(_ index: Int) {
    let (options, isFirst, request) = (allowed(index), !held[index].wasHeld, request)
    if options.initial { held[index].pendingOn += 1 }
    call(index) {
      Result { () throws(GPIOFault) in try request(options, isFirst) }
    } then: { controller, result in
      controller.requestEnded(result, index, by: options)
    }
  }

  private func requestEnded(
    _ result: Result<any GPIOLineHandle, GPIOFault>, _ index: Int, by options: GPIOLineOptions
  ) {
    let line = held[index]
    if options.initial { line.pendingOn -= 1 }
    // Others are wanted meanwhile: what arrived is given back, and the next request is by those.
    let isOutdated = line.machine.state == .requesting && !options.isServedLike(line.options)
    if isOutdated { handle(.stop, index) }
    defer { if isOutdated { handle(.start, index) } }
    line.isTried = !isOutdated
    switch result {
    case .success(let handle): self.handle(.granted, index, granted: handle, requested: options)
    case .failure(let fault):
      if line.machine.state == .requesting { line.refused(fault) }
      handle(.refused(fault), index)
    }
    if !isOutdated, !starting.isEmpty, !isStarting { endStart() }
  }

  private func serve(_ handle: any GPIOLineHandle, _ index: Int) {
    let line = held[index]
    line.take(handle, timing: timing)
    line.kept = nil
    do {
      line.source = try IOSource(loop, descriptor: handle.descriptor, events: .readable) { [weak self] events in
        self?.assumeIsolated { $0.descriptorIsReady(events, index) }
      }
    } catch {
      return lose(GPIOFault(.failed, "cannot watch \(line.options.chip)", error), index)
    }
    if handle.isPolled { line.timer?.arm(after: line.options.poll) }
    // What happened while the line was not ours is no edge.
    guard line.options.meter == nil else {
      line.value = line.debouncer.level
      return
    }
    // Of a line that says nothing yet: it is off.
    report(GPIOChange(value: handle.first ?? line.value ?? false, time: .now()), index)
    endForbidden(index)
  }

  private func leave(_ handle: any GPIOLineHandle, _ index: Int, by options: GPIOLineOptions) {
    let line = held[index]
    let safe = allowedToLeave(index, by: options)
    let keeping = !isRunning && options.safe == .hold
    drainEdges(of: line)
    line.drop()
    leaving += 1
    call(index) {
      defer { handle.release(keeping: keeping) }
      return Result { () throws(GPIOFault) in try safe.map { (safe) throws(GPIOFault) in try handle.drive(safe) } }
    } then: { controller, result in
      controller.left(result, safe, index, by: options)
    }
  }

  private func left(_ result: Result<Bool?, GPIOFault>, _ safe: Bool?, _ index: Int, by options: GPIOLineOptions) {
    if case .success(let value?) = result, let safe { held[index].journal.readBack(value, of: safe) }
    switch result {
    // Of a line that is another by now there is nothing to tell.
    case .success(.some) where !held[index].options.isSameLine(as: options): break
    case .success(let value?): report(GPIOChange(value: value, time: .now()), index)
    case .success(nil): break
    case .failure(let fault): held[index].journal.cannotLeave(fault)
    }
    leaving -= 1
    guard leaving == 0 else { return }
    let waiting = stopping
    stopping = []
    for continuation in waiting { continuation.resume() }
    endSettling()
  }

  func lose(_ fault: GPIOFault, _ index: Int) {
    let line = held[index]
    guard let handle = line.handle else { return }
    let duration = Uptime.monotonic - line.heldSince
    line.drop()
    line.fault = fault
    line.journal.lost(fault, afterBeingHeldFor: duration)
    // Before the next request, which would meet our own descriptor.
    call(index) {
      handle.release()
    } then: { _, _ in
    }
    self.handle(.lost(fault, afterBeingHeldFor: duration), index)
  }

  // MARK: Inputs

  private func descriptorIsReady(_ events: IOSource.Events, _ index: Int) {
    let line = held[index]
    guard let handle = line.handle else { return }
    if line.hasEdgeEvents { return readEdges(events, index) }
    do throws(GPIOFault) {
      let changes = try takeChanges(of: line, handle, index)
      // Either would be reported again and again.
      if changes == 0, !events.isDisjoint(with: [.hangup, .error]) { throw .gone("\(line.options.chip)") }
    } catch {
      lose(error, index)
    }
  }

  /// - Returns: How many there were.
  @discardableResult
  private func takeChanges(
    of line: Line, _ handle: any GPIOLineHandle, _ index: Int
  ) throws(GPIOFault) -> Int {
    let changes = try handle.takeChanges()
    line.journal.complain(handle.complaint)
    for change in changes { act(on: line.debouncer.see(change, now: Uptime.monotonic), index) }
    return changes.count
  }

  private func act(on verdict: Debouncer.Verdict, _ index: Int) {
    switch verdict {
    case .rest: held[index].timer?.disarm()
    case .wait(let delay): held[index].timer?.arm(after: delay)
    case .stands(let change): report(change, index)
    }
  }

  /// Tells of a value that is new.
  func report(_ change: GPIOChange, _ index: Int) {
    let line = held[index]
    line.offSince = change.value ? nil : line.offSince ?? Uptime.monotonic
    guard line.value != change.value else { return }
    if line.value != nil { line.changes &+= 1 }
    line.value = change.value
    if line.options.meter != nil { return note(change, of: line) }
    handler(GPIOEvent(line: line.options.name, value: change.value, time: change.time))
  }

  // MARK: Timer

  /// A line's one timer: for the next request while it is not held, then for an input's level to stand or for the end of
  /// an output's pulse.
  private func timerFired(_ index: Int) {
    let line = held[index]
    guard let handle = line.handle else { return self.handle(.timer, index) }
    switch line.options.direction {
    case .input where handle.isPolled: poll(handle, index)
    case .input where line.isResting: resume(index)
    case .input:
      // Not by the clock alone: after a stall, a change may wait that came before the time was up.
      do throws(GPIOFault) { try takeChanges(of: line, handle, index) } catch { return lose(error, index) }
      act(on: line.debouncer.settle(now: Uptime.monotonic), index)
    case .output:
      line.isPulsing = false
      drive(handle, to: false, index) { _, _ in }
    }
  }

  // MARK: Calls to the chip

  /// Runs a call to a line's chip after the line's earlier ones, and `then` on the loop: at once where nothing can block.
  func call<Outcome: Sendable>(
    _ index: Int, _ body: @escaping @Sendable () -> Outcome,
    then: @escaping @Sendable (isolated GPIOController, Outcome) -> Void
  ) {
    guard case .device = held[index].options.chip else { return then(self, body()) }
    // Weakly: the last reference must not go away on the pool's thread, the sources belong to the loop's.
    let start: @Sendable () -> Void = { [weak self, pool, loop] in
      pool.submit { [weak self] in
        let outcome = body()
        loop.execute { [weak self] in
          self?.assumeIsolated { controller in
            then(controller, outcome)
            controller.held[index].calls.next()?()
          }
        }
      }
    }
    held[index].calls.add(start)?()
  }

  /// - Parameter isLasting: Whether it is a value to hold: not while a pulse is under way.
  func drive(
    _ handle: any GPIOLineHandle, to value: Bool, _ index: Int, isLasting: Bool = true,
    then: @escaping @Sendable (isolated GPIOController, Result<Bool, GPIOFault>) -> Void
  ) {
    let line = held[index]
    let isHeld = isLasting && line.options.safe == .hold
    if value { line.pendingOn += 1 }
    call(index) {
      if !isHeld { handle.hold(false) }
      let result = Result { () throws(GPIOFault) in try handle.drive(value) }
      if isHeld { handle.hold(true) }
      return result
    } then: { controller, result in
      if value { controller.held[index].pendingOn -= 1 }
      // Who commanded it goes on before the others are told.
      then(controller, result)
      controller.driven(handle, to: value, result, index)
    }
  }

  private func driven(_ handle: any GPIOLineHandle, to wanted: Bool, _ result: Result<Bool, GPIOFault>, _ index: Int) {
    switch result {
    case .success(let value):
      held[index].journal.readBack(value, of: wanted)
      report(GPIOChange(value: value, time: .now()), index)
    // Of a handle that was dropped meanwhile, nothing is to be lost any more.
    case .failure(let fault): if held[index].handle === handle { lose(fault, index) }
    }
  }
}
