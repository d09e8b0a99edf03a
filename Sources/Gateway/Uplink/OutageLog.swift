internal import EventLoop
internal import ThingsBoard

/// Decides which failures and recoveries of one way to the server are worth a line: each cause once in ten minutes for all
/// ways together, and a server that comes and goes does not start that anew each time it comes.
struct OutageLog {
  private let board: OutageBoard
  private var began: Duration?
  /// Whether a cause of this way alone was told, and one that all devices share.
  private var isTold = false
  private var isServerTold = false
  /// Whether it is the server that fails.
  private var isServerFailing = false

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
    let isServers = board.isServers(cause)
    if isOutage && isServers && !isServerFailing {
      isServerFailing = true
      board.serverBegan(at: now)
    }
    guard let suppressed = board.admit(cause, now: now) else { return nil }
    if isOutage && isServers { isServerTold = true }
    if isOutage && !isServers { isTold = true }
    return suppressed
  }

  /// Something got through.
  ///
  /// - Returns: How long nothing had, where that was told of.
  mutating func recovered(now: Duration = Uptime.monotonic) -> Duration? {
    guard let began else { return nil }
    self.began = nil
    board.oneEnded(at: now)
    if isServerFailing { board.serverEnded(at: now) }
    let isNews = isTold || (isServerTold && board.tellsEnd)
    (isTold, isServerTold, isServerFailing) = (false, false, false)
    return isNews ? now - began : nil
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
  /// Ways of this device the server fails now.
  private var failingAtServer = 0
  /// The device whose ways tell of the outage's end: one of all.
  private weak var teller: OutageBoard?

  /// - Parameter server: What all devices have told of the server; `nil` for a board of one's own.
  init(server: OutageBoard? = nil) { self.server = server }

  deinit {
    // A device may go while its server is out of reach.
    for _ in 0..<failingAtServer { server?.oneEnded(at: Uptime.monotonic) }
  }

  /// Whether a cause is told once for all devices.
  fileprivate func isServers(_ cause: String) -> Bool { server != nil && !Self.ownCauses.contains(cause) }

  fileprivate func serverBegan(at now: Duration) {
    failingAtServer += 1
    server?.oneBegan(at: now)
  }

  fileprivate func serverEnded(at now: Duration) {
    failingAtServer -= 1
    server?.oneEnded(at: now)
  }

  /// Whether this device is the one that tells of the end of the server's outage: a hundred lines would say nothing more.
  fileprivate var tellsEnd: Bool {
    guard let server else { return true }
    if server.teller == nil { server.teller = self }
    return server.teller === self
  }

  fileprivate func oneBegan(at now: Duration) {
    if failing == 0, let recoveredAt, now - recoveredAt >= Self.settled { limiter = Self.makeLimiter() }
    failing += 1
  }

  fileprivate func oneEnded(at now: Duration) {
    failing -= 1
    if failing == 0 { recoveredAt = now }
  }

  fileprivate func admit(_ cause: String, now: Duration) -> Int? {
    if let server, isServers(cause) {
      guard let suppressed = server.admit(cause, now: now) else { return nil }
      // Another outage, or the same that goes on: its end is news again.
      server.teller = nil
      return suppressed
    }
    return limiter.admit(cause, now: now)
  }

  private static func makeLimiter() -> LogLimiter<String> { LogLimiter(every: .seconds(600)) }
}
