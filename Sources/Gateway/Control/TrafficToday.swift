internal import Telemetry
internal import ThingsBoard

/// What was sent and received since midnight UTC. The kernel's totals are cut at the first look after midnight.
struct TrafficToday: Sendable {
  private(set) var sent: UInt64 = 0
  private(set) var received: UInt64 = 0
  private(set) var requests: UInt64 = 0
  private var day: Int64 = 0
  private var before = Traffic()
  private var newest = Traffic()

  private static let millisecondsPerDay: Int64 = 86_400_000

  /// - Parameter traffic: The totals since the start of the process.
  mutating func update(_ traffic: Traffic, at milliseconds: Int64) {
    let today = milliseconds / Self.millisecondsPerDay
    if day != today {
      day = today
      before = newest
    }
    newest = traffic
    sent = traffic.sent &- before.sent
    received = traffic.received &- before.received
    requests = traffic.requests &- before.requests
  }
}
