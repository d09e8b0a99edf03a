internal import EventLoop

/// The life of a port, as a value: inputs are events, the answer is what the port must do. Knows no descriptor.
///
/// At most one opening or closing is under way at any time, so a driver that is stuck costs one thread of the pool, and
/// the old descriptor is closed before the path is opened again.
struct SerialPortStateMachine {
  enum State: Equatable {
    case closed
    case opening
    /// Stopped while an opening was under way; what arrives late is closed.
    case abandoned
    case open
    case closing(then: Afterwards)
    case waiting(PortError)
  }

  enum Afterwards: Equatable {
    case stay
    case open
    case wait(PortError)
  }

  enum Event {
    case start
    case stop
    case opened
    case openingFailed(PortError)
    case lost(PortError, afterBeingOpenFor: Duration)
    case closed
    case timer
    /// Something was plugged in, or has become free.
    case news
  }

  enum Action: Equatable {
    case none
    /// Open on the pool; its end is an event. The timer says if it takes too long.
    case open
    /// Watch the stream that was opened.
    case serve
    /// Close on the pool; its end is an event. The timer says if it takes too long.
    case close
    /// Arm the timer.
    case wait(Duration)
    /// Say that the driver does not answer.
    case reportStuck
    /// Nothing is under way any more.
    case rest
  }

  private(set) var state = State.closed
  private let timing: PortTiming
  private var backoff: Backoff
  private var retriesAtOnce = true
  /// Whether there was news while an opening or closing was under way, which may have looked too early.
  private var isNewsMissed = false

  init(timing: PortTiming = .standard) {
    self.timing = timing
    backoff = Backoff(first: timing.first, most: timing.most, jitter: .equal)
  }

  /// - Parameter generator: For the jitter.
  mutating func handle(_ event: Event, using generator: inout some RandomNumberGenerator) -> Action {
    switch event {
    case .start: start()
    case .stop: stop()
    case .opened: opened()
    case .openingFailed(let error): openingFailed(error, using: &generator)
    case .lost(let error, let duration): lost(error, afterBeingOpenFor: duration)
    case .closed: closed(using: &generator)
    case .timer: timer()
    case .news: news()
    }
  }

  private mutating func start() -> Action {
    switch state {
    case .closed:
      state = .opening
      return .open
    case .abandoned:
      state = .opening
      return .none
    case .closing(then: .stay):
      state = .closing(then: .open)
      return .none
    case .opening, .open, .closing, .waiting: return .none
    }
  }

  private mutating func stop() -> Action {
    switch state {
    case .opening:
      state = .abandoned
      return .none
    case .open:
      state = .closing(then: .stay)
      return .close
    case .closing:
      state = .closing(then: .stay)
      return .none
    case .waiting:
      state = .closed
      return .rest
    case .closed, .abandoned: return .none
    }
  }

  private mutating func opened() -> Action {
    switch state {
    case .opening:
      state = .open
      isNewsMissed = false
      return .serve
    case .abandoned:
      state = .closing(then: .stay)
      return .close
    case .closed, .open, .closing, .waiting: return .none
    }
  }

  private mutating func openingFailed(
    _ error: PortError, using generator: inout some RandomNumberGenerator
  ) -> Action {
    switch state {
    case .opening: return wait(error, using: &generator)
    case .abandoned:
      state = .closed
      return .rest
    case .closed, .open, .closing, .waiting: return .none
    }
  }

  private mutating func lost(_ error: PortError, afterBeingOpenFor duration: Duration) -> Action {
    switch state {
    case .open:
      // A port that opens and hangs up at once goes on with longer waits.
      if duration >= timing.stable {
        backoff.reset()
        retriesAtOnce = true
      }
      state = .closing(then: .wait(error))
      return .close
    case .closed, .opening, .abandoned, .closing, .waiting: return .none
    }
  }

  private mutating func closed(using generator: inout some RandomNumberGenerator) -> Action {
    switch state {
    case .closing(then: .stay):
      state = .closed
      return .rest
    case .closing(then: .open):
      state = .opening
      return .open
    case .closing(then: .wait(let error)):
      return wait(error, using: &generator)
    case .closed, .opening, .abandoned, .open, .waiting: return .none
    }
  }

  private mutating func timer() -> Action {
    switch state {
    case .waiting:
      state = .opening
      return .open
    case .opening, .abandoned, .closing: return .reportStuck
    case .closed, .open: return .none
    }
  }

  private mutating func news() -> Action {
    switch state {
    case .waiting:
      state = .opening
      return .open
    case .opening, .closing(then: .wait), .closing(then: .open):
      isNewsMissed = true
      return .none
    case .closed, .abandoned, .open, .closing(then: .stay): return .none
    }
  }

  private mutating func wait(_ error: PortError, using generator: inout some RandomNumberGenerator) -> Action {
    state = .waiting(error)
    if isNewsMissed {
      isNewsMissed = false
      return .wait(.zero)
    }
    if error.code == .gone, retriesAtOnce {
      retriesAtOnce = false
      return .wait(timing.firstRetry)
    }
    let delay = backoff.next(using: &generator)
    return .wait(error.code == .absent ? min(delay, timing.mostWhileAbsent) : delay)
  }
}
