/// What the demo shows at one moment.
struct DemoSnapshot: Sendable {
  struct Sensor: Sendable {
    var name: String
    var description: String
    var linesSent: Int
    var linesArrived: Int
    /// Lines a second that arrived, over the last seconds.
    var rate: Double
    /// Newest values on the server, by name.
    var latest: [(name: String, text: String)]
  }

  var elapsed: Duration
  var url: String
  var isServerUp: Bool
  var daemonID: Int
  var sensors: [Sensor]
  var relay: DemoRelay.Summary
  var status: DaemonStatus?
  var counters: ServerCounters
  /// The newest ones, newest last.
  var requests: [RequestRecord]
  /// Warnings and errors, the newest ones, newest last.
  var log: [String]
  /// Warnings and errors since the start.
  var logCount: Int
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
