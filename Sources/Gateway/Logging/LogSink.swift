internal import CSystemd
internal import EventLoop
internal import Glibc
internal import Synchronization

/// Where log lines go: a bounded buffer, and a thread behind it that may wait for a journal or a terminal.
///
/// The loop never waits for a reader of its log. What does not fit is dropped and counted, and the count is told as
/// soon as the log is read again.
final class LogSink: Sendable {
  /// One line with its structured fields.
  struct Entry: Sendable {
    /// syslog's, 0 (emergency) to 7 (debug).
    var priority: CInt
    var message: String
    /// Journal fields, `BAUDGATE_SENSOR` and the like.
    var fields: [(name: String, value: String)]
  }

  /// Lines that wait at most.
  static let capacity = 1000
  /// A reader that takes longer than this for what waited is mentioned.
  static let slowReader = Duration.seconds(5)

  private struct State {
    var waiting: [Entry] = []
    var dropped = 0
    var isDraining = false
  }

  private let state = Mutex(State())
  private let thread = BlockingPool(name: "log", threads: 1)
  private let output: Output

  enum Output: Sendable {
    /// Native protocol, structured: sd_journal_sendv(3).
    case journal
    /// `<4>message`, as sd-daemon(3) and dmesg write priorities.
    case prefixed
    /// `warning: message`, for eyes.
    case terminal
  }

  init(_ output: Output) { self.output = output }

  /// The journal where stderr is connected to it (systemd.exec(5), `$JOURNAL_STREAM`), else stderr.
  static func fromEnvironment() -> LogSink {
    var status = stat()
    if let stream = getenv("JOURNAL_STREAM"), fstat(STDERR_FILENO, &status) == 0,
      String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    {
      return LogSink(.journal)
    }
    return LogSink(isatty(STDERR_FILENO) == 1 ? .terminal : .prefixed)
  }

  func write(_ entry: Entry) {
    let mustStart = state.withLock { state in
      guard state.waiting.count < Self.capacity else {
        state.dropped += 1
        return false
      }
      state.waiting.append(entry)
      defer { state.isDraining = true }
      return !state.isDraining
    }
    if mustStart { thread.submit { self.drain() } }
  }

  /// Waits until all is written, at most as long as `limit`; for the end of the process.
  func flush(within limit: Duration = .seconds(1)) {
    let end = Uptime.monotonic + limit
    while state.withLock({ $0.isDraining }), Uptime.monotonic < end { usleep(1000) }
  }

  private func drain() {
    while let (entries, dropped) = takeWaiting() {
      let begin = Uptime.monotonic
      for entry in entries { emit(entry) }
      let taken = Uptime.monotonic - begin
      guard dropped > 0 || taken >= Self.slowReader else { continue }
      let loss = dropped == 0 ? "no line was lost" : "\(dropped) lines were dropped, \(Self.capacity) wait at most"
      let message = "the log was not read for \(taken.forHumans): \(loss); readings were not held up"
      emit(Entry(priority: LOG_WARNING, message: message, fields: []))
    }
  }

  private func takeWaiting() -> (entries: [Entry], dropped: Int)? {
    state.withLock { state in
      guard !state.waiting.isEmpty || state.dropped > 0 else {
        state.isDraining = false
        return nil
      }
      defer {
        state.waiting = []
        state.dropped = 0
      }
      return (state.waiting, state.dropped)
    }
  }

  private func emit(_ entry: Entry) {
    switch output {
    case .journal:
      var texts = ["MESSAGE=\(entry.message)", "PRIORITY=\(entry.priority)", "SYSLOG_IDENTIFIER=baudgated"]
      texts += entry.fields.map { "\($0.name)=\($0.value)" }
      Self.send(texts)
    case .prefixed:
      Self.writeLine("<\(entry.priority)>\(entry.message)\n")
    case .terminal:
      Self.writeLine("\(Self.names[Int(max(0, min(7, entry.priority)))]): \(entry.message)\n")
    }
  }

  private static let names = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"]

  private static func send(_ texts: [String]) {
    let lines = texts.map { Array($0.utf8) }
    let buffers = lines.map { line in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, line.count), alignment: 1)
      buffer.copyBytes(from: line)
      return iovec(iov_base: buffer.baseAddress, iov_len: line.count)
    }
    sd_journal_sendv(buffers, CInt(buffers.count))
    for buffer in buffers { buffer.iov_base?.deallocate() }
  }

  private static func writeLine(_ line: String) {
    var rest = Array(line.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      // A closed stderr cannot be reported anywhere.
      guard written > 0 else { return }
      rest = rest.dropFirst(written)
    }
  }
}
