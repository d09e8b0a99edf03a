internal import EventLoop

/// Decides which failures and recoveries of one way to the server are worth a line: each cause once in ten minutes for all
/// ways together, and a server that comes and goes does not start that anew each time it comes.
struct OutageLog {
  private let board: OutageBoard
  private var began: Duration?
  private var isTold = false

  /// - Parameter board: That of the server, which its ways share.
  init(_ board: OutageBoard = OutageBoard()) { self.board = board }

  /// A request failed.
  ///
  /// - Parameters:
  ///   - cause: What failures are told apart by.
  ///   - isOutage: Whether nothing gets through; a refused record is no outage.
  /// - Returns: How many lines of this cause were kept back since the last one; `nil` when this one is to be, too.
  mutating func failed(_ cause: String, isOutage: Bool, now: Duration = Uptime.monotonic) -> Int? {
    if isOutage && began == nil {
      began = now
      board.oneBegan(at: now)
    }
    guard let suppressed = board.admit(cause, now: now) else { return nil }
    if isOutage { isTold = true }
    return suppressed
  }

  /// Something got through.
  ///
  /// - Returns: How long nothing had, where that was told of.
  mutating func recovered(now: Duration = Uptime.monotonic) -> Duration? {
    guard let began else { return nil }
    self.began = nil
    board.oneEnded(at: now)
    guard isTold else { return nil }
    isTold = false
    return now - began
  }
}

/// What the ways to one server have told of its outages: readings, attributes, commands and calls fail together, and one
/// line says so. @unchecked: used on the loop alone.
final class OutageBoard: @unchecked Sendable {
  /// How long all must have been well for the next failure to be news.
  static let settled = Duration.seconds(60)

  private var limiter = OutageBoard.makeLimiter()
  /// Ways that fail now.
  private var failing = 0
  private var recoveredAt: Duration?

  fileprivate func oneBegan(at now: Duration) {
    if failing == 0, let recoveredAt, now - recoveredAt >= Self.settled { limiter = Self.makeLimiter() }
    failing += 1
  }

  fileprivate func oneEnded(at now: Duration) {
    failing -= 1
    if failing == 0 { recoveredAt = now }
  }

  fileprivate func admit(_ cause: String, now: Duration) -> Int? { limiter.admit(cause, now: now) }

  private static func makeLimiter() -> LogLimiter<String> { LogLimiter(every: .seconds(600)) }
}
