internal import EventLoop
internal import Logging

/// What the log says of one line: each cause once an outage, not once an attempt.
struct GPIOJournal {
  private let log: Logger
  private var line: GPIOLineOptions
  private let timing: GPIOTiming
  private var told: Set<GPIOFault.Code> = []
  private var isOutageTold = false
  private var outageBegan: Duration?
  private var complaint: String?
  private var readsOtherwise = false
  private var isPollingTold = false

  init(_ line: GPIOLineOptions, timing: GPIOTiming, log: Logger) {
    self.line = line
    self.timing = timing
    var log = log
    log[metadataKey: "line"] = "\(line.name)"
    self.log = log
  }

  /// What is told from now on is told of these.
  mutating func use(_ line: GPIOLineOptions) {
    if !line.isSameLine(as: self.line) {
      told = []
      (isOutageTold, outageBegan, complaint, isPollingTold) = (false, nil, nil, false)
    }
    self.line = line
  }

  mutating func refused(_ fault: GPIOFault) {
    guard begins(fault) else { return log.debug("\(line.name): \(fault)") }
    log.log(
      level: fault.code == .absent ? .warning : .error,
      "\(line.name): \(fault.message); tried again at least every \(interval(fault))\(reason(fault))")
  }

  /// One that is lost again and again within seconds is told of once.
  mutating func lost(_ fault: GPIOFault, afterBeingHeldFor duration: Duration) {
    if duration >= timing.stable { told = [] }
    guard begins(fault) else { return log.debug("\(line.name): \(fault)") }
    // What comes next is no news.
    if fault.code == .gone { told.insert(.absent) }
    log.warning(
      """
      \(line.name): \(fault.message); it was ours for \(duration.forHumans); looked for at least every \
      \(interval(fault))\(reason(fault))
      """)
  }

  mutating func held(_ value: Bool) {
    let outage = outageBegan.map { " after \((Uptime.monotonic - $0).forHumans)" } ?? ""
    let level: Logger.Level = isOutageTold ? .notice : outageBegan == nil ? .info : .debug
    log.log(
      level: level,
      """
      \(line.name): \(line.roleName) \(line.selector) of \(line.chip) is ours\(outage), \
      \(value ? "on" : "off")\(outageBegan != nil && line.meter?.quantity == .count ? Self.uncounted : "")
      """)
    outageBegan = nil
    isOutageTold = false
  }

  private static let uncounted = "; what came meanwhile is not in the count, which goes on from where it was"

  /// Nothing tells of the line's changes; told once.
  mutating func polled() {
    guard !isPollingTold else { return }
    isPollingTold = true
    let period = max(line.poll, line.debounce)
    let bound = max(1, Duration.seconds(1).wholeMilliseconds / max(1, 2 * period.wholeMilliseconds))
    let lost =
      line.meter == nil ? "a shorter change is not seen" : "shorter pulses, and more than \(bound) a second, are lost"
    log.notice(
      """
      \(line.name): line \(line.selector) of \(line.chip) has no interrupt, so it is read every \
      \(line.poll.forHumans); \(lost)
      """)
  }

  /// What stands at the line is no level.
  mutating func complain(_ complaint: String?) {
    if let complaint, complaint != self.complaint { log.warning("\(line.name): \(complaint)") }
    self.complaint = complaint
  }

  func unanswered(after duration: Duration) {
    log.error(
      """
      \(line.name): \(line.chip) has not answered for \(duration.forHumans), its driver is stuck; going on without \
      the line until it does; check the chip's bus
      """)
  }

  func cannotLeave(_ fault: GPIOFault) {
    log.error(
      """
      \(line.name): could not be left \(line.safe.rawValue): \(fault.message); look after what it \
      switches\(reason(fault))
      """)
  }

  /// An output was driven; where it reads otherwise, that is told once.
  mutating func readBack(_ value: Bool, of wanted: Bool) {
    defer { readsOtherwise = value != wanted }
    guard value != wanted, !readsOtherwise else { return }
    log.error(
      """
      \(line.name): was driven \(wanted ? "on" : "off") and reads \(value ? "on" : "off"); something else drives line \
      \(line.selector) of \(line.chip), or it is short-circuited; look at the wiring
      """)
  }

  /// `gpio.interlocks` has an output off that would be on.
  func interlocked(_ obstacle: Interlocks.Obstacle) {
    log.error(
      "\(line.name): is not on together with \(obstacle.line) (gpio.interlocks), so it is off: \(obstacle.words)")
  }

  func madeSafe(_ value: Bool, after duration: Duration) {
    log.warning(
      """
      \(line.name): is \(value ? "on" : "off"), its safe value, since the server has been out of reach for \
      \(duration.forHumans); it stays so until it is commanded
      """)
  }

  private mutating func begins(_ fault: GPIOFault) -> Bool {
    if outageBegan == nil { outageBegan = Uptime.monotonic }
    guard told.insert(fault.code).inserted else { return false }
    isOutageTold = true
    return true
  }

  private func interval(_ fault: GPIOFault) -> String {
    (fault.isAbsence ? timing.mostWhileAbsent : timing.most).forHumans
  }

  private func reason(_ fault: GPIOFault) -> String { fault.cause.map { " (\($0))" } ?? "" }
}

extension GPIOLineOptions {
  /// As the file says it.
  var roleName: String { meter?.quantity == .count ? GPIORole.counter.rawValue : direction.rawValue }
}
