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
  var status: DaemonStatus?
  var counters: ServerCounters
  /// Newest last.
  var requests: [RequestRecord]
  /// Warnings and errors, newest last.
  var log: [String]
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
