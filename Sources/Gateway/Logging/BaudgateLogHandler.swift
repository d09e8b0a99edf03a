internal import Glibc
internal import Logging
internal import Synchronization
internal import Telemetry

/// swift-log's back end: metadata becomes journal fields (`sensor` → `BAUDGATE_SENSOR`), secrets become a mask.
struct BaudgateLogHandler: LogHandler {
  /// The daemon's, until a logger is given one of its own.
  var logLevel: Logger.Level {
    get { ownLevel ?? level.value }
    set { ownLevel = newValue }
  }
  var metadata: Logger.Metadata = [:]
  private let sink: LogSink
  private let secrets: SecretRegistry
  private let level: LogLevel
  private var ownLevel: Logger.Level?

  /// - Parameters:
  ///   - level: Shared by all loggers made of this handler: it is changed for all of them at once.
  ///   - secrets: What no line may hold, whoever wrote it.
  init(_ sink: LogSink, level: LogLevel, secrets: SecretRegistry) {
    self.sink = sink
    self.secrets = secrets
    self.level = level
  }

  init(_ sink: LogSink, level: Logger.Level, secrets: SecretRegistry) {
    self.init(sink, level: LogLevel(level), secrets: secrets)
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  // swift-log changed its requirement with the releases that need Swift 6.2; Debian 13's compiler gets the older ones.
  #if compiler(>=6.2)
    func log(event: LogEvent) { write(event.level, event.message, event.metadata) }
  #else
    func log(
      level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
      function: String, line: UInt
    ) {
      write(level, message, metadata)
    }
  #endif

  private func write(_ level: Logger.Level, _ message: Logger.Message, _ extra: Logger.Metadata?) {
    let fields = metadata.merging(extra ?? [:]) { _, new in new }
      .map { (name: Self.fieldName($0.key), value: masked(oneLine("\($0.value)"))) }
    // A logger of one of several devices says which in each line.
    let device = metadata["device"].map { "\($0): " } ?? ""
    sink.write(
      LogSink.Entry(priority: level.priority, message: masked(oneLine(device + message.description)), fields: fields))
  }

  private func masked(_ text: String) -> String { secrets.masked(text) }

  /// systemd.journal-fields(7): capital letters, digits and underscores.
  static func fieldName(_ key: String) -> String {
    "BAUDGATE_" + String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}

/// The level from which lines are written, changed while the daemon runs. Reading it takes one atomic load.
final class LogLevel: Sendable {
  private static let levels = Logger.Level.allCases

  private let index: Atomic<Int>

  init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

  var value: Logger.Level { Self.levels[index.load(ordering: .relaxed)] }

  func use(_ level: Logger.Level) { index.store(Self.index(of: level), ordering: .relaxed) }

  private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}

extension Logger.Level {
  /// syslog(3).
  var priority: CInt {
    switch self {
    case .trace, .debug: LOG_DEBUG
    case .info: LOG_INFO
    case .notice: LOG_NOTICE
    case .warning: LOG_WARNING
    case .error: LOG_ERR
    case .critical: LOG_CRIT
    }
  }
}
