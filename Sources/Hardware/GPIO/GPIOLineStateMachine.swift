internal import EventLoop

/// How long lines wait for what.
struct GPIOTiming: Sendable {
  /// The back-off between attempts to have a line begins here and doubles, with jitter, up to `most`.
  var first = Duration.milliseconds(500)
  var most = Duration.seconds(30)
  /// A missing chip is looked for at least this often: it costs little, and who plugged it in waits beside it.
  var mostWhileAbsent = Duration.seconds(5)
  /// How long a line must have been ours for its loss to count as a new outage.
  var stable = Duration.seconds(10)
  /// How long `start` waits for a chip that does not answer.
  var startLimit = Duration.seconds(5)
  /// How long a simulated level must stand, whatever the configuration says.
  var leastSimulatedDebounce = Duration.milliseconds(20)
  /// How late a timer may be; a pulse's length depends on it.
  var accuracy = Duration.microseconds(500)

  static let standard = GPIOTiming()
}

/// The life of one line, as a value: inputs are events, the answer is what the line must do.
struct GPIOLineStateMachine {
  enum State: Equatable {
    case released
    case requesting
    /// Stopped while a request was under way; what arrives late is given back.
    case abandoned
    case held
    case waiting
  }

  enum Event {
    case start
    case stop
    case granted
    case refused(GPIOFault)
    case lost(GPIOFault, afterBeingHeldFor: Duration)
    case timer
  }

  enum Action: Equatable {
    case none
    /// Ask the chip for the line; its answer is an event.
    case request
    /// Use the line that was granted.
    case serve
    /// Leave the line at its safe value and give it back.
    case leave
    /// Arm the timer.
    case wait(Duration)
    /// Nothing is under way any more.
    case rest
  }

  private(set) var state = State.released
  private let timing: GPIOTiming
  private var backoff: Backoff

  init(timing: GPIOTiming = .standard) {
    self.timing = timing
    backoff = Backoff(first: timing.first, most: timing.most, jitter: .equal)
  }

  /// - Parameter generator: For the jitter.
  mutating func handle(_ event: Event, using generator: inout some RandomNumberGenerator) -> Action {
    switch (event, state) {
    case (.start, .released):
      state = .requesting
      return .request
    case (.start, .abandoned):
      state = .requesting
      return .none
    case (.stop, .requesting):
      state = .abandoned
      return .none
    case (.stop, .held):
      state = .released
      return .leave
    case (.stop, .waiting):
      state = .released
      return .rest
    case (.granted, .requesting):
      state = .held
      return .serve
    case (.granted, .abandoned):
      state = .released
      return .leave
    case (.refused(let fault), .requesting): return wait(fault, using: &generator)
    case (.refused, .abandoned):
      state = .released
      return .rest
    case (.lost(let fault, let duration), .held):
      // A line that is lost as soon as it is had goes on with longer waits.
      if duration >= timing.stable { backoff.reset() }
      return wait(fault, using: &generator)
    case (.timer, .waiting):
      state = .requesting
      return .request
    case (.start, _), (.stop, _), (.granted, _), (.refused, _), (.lost, _), (.timer, _): return .none
    }
  }

  private mutating func wait(_ fault: GPIOFault, using generator: inout some RandomNumberGenerator) -> Action {
    state = .waiting
    let delay = backoff.next(using: &generator)
    return .wait(fault.isAbsence ? min(delay, timing.mostWhileAbsent) : delay)
  }
}

extension GPIOFault {
  /// Whether the chip is not there, which somebody may change at any moment.
  var isAbsence: Bool { code == .absent || code == .gone }
}
