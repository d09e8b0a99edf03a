internal import EventLoop

extension SerialPort {
  /// A port's open stream and its place on the loop, which it leaves before its descriptor is closed.
  final class Connection {
    let stream: any ByteStream
    let openedAt = Uptime.monotonic
    var source: IOSource?
    var counters: DriverCounters?
    var isWaitingForRoom = false
    var emptyReads = 0
    var emptyWrites = 0
    /// What the write timer is armed for.
    var writeDeadline: Duration?

    init(_ stream: any ByteStream) { self.stream = stream }

    deinit { source = nil }
  }
}
