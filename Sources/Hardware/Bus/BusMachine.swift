internal import EventLoop
internal import Telemetry

/// A bus with a master, as a value: inputs are events and the time, the answer is what its owner must do. Knows neither
/// line nor clock.
///
/// One exchange at a time: silence, question, answer. Questions wait in two queues, commands before polls, each in order
/// of arrival. What arrives while nobody waits for it is dropped.
struct BusMachine {
  /// After a broadcast the units have this long to do what it says (MODBUS over Serial Line V1.02, 2.4.1: 100 to 200 ms).
  static let turnaround = Duration.milliseconds(100)
  /// Adapters deliver in bursts, up to 16 ms apart (FTDI's latency timer): what has begun to come may go on after this.
  static let burst = Duration.milliseconds(20)
  /// Fewer bytes at once are noise, such as a driver's that leaves the line, and no late answer.
  static let shortestFrame = 4
  /// The longest frame of Modbus ASCII has 513 characters; an answer that has begun in time may take as long.
  static let longestFrame = 520
  /// A line that is never silent (noise, another master) holds the next question up for no longer.
  static let mostUnrest = Duration.milliseconds(500)
  /// How long commands wait for a port that was just lost; most hang-ups are over in a second.
  static let portPatience = Duration.seconds(5)
  /// Commands and polls that wait, at most.
  static let commandLimit = 64
  static let pollLimit = 512

  /// Stands for who asked; given back once, with the outcome.
  typealias Ticket = UInt64

  enum Event {
    case started
    case stopped
    case opened(BusTiming)
    case lost(String)
    case submitted(Exchange)
    case bytes([UInt8], at: CaptureTime)
    /// The driver has taken what `send` gave.
    case written(at: CaptureTime)
    /// Something had arrived just before, so that nothing was written.
    case held
    case writeFailed(PortError)
    case options(BusOptions)
    case timer
  }

  enum Action {
    /// Drop what has arrived, then write; where something had, only if `regardless`. Ends as `written`, `held` or
    /// `writeFailed`.
    case send([UInt8], regardless: Bool)
    case finish(Ticket, Result<BusAnswer, BusFailure>)
    case tell(BusNotice)
  }

  private enum State {
    case stopped
    /// The port is not open; commands wait until then.
    case closed(patience: Duration)
    /// Nobody is being asked.
    case ready
    case sending(Exchange)
    case awaiting(Attempt, until: Duration)
    case turning(Exchange, written: CaptureTime, until: Duration)
  }

  let name: String
  private var options: BusOptions
  private var timing = BusTiming(character: .zero, silence: .zero)
  private var state = State.stopped
  private var commands: [Exchange] = []
  private var polls: [Exchange] = []
  private var line = LineQuiet()
  private var units = BusUnits()
  /// The line has given back what we sent, so it is waited for: some answers look like their questions.
  private var hasEcho = false
  private var isToldOfEcho = false
  /// Whose time was up without a byte, while nothing else has been sent: what comes now is late.
  private var lateUnit: (unit: Int, timeout: Duration)?
  /// Bytes that came while nobody waited for any.
  private(set) var unexpectedBytes: UInt64 = 0
  private var actions: [Action] = []

  init(name: String, options: BusOptions) {
    self.name = name
    self.options = options
  }

  // MARK: What is seen from outside

  /// When `timer` is due; `nil` while nothing is waited for but events.
  var deadline: Duration? {
    switch state {
    case .stopped, .sending: nil
    case .closed(let patience): commands.isEmpty ? nil : patience
    case .ready: waiting == 0 ? nil : line.freeAt(timing, gap: options.gap)
    case .awaiting(_, let until), .turning(_, _, let until): until
    }
  }

  /// Questions that were not sent yet.
  var waiting: Int { commands.count + polls.count }

  /// Whether an answer is waited for.
  var isAwaiting: Bool { if case .awaiting = state { true } else { false } }

  func unitStatuses(at now: Duration) -> [BusUnitStatus] { units.statuses(at: now) }

  // MARK: Events

  mutating func handle(_ event: Event, at now: Duration) -> [Action] {
    switch event {
    case .started: started(at: now)
    case .stopped: close(.stopped, .stopped, "\(name) was stopped")
    case .opened(let timing): opened(timing, at: now)
    case .lost(let message): lost(message, at: now)
    case .submitted(let exchange): submitted(exchange, at: now)
    case .bytes(let bytes, let time): received(bytes, time, at: now)
    case .written(let time): written(time, at: now)
    case .held: held(at: now)
    case .writeFailed(let error): writeFailed(error, at: now)
    case .options(let options):
      self.options = options
      units.forgetLateness()
      units.allAreDue(at: now)
    case .timer: timer(at: now)
    }
    defer { actions.removeAll() }
    return actions
  }

  private mutating func started(at now: Duration) {
    if case .stopped = state { state = .closed(patience: now + Self.portPatience) }
  }

