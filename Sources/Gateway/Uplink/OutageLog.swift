internal import EventLoop
internal import ThingsBoard

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
  /// Causes that concern one device alone; all others are the server's, and told once for all devices.
  private static let ownCauses: Set<String> = [
    "\(DeviceAPIError.Code.unauthorized)", "\(DeviceAPIError.Code.deviceDeleted)", "\(DeviceAPIError.Code.poison)",
    "\(DeviceAPIError.Code.tooLarge)",
  ]

  /// How long all must have been well for the next failure to be news.
  static let settled = Duration.seconds(60)

  private var limiter = OutageBoard.makeLimiter()
  /// Ways that fail now.
  private var failing = 0
  private var recoveredAt: Duration?
  private let server: OutageBoard?

  /// - Parameter server: What all devices have told of the server; `nil` for a board of one's own.
  init(server: OutageBoard? = nil) { self.server = server }

  fileprivate func oneBegan(at now: Duration) {
    server?.oneBegan(at: now)
    if failing == 0, let recoveredAt, now - recoveredAt >= Self.settled { limiter = Self.makeLimiter() }
    failing += 1
  }

  fileprivate func oneEnded(at now: Duration) {
    server?.oneEnded(at: now)
    failing -= 1
    if failing == 0 { recoveredAt = now }
  }

  fileprivate func admit(_ cause: String, now: Duration) -> Int? {
    if let server, !Self.ownCauses.contains(cause) { return server.admit(cause, now: now) }
    return limiter.admit(cause, now: now)
  }

  private static func makeLimiter() -> LogLimiter<String> { LogLimiter(every: .seconds(600)) }
}
