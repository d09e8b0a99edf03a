internal import EventLoop
internal import Logging

/// What the log says of one port: each cause once an outage, not once an attempt.
struct PortJournal {
  private let log: Logger
  private let name: String
  private var options: SerialOptions
  private let timing: PortTiming
  private var told: Set<PortError.Code> = []
  private var isFlappingTold = false
  private var isOutageTold = false
  private var outageBegan: Duration?
  private var warnedOf: SerialOptions?
  private var wasOpen = false
  /// Where it last was.
  private var lastDevice: String?

  init(name: String, options: SerialOptions, timing: PortTiming, log: Logger) {
    self.name = name
    self.options = options
    self.timing = timing
    var log = log
    log[metadataKey: "port"] = "\(name)"
    self.log = log
  }

  /// The port is opened by other options from now on: what was told of the earlier ones is no longer known.
  mutating func use(_ options: SerialOptions) {
    self.options = options
    told = []
    (isFlappingTold, isOutageTold) = (false, false)
    (outageBegan, warnedOf, lastDevice) = (nil, nil, nil)
  }

  /// An attempt to open it failed.
  mutating func failed(_ error: PortError) {
    beginOutage()
    guard told.insert(error.code).inserted else { return log.debug("\(name): \(error)") }
    isOutageTold = true
    // A missing device may be switched off for good reason; the others want a person.
    log.log(
      level: error.code == .absent ? .warning : .error,
      "\(name): \(error.message); tried again at least every \(interval(error))\(Self.reason(error))")
  }

  /// It was open and no longer is.
  mutating func lost(_ error: PortError, afterBeingOpenFor duration: Duration) {
    if duration >= timing.stable {
      told = []
      isFlappingTold = false
    }
    beginOutage()
    if told.insert(error.code).inserted {
      // What comes next is no news.
      if error.code == .gone { told.insert(.absent) }
      isOutageTold = true
      log.warning(
        """
        \(name) (\(options.notation)): \(error.message); it was open for \(duration.forHumans); \
        opened again as soon as it is there, looked for at least every \(interval(error))\(Self.reason(error))
        """)
    } else if !isFlappingTold {
      isFlappingTold = true
      isOutageTold = true
      log.warning(
        """
        \(name): \(error.message); it was open for \(duration.forHumans) only, again; tried at least every \
        \(interval(error)), without a line each time; check cable and power\(Self.reason(error))
        """)
    } else {
      log.debug("\(name): \(error)")
    }
  }

  mutating func opened(_ granted: SerialOptions) {
    let again = wasOpen ? " again" : ""
    let outage = outageBegan.map { " after \((Uptime.monotonic - $0).forHumans)" } ?? ""
    let isElsewhere = lastDevice.map { $0 != granted.path } ?? false
    let level: Logger.Level = isOutageTold || isElsewhere ? .notice : wasOpen ? .debug : .info
    log.log(level: level, "\(name): \(options.path) is open\(again)\(outage)\(node(granted)) (\(granted.notation))")
    lastDevice = granted.path
    wasOpen = true
    isOutageTold = false
    outageBegan = nil
    let shortcomings = options.shortcomings(of: granted)
    if !shortcomings.isEmpty, warnedOf != granted {
      log.warning(
        """
        \(name): the driver of \(granted.path) took \(shortcomings.joined(separator: ", ")); \
        going on, but check the adapter if nothing readable comes
        """)
    }
    if warnedOf != granted { tellMissing(in: granted) }
    warnedOf = granted
  }

  /// What the line does not have at all.
  private func tellMissing(in granted: SerialOptions) {
    if options.rs485 != nil, granted.rs485 == nil {
      log.warning(
        """
        \(name): the driver of \(options.path) has no RS-485 mode; going on without it: right for an adapter that \
        switches its line by itself (then remove `rs485:`), while with another nothing sent reaches the bus: use one \
        that does, or a UART whose driver has the mode, and see docs/ports.md
        """)
    }
    if options.isLowLatency, !granted.isLowLatency {
      log.info(
        "\(name): the driver of \(options.path) knows no `low_latency:`; going on, what arrives may come a little later"
      )
    }
    if (options.dtr != nil && granted.dtr == nil) || (options.rts != nil && granted.rts == nil) {
      log.debug("\(name): \(options.path) has no DTR and RTS")
    }
  }

  /// The line damages what it carries.
  func lineErrors(_ sentence: String) {
    log.warning(
      """
      \(name): \(options.path) (\(options.notation)): \(sentence); going on, `baudgate status` has the counts; \
      told once an hour at most
      """)
  }

  /// A call on the pool takes too long.
  func stuck(_ state: SerialPortStateMachine.State) {
    if case .tcp(let host, _) = options.location {
      log.error(
        """
        \(name): connecting to \(options.path) has not returned for \(timing.stuckAfter.forHumans); going on when it \
        does; no name server says what \(host) is, so write an address
        """)
      return
    }
    let call = if case .closing = state { "closing" } else { "opening" }
    log.error(
      """
      \(name): \(call) \(options.path) has not returned for \(timing.stuckAfter.forHumans), its driver is stuck; \
      going on when it does; unplug the adapter if it stays so
      """)
  }

  /// Which device it is, where the configuration does not say it by its node.
  private func node(_ granted: SerialOptions) -> String {
    if let lastDevice, lastDevice != granted.path { return " at \(granted.path), which was \(lastDevice) before" }
    return granted.path == options.path ? "" : " at \(granted.path)"
  }

  private mutating func beginOutage() {
    if outageBegan == nil { outageBegan = Uptime.monotonic }
  }

  private func interval(_ error: PortError) -> String {
    (error.code == .absent || error.code == .gone ? timing.mostWhileAbsent : timing.most).forHumans
  }

  private static func reason(_ error: PortError) -> String { error.cause.map { " (\($0))" } ?? "" }
}