  private mutating func opened(_ timing: BusTiming, at now: Duration) {
    guard case .closed = state else { return }
    self.timing = timing
    // Nobody knows what was on the line a moment ago.
    line = LineQuiet(since: now)
    lateUnit = nil
    hasEcho = false
    units.allAreDue(at: now)
    state = .ready
    next(at: now)
  }

  private mutating func lost(_ message: String, at now: Duration) {
    switch state {
    case .stopped, .closed: return
    case .ready, .sending, .awaiting, .turning: break
    }
    let waitingCommands = commands
    commands = []
    close(.closed(patience: now + Self.portPatience), .notOpen, message)
    commands = waitingCommands
  }

  /// Ends whatever is under way and all that waits.
  private mutating func close(_ next: State, _ code: BusFailure.Code, _ message: String) {
    let current: Exchange? =
      switch state {
      case .stopped, .closed, .ready: nil
      case .sending(let exchange), .turning(let exchange, _, _): exchange
      case .awaiting(let attempt, _): attempt.exchange
      }
    state = next
    if let current { finish(current, .failure(BusFailure(code, "\(message) while \(current.whom) was asked"))) }
    let ended = commands + polls
    (commands, polls) = ([], [])
    for exchange in ended { finish(exchange, .failure(BusFailure(code, message))) }
  }

  private mutating func submitted(_ exchange: Exchange, at now: Duration) {
    guard (1...BusRequest.byteLimit).contains(exchange.bytes.count) else {
      let count = exchange.bytes.count
      return refuse(exchange, .busy, "\(name) sends 1 to \(BusRequest.byteLimit) bytes at once, not \(count)")
    }
    switch state {
    case .stopped: return refuse(exchange, .stopped, "\(name) was stopped")
    case .closed(let patience) where exchange.traffic == .poll || patience <= now:
      return refuse(exchange, .notOpen, "\(name) is not open")
    case .closed, .ready, .sending, .awaiting, .turning: break
    }
    if exchange.traffic == .poll, let unit = exchange.unit,
      case .refused(let silence, let wait) = admit(unit, .poll, now)
    {
      return refuse(exchange, .setAside, setAside(unit, silence, wait))
    }
    let isFull =
      exchange.traffic == .command ? commands.count >= Self.commandLimit : polls.count >= Self.pollLimit
    guard !isFull else { return refuse(exchange, .busy, "\(name): refused, \(waiting) questions wait already") }
    if exchange.traffic == .command { commands.append(exchange) } else { polls.append(exchange) }
    next(at: now)
  }

  private mutating func received(_ bytes: [UInt8], _ time: CaptureTime, at now: Duration) {
    switch state {
    case .stopped, .closed: return
    case .awaiting(var attempt, let until):
      line.heard(at: now)
      // The attempt has one owner meanwhile, so that the finder's buffer is not copied.
      state = .ready
      attempt.isHeard = true
      if let answer = attempt.finder.feed(bytes) {
        answered(attempt, BusAnswer(answer, at: time), at: now)
      } else {
        state = .awaiting(attempt, until: until)
      }
    case .ready, .sending, .turning:
      unexpectedBytes &+= UInt64(bytes.count)
      line.heardUnexpected(at: now)
      guard bytes.count >= Self.shortestFrame, let (unit, timeout) = lateUnit else { return }
      lateUnit = nil
      if let notice = units.count(lateAnswerOf: unit, timeout: timeout) { actions.append(.tell(notice)) }
    }
  }

  private mutating func written(_ time: CaptureTime, at now: Duration) {
    guard case .sending(let exchange) = state else { return }
    let end = now + timing.character * exchange.bytes.count
    line.sends(until: end)
    lateUnit = nil
    switch exchange.kind {
    case .plain:
      state = .ready
      finish(exchange, .success(BusAnswer([], at: time)))
      next(at: now)
    case .broadcast: state = .turning(exchange, written: time, until: end + Self.turnaround)
    case .question(let unit, var finder):
      units.count(asked: unit, again: exchange.attempts > 0)
      if hasEcho { finder.expectEcho() }
      let timeout = exchange.timeout ?? options.timeout
      let attempt = Attempt(
        exchange: exchange, unit: unit, finder: finder, start: now, end: end, timeout: timeout,
        latest: end + timeout + timing.character * Self.longestFrame)
      state = .awaiting(attempt, until: end + timeout)
    }
  }

  private mutating func held(at now: Duration) {
    guard case .sending(let exchange) = state else { return }
    state = .ready
    putBack(exchange)
    next(at: now)
  }

  private mutating func writeFailed(_ error: PortError, at now: Duration) {
    guard case .sending(let exchange) = state else { return }
    switch error.code {
    case .timedOut, .bufferFull:
      state = .ready
      finish(exchange, .failure(BusFailure(error.code == .timedOut ? .timedOut : .busy, error.message)))
      next(at: now)
    // Said here before it is told as an event.
    case .absent, .ambiguous, .claimed, .forbidden, .inUse, .notATerminal, .gone, .failed, .notOpen:
      lost(error.message, at: now)
    }
  }

