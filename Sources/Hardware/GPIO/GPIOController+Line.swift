internal import EventLoop
internal import Logging

extension GPIOController {
  /// One configured line: its chip's handle while it is held, and what is under way. Used on the loop alone.
  final class Line {
    private(set) var options: GPIOLineOptions
    var machine: GPIOLineStateMachine
    var journal: GPIOJournal
    var calls = CallQueue()
    var timer: TimerSource?
    /// Leaves the loop before the handle is released.
    var source: IOSource?
    private(set) var handle: (any GPIOLineHandle)?
    private(set) var heldSince = Duration.zero
    private(set) var wasHeld = false
    var debouncer: Debouncer
    /// When its edges were read last.
    var lastRead = Duration.seconds(-1)
    /// Its edges come so fast that the descriptor is not watched for a moment.
    var isResting = false
    /// Readings of a polled line that have failed in a row.
    var failedReads = 0
    /// As last reported; stays over an outage.
    var value: Bool?
    var changes: UInt64 = 0
    /// Counts the commands, so that a pulse knows whether it was the last.
    var command: UInt64 = 0
    /// From the command until the line is driven off again.
    var isPulsing = false
    /// Calls that may switch it on and have not ended.
    var pendingOn = 0
    /// Since when an output has been off, on the monotonic clock; `nil` while it is not known to be.
    var offSince: Duration?
    /// Whether it took its safe value since the server was out of reach, and was not commanded since.
    var isMadeSafe = false
    /// What last kept the line from us.
    var fault: GPIOFault?
    /// Whether the first request has been answered.
    var isTried = false
    /// The configuration has it no more; its place is free once nothing of it is under way.
    var isRetired = false
    /// The value the next request takes along in place of `initial`: an output that is only requested anew stays as it
    /// is, and is not driven before.
    var kept: Bool?

    init(_ options: GPIOLineOptions, timing: GPIOTiming, log: Logger) {
      self.options = options
      machine = GPIOLineStateMachine(timing: timing)
      journal = GPIOJournal(options, timing: timing, log: log)
      debouncer = Debouncer(false, period: .zero)
    }

    func take(_ handle: any GPIOLineHandle, timing: GPIOTiming) {
      self.handle = handle
      heldSince = Uptime.monotonic
      wasHeld = true
      fault = nil
      // The kernel debounces what comes from a character device.
      let period =
        if case .simulated = options.chip { max(options.debounce, timing.leastSimulatedDebounce) } else {
          handle.isPolled ? options.debounce : Duration.zero
        }
      let value = handle.first ?? self.value ?? false
      debouncer = Debouncer(value, period: period)
      journal.held(value)
      journal.complain(handle.complaint)
      if handle.isPolled { journal.polled() }
    }

    /// Takes other options; the line is not held by those before, or they are served alike.
    func use(_ options: GPIOLineOptions) {
      let isSame = options.isSameLine(as: self.options)
      self.options = options
      journal.use(options)
      guard !isSame else { return }
      (wasHeld, value, changes, fault, kept) = (false, nil, 0, nil, nil)
      (offSince, isMadeSafe) = (nil, false)
    }

    /// Whether another line may have its place.
    var isGone: Bool { isRetired && machine.state == .released && handle == nil && !calls.isRunning }

    /// What the next request is made with.
    var requested: GPIOLineOptions {
      var requested = options
      if isMadeSafe { requested.initial = options.safe == .on }
      if let kept { requested.initial = kept }
      return requested
    }

    /// What the end drives an output to; `nil` leaves it as it is. A pulse under way is no value to hold.
    ///
    /// - Parameter options: Those it was requested by.
    func valueToLeave(by options: GPIOLineOptions) -> Bool? {
      guard options.direction == .output, kept == nil else { return nil }
      switch options.safe {
      case .on: return true
      case .off: return false
      case .hold: return isPulsing ? false : nil
      }
    }

    /// Takes the line off the loop, with what was under way.
    func drop() {
      source = nil
      timer?.disarm()
      command &+= 1
      isPulsing = false
      offSince = nil
      isResting = false
      failedReads = 0
      handle = nil
    }

    func refused(_ fault: GPIOFault) {
      self.fault = fault
      journal.refused(fault)
    }

    func unavailable(because fault: GPIOFault?) -> GPIOError {
      let silence = machine.state == .released ? "it is not in use" : "its chip has not answered yet"
      let reason = fault.map { "\($0.message); tried again by itself" } ?? silence
      return GPIOError(.unavailable, "\(options.name) cannot be used: \(reason)")
    }
  }

  /// One line's calls on the pool: one at a time, in order.
  struct CallQueue {
    typealias Call = @Sendable () -> Void

    private(set) var isRunning = false
    private var pending: [Call] = []

    var waiting: Int { pending.count }

    /// - Returns: The call, where it is to be started now.
    mutating func add(_ call: @escaping Call) -> Call? {
      guard isRunning else {
        isRunning = true
        return call
      }
      pending.append(call)
      return nil
    }

    /// The call under way has ended.
    ///
    /// - Returns: The one to be started next.
    mutating func next() -> Call? {
      isRunning = !pending.isEmpty
      return pending.isEmpty ? nil : pending.removeFirst()
    }
  }
}
