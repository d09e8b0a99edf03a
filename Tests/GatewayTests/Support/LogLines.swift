import Logging
import Synchronization

/// Keeps what is logged.
final class LogLines: Sendable {
  private let state = Mutex<[(level: Logger.Level, text: String)]>([])
  var lines: [(level: Logger.Level, text: String)] { state.withLock { $0 } }
  /// The lines an operator sees.
  var told: [(level: Logger.Level, text: String)] { lines.filter { $0.level >= .info } }
  var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }
  var text: String { lines.map(\.text).joined(separator: "\n") }

  private func append(_ level: Logger.Level, _ text: String) { state.withLock { $0.append((level, text)) } }

  func count(of part: String) -> Int { lines.count { $0.text.contains(part) } }

  private struct Handler: LogHandler {
    let lines: LogLines
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    init(lines: LogLines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    // As in BaudgateLogHandler: the requirement changed.
    #if compiler(>=6.2)
      func log(event: LogEvent) { lines.append(event.level, event.message.description) }
    #else
      func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
        function: String, line: UInt
      ) {
        lines.append(level, message.description)
      }
    #endif
  }
}
