/// How many requests may look for a connection at a time, as a value without a socket or a clock.
///
/// libcurl opens a connection for each request of a burst rather than wait for the streams of one that is being opened:
/// measured with libcurl 7.88, 200 polls at once take 101 connections where the server allows 128 streams on each, and
/// 169 where it allows 32; one after the other they take 2 and 7. So over https one request at a time looks for a
/// connection, and where it needed a new one, the next waits until the server has had the time to say how many streams it
/// takes. A server that is known to speak HTTP/1.1 gets several at a time, since each needs its own connection.
struct LaunchGate {
  /// Requests that look for a connection at a time, where each needs one of its own.
  static let mostAtATime = 16
  /// The longest wait for a new connection's settings.
  static let longestSettling = Duration.seconds(2)

  /// Whether connections may be shared, so that one request has to wait for another's.
  var sharesConnections: Bool

  /// First come first.
  private var waiting: [UInt64] = []
  /// When each of those that look for a connection began.
  private var looking: [UInt64: Duration] = [:]
  private var quietUntil = Duration.zero
  /// Connections opened so far, as far as it was told.
  private var connections: UInt64 = 0

  init(sharesConnections: Bool) { self.sharesConnections = sharesConnections }

  mutating func enter(_ id: UInt64) { waiting.append(id) }

  /// The request that may begin now, which then looks for a connection.
  mutating func next(at now: Duration) -> UInt64? {
    guard !waiting.isEmpty else { return nil }
    if sharesConnections {
      guard looking.isEmpty, now >= quietUntil else { return nil }
    } else {
      guard looking.count < Self.mostAtATime else { return nil }
    }
    let id = waiting.removeFirst()
    looking[id] = now
    return id
  }

  /// When to ask for the next one although nothing has happened; `nil` where only an event can help.
  var due: Duration? { sharesConnections && !waiting.isEmpty && looking.isEmpty ? quietUntil : nil }

  /// A request is on its way.
  ///
  /// - Parameter connections: All that have been opened so far.
  mutating func sent(_ id: UInt64, at now: Duration, connections: UInt64) {
    guard let began = looking.removeValue(forKey: id) else { return }
    defer { self.connections = connections }
    guard connections != self.connections else { return }
    // The server's settings are on their way already, and connecting took several ways there and back.
    quietUntil = now + min(now - began, Self.longestSettling)
  }

  /// A request was given up, whether it waited or looked for a connection.
  mutating func leave(_ id: UInt64) {
    if looking.removeValue(forKey: id) == nil { waiting.removeAll { $0 == id } }
  }

  func isLooking(_ id: UInt64) -> Bool { looking[id] != nil }

  /// Sends away all that wait.
  ///
  /// - Returns: Them.
  mutating func dismiss() -> [UInt64] {
    defer { waiting = [] }
    return waiting
  }
}
