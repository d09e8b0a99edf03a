internal import EventLoop
internal import Logging

/// What the log says of one port: each cause once an outage, not once an attempt.
struct PortJournal {
  private let log: Logger
  private let name: String
  private let options: SerialOptions
  private var told: Set<PortError.Code> = []
  private var toldOfFlapping = false
  private var isOutageOpen = false
  private var outageBegan: Duration?
  private var warnedOf: SerialOptions?
  private var wasOpen = false

  init(name: String, options: SerialOptions, log: Logger) {
    self.name = name
    self.options = options
    var log = log
    log[metadataKey: "port"] = "\(name)"
    self.log = log
  }

  /// An attempt to open it failed.
  mutating func failed(_ error: PortError) {
    begin()
    guard told.insert(error.code).inserted else {
      log.debug("\(name): \(error)")
      return
    }
    isOutageOpen = true
    log.error("\(name): \(error); tried again at least every \(Self.interval(error)) s")
  }

  mutating func lost(_ error: PortError, afterBeingOpenFor duration: Duration) {
    if duration >= SerialPortStateMachine.stable {
      told = []
      toldOfFlapping = false
    }
    begin()
    if told.insert(error.code).inserted {
      isOutageOpen = true
      log.warning(
        """
        \(name) (\(options.notation)): \(error); was open for \(Self.text(duration)); \
        opened again when it is back, looked for at least every \(Self.interval(error)) s
        """)
    } else if !toldOfFlapping {
      toldOfFlapping = true
      isOutageOpen = true
      log.warning(
        """
        \(name): \(error) again, after \(Self.text(duration)); tried at least every \(Self.interval(error)) s, silently
        """)
    } else {
      log.debug("\(name): \(error)")
    }
  }

  mutating func opened(_ granted: SerialOptions) {
    if !wasOpen {
      log.info("\(name): \(options.path) is open (\(granted.notation))")
    } else if isOutageOpen {
      let outage = outageBegan.map { " after \(Self.text(Uptime.monotonic - $0))" } ?? ""
      log.notice("\(name): \(options.path) is open again\(outage) (\(granted.notation))")
    } else {
      log.debug("\(name): \(options.path) is open again (\(granted.notation))")
    }
    wasOpen = true
    isOutageOpen = false
    outageBegan = nil
    let shortcomings = options.shortcomings(of: granted)
    if !shortcomings.isEmpty, warnedOf != granted {
      log.warning(
        """
        \(name): the driver of \(options.path) took \(shortcomings.joined(separator: ", ")); \
        going on, but check the adapter if nothing readable comes
        """)
    }
    warnedOf = granted
  }

  func stuck(_ state: SerialPortStateMachine.State, for duration: Duration) {
    let call = if case .closing = state { "closing" } else { "opening" }
    log.error(
      """
      \(name): \(call) \(options.path) has not returned for \(Self.text(duration)); its driver is stuck, \
      waiting for it; unplug the adapter if it stays so
      """)
  }

  private mutating func begin() {
    if outageBegan == nil { outageBegan = Uptime.monotonic }
  }

  private static func interval(_ error: PortError) -> Int64 {
    let most =
      error.code == .absent || error.code == .gone
      ? SerialPortStateMachine.mostWhileAbsent : SerialPortStateMachine.most
    return most.components.seconds
  }

  /// `250 ms`, `12 s`, `3 min`, `5 h`
  private static func text(_ duration: Duration) -> String {
    let milliseconds = duration.wholeMilliseconds
    return switch milliseconds {
    case ..<1000: "\(milliseconds) ms"
    case ..<120_000: "\(milliseconds / 1000) s"
    case ..<7_200_000: "\(milliseconds / 60_000) min"
    default: "\(milliseconds / 3_600_000) h"
    }
  }
}