  private mutating func timer(at now: Duration) {
    switch state {
    case .stopped, .sending: break
    case .closed(let patience):
      guard now >= patience else { return }
      let ended = commands
      commands = []
      for exchange in ended { finish(exchange, .failure(BusFailure(.notOpen, "\(name) is not open"))) }
    case .ready: next(at: now)
    case .turning(let exchange, let time, let until):
      guard now >= until else { return }
      state = .ready
      finish(exchange, .success(BusAnswer([], at: time)))
      next(at: now)
    case .awaiting(let attempt, let until):
      guard now >= until else { return }
      // A long answer that has begun in time is not cut off.
      let more = min(line.lastHeard + timing.silence + Self.burst, attempt.latest)
      if attempt.isHeard, now < more { state = .awaiting(attempt, until: more) } else { timedOut(attempt, at: now) }
    }
  }

  // MARK: Exchanges

  /// Sends the next question, if there is one and the line is silent.
  private mutating func next(at now: Duration) {
    while case .ready = state, waiting > 0 {
      line.isWanted(at: now)
      guard line.freeAt(timing, gap: options.gap) <= now else { return }
      var exchange = commands.isEmpty ? polls.removeFirst() : commands.removeFirst()
      if let unit = exchange.unit {
        switch admit(unit, exchange.traffic, now) {
        case .question: exchange.isProbe = false
        case .probe: exchange.isProbe = true
        case .refused(let silence, let wait):
          refuse(exchange, .setAside, setAside(unit, silence, wait))
          continue
        }
      }
      let bytes = exchange.bytes
      let isUnrest = line.isUnrest(timing, gap: options.gap, at: now)
      state = .sending(exchange)
      actions.append(.send(bytes, regardless: isUnrest))
    }
  }

  private mutating func answered(_ attempt: Attempt, _ answer: BusAnswer, at now: Duration) {
    let exchange = attempt.exchange
    noteEcho(attempt)
    let delay = max(.zero, now - attempt.end)
    if let notice = units.answered(attempt.unit, after: delay, at: now) { actions.append(.tell(notice)) }
    line.isSettled()
    if let earlier = exchange.unheardEnd {
      // This may be the first attempt's answer, and the other then comes as long after it as the questions were apart.
      line.mayBeDisturbed(until: now + min(attempt.end - earlier, Self.mostUnrest))
      lateUnit = (attempt.unit, attempt.timeout)
    }
    finish(exchange, .success(answer))
    next(at: now)
  }

  private mutating func timedOut(_ attempt: Attempt, at now: Duration) {
    var exchange = attempt.exchange
    state = .ready
    noteEcho(attempt)
    exchange.attempts += 1
    exchange.unheardEnd = attempt.isHeard ? nil : attempt.end
    lateUnit = attempt.isHeard ? nil : (attempt.unit, attempt.timeout)
    if attempt.isHeard { line.heardInVain() }
    units.count(timeoutOf: attempt.unit)
    if !exchange.isProbe, exchange.attempts <= options.retries {
      putBack(exchange)
    } else {
      let message = exchange.failure(on: name, attempt)
      let notice = units.failed(attempt.unit, message, cost: now - attempt.start, at: now)
      if let notice { actions.append(.tell(notice)) }
      finish(exchange, .failure(BusFailure(.timedOut, message)))
    }
    next(at: now)
  }

  /// Learns whether the line gives back what we send, and that it no longer does.
  private mutating func noteEcho(_ attempt: Attempt) {
    if attempt.finder.hasUnexpectedEcho {
      hasEcho = true
      if !isToldOfEcho { actions.append(.tell(.hearsItself)) }
      isToldOfEcho = true
    } else if attempt.isHeard, attempt.finder.awaitsEcho {
      hasEcho = false
    }
  }

  private mutating func putBack(_ exchange: Exchange) {
    if exchange.traffic == .command { commands.insert(exchange, at: 0) } else { polls.insert(exchange, at: 0) }
  }

  private mutating func admit(_ unit: Int, _ traffic: BusTraffic, _ now: Duration) -> BusUnits.Admission {
    units.admit(unit, as: traffic, at: now)
  }

  private func setAside(_ unit: Int, _ silence: Duration, _ wait: Duration) -> String {
    "unit \(unit) on \(name) has not answered for \(silence.forHumans); it is asked again in \(wait.forHumans)"
  }

  private mutating func refuse(_ exchange: Exchange, _ code: BusFailure.Code, _ message: String) {
    finish(exchange, .failure(BusFailure(code, message)))
  }

  private mutating func finish(_ exchange: Exchange, _ outcome: Result<BusAnswer, BusFailure>) {
    actions.append(.finish(exchange.ticket, outcome))
  }
}
