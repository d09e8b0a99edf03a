import EventLoop
import Foundation
import Logging
import Telemetry
import Testing

@testable import Hardware

/// A port under test, with what it says and what it logs. Lives on one loop.
final class PortBench: @unchecked Sendable {
  // @unchecked: all of it is used on the loop's thread alone, but for the log, which is locked.
  let loop: EventLoop
  let log = LogLines()
  // Its handler needs self, so the port comes last.
  // swift-format-ignore: NeverUseImplicitlyUnwrappedOptionals
  private(set) var port: SerialPort!
  private(set) var events: [PortEvent] = []
  private(set) var received: [UInt8] = []
  private var waiting: (condition: () -> Bool, continuation: CheckedContinuation<Void, Never>)?

  /// Waits that a test can sit out.
  static let quick = {
    var timing = PortTiming()
    timing.firstRetry = .milliseconds(1)
    timing.first = .milliseconds(2)
    timing.most = .milliseconds(8)
    timing.mostWhileAbsent = .milliseconds(4)
    timing.writeTimeout = .milliseconds(50)
    timing.accuracy = .microseconds(1)
    return timing
  }()

  /// Calls a driver stuck that a busy machine may merely delay.
  static let impatient = {
    var timing = quick
    timing.stuckAfter = .milliseconds(20)
    return timing
  }()

  init(
    _ loop: EventLoop, _ options: SerialOptions, timing: PortTiming = PortBench.quick,
    open: @escaping SerialPort.Opener = TTY.open
  ) {
    self.loop = loop
    let log = log
    port = SerialPort(
      name: "meter", options: options, loop: loop, pool: BlockingPool(name: "test", threads: 2),
      log: Logger(label: "test") { _ in log.handler }, timing: timing, open: open
    ) { [unowned self] in self.note($0) }
  }

  /// Starts the port and waits until it is open.
  func start() async {
    await port.start()
    await until { $0.openings >= 1 }
  }

  private func note(_ event: PortEvent) {
    #expect(loop.isOnLoop)
    events.append(event)
    if case .received(let bytes, _) = event { received += bytes }
    check()
  }

  /// Waits, awake at every event of the port, until the condition holds.
  func until(_ condition: @escaping (PortBench) -> Bool) async {
    await withCheckedContinuation { continuation in
      waiting = ({ [unowned self] in condition(self) }, continuation)
      check()
    }
  }

  /// Looks at the condition; for what happens without an event of the port.
  func check() {
    guard let (condition, continuation) = waiting, condition() else { return }
    waiting = nil
    continuation.resume()
  }

  /// Waits for something the port does not report.
  func poll(_ condition: @escaping (PortBench) async -> Bool) async throws {
    while await !condition(self) { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
  }

  var openings: Int { events.reduce(0) { if case .opened = $1 { $0 + 1 } else { $0 } } }
  var losses: [PortError] { events.compactMap { if case .lost(let error) = $0 { error } else { nil } } }

  /// `opened received lost opened`
  var story: String {
    events.map { event in
      switch event {
      case .opened: "opened"
      case .received: "received"
      case .lost: "lost"
      }
    }.joined(separator: " ")
  }
}

/// What was logged, `level: message`; debug too.
final class LogLines: @unchecked Sendable {
  private let lock = NSLock()
  private var lines: [(level: Logger.Level, text: String, port: String?)] = []

  var handler: any LogHandler { Handler(lines: self) }
  /// From `info` on.
  var told: [String] { lock.withLock { lines.filter { $0.level > .debug }.map { "\($0.level): \($0.text)" } } }
  var ports: Set<String?> { lock.withLock { Set(lines.map(\.port)) } }

  private func add(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
    lock.withLock { lines.append((level, "\(message)", metadata["port"]?.description)) }
  }

  private struct Handler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    // As in BaudgateLogHandler.
    #if compiler(>=6.2)
      func log(event: LogEvent) { lines.add(event.level, event.message, metadata) }
    #else
      func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
        function: String, line: UInt
      ) {
        lines.add(level, message, self.metadata)
      }
    #endif
  }
}
