internal import EventLoop
internal import Logging

/// What the log says of a bus's units: a line when one falls silent, a line when it answers again, and for one that
/// comes and goes no more than that.
struct BusJournal {
  /// How long a unit must have answered for its silence to be news again.
  static let stable = Duration.seconds(60)

  private struct Story {
    var answersSince: Duration?
    /// Silences with less than `stable` between them.
    var relapses = 0
    var isTold = false
  }

  private let name: String
  private let log: Logger
  private var stories: [Int: Story] = [:]

  init(name: String, log: Logger) {
    self.name = name
    var log = log
    log[metadataKey: "port"] = "\(name)"
    self.log = log
  }

  mutating func note(_ notice: BusNotice, on line: SerialOptions, at now: Duration) {
    switch notice {
    case .fellSilent(let unit, let failure, let wait):
      var story = stories[unit] ?? Story()
      let isRelapse = story.answersSince.map { now - $0 < Self.stable } ?? false
      story.relapses = isRelapse ? story.relapses + 1 : 0
      story.isTold = story.relapses <= 1
      let next =
        story.relapses == 1
        ? "it comes and goes, from now on without a line each time; check cable, termination and `timeout:`"
        : """
        it is set aside and asked again in \(wait.forHumans), then less and less often, at least every \
        \(BusUnits.mostRest.forHumans) or so; check its power, its address and the line
        """
      log.log(
        level: story.isTold ? .warning : .debug, "\(failure) (\(line.path), \(line.notation)); \(next)",
        metadata: ["unit": "\(unit)"])
      stories[unit] = story
    case .answersAgain(let unit, let silence):
      log.log(
        level: stories[unit]?.isTold ?? true ? .notice : .debug,
        "unit \(unit) on \(name) answers again after \(silence.forHumans)", metadata: ["unit": "\(unit)"])
      stories[unit]?.answersSince = now
    case .hearsItself:
      log.notice(
        """
        \(name) gives back what is sent on it, as adapters do that hear themselves; from now on nothing counts before it, \
        with `echo: true` of its sensors from the start
        """)
    case .answersLate(let unit, let timeout):
      log.warning(
        """
        unit \(unit) on \(name) answers, but later than \(timeout.forHumans) after the question; \
        raise `timeout:` of its sensor or of the port
        """, metadata: ["unit": "\(unit)"])
    }
  }
}
