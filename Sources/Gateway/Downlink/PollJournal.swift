internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Keeps the status of one way down, and logs what of it is worth a line: an outage once per cause in ten minutes, its
/// end once, all else for debugging.
struct PollJournal {
  /// What an outage means and what its end, in words: `commands do not arrive`, `commands arrive again`.
  struct Words: Sendable {
    var meanwhile: String
    var again: String
  }

  var status = PollStatus()
  private let words: Words
  private let log: Logger
  private var outages: OutageLog
  private var limiter = LogLimiter<String>(every: .seconds(600))

  init(_ words: Words, log: Logger, outages: OutageBoard = OutageBoard()) {
    self.outages = OutageLog(outages)
    self.words = words
    self.log = log
  }

  /// The server answered.
  mutating func answered() {
    status.lastAnswer = .now()
    status.isFailing = false
    guard let outage = outages.recovered() else { return }
    log.notice("\(words.again) after \(outage.forHumans)")
  }

  /// Nothing is asked any more: what failed is no outage from here on, and its end no news.
  mutating func ended() {
    status.isFailing = false
    _ = outages.recovered()
  }

  /// A request failed.
  ///
  /// - Parameters:
  ///   - next: The time to the next one; `nil` when another one is open.
  ///   - inARow: How many failed, this one included. One poll that broke off is no outage.
  mutating func failed(_ error: DeviceAPIError, next: Duration?, inARow: Int) {
    guard error.code != .cancelled else { return }
    status.lastError = (error.message, error.code, .now())
    // What the server sent is at fault, not the way to it.
    if error.code == .poison, inARow <= 1 {
      if let suppressed = limiter.admit("poison") {
        log.warning("the server \(error.message)\(LogLimiter<String>.note(suppressed))")
      }
      return
    }
    guard let next, inARow > 1 || error.code.needsPerson else {
      log.debug("a poll failed: the server \(error.message)")
      return
    }
    status.isFailing = true
    let line = "the server \(error.message); \(words.meanwhile) meanwhile, next try in \(next.forHumans)"
    guard let suppressed = outages.failed("\(error.code)", isOutage: true) else {
      log.debug("\(line)")
      return
    }
    log.log(
      level: error.code.needsPerson ? .error : .warning, "\(line)\(LogLimiter<String>.note(suppressed))",
      metadata: error.status.map { ["status": "\($0)"] })
  }
}
