internal import Glibc
internal import Logging
internal import Telemetry

/// swift-log's back end: metadata becomes journal fields (`sensor` → `BAUDGATE_SENSOR`), secrets become a mask.
struct BaudgateLogHandler: LogHandler {
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  private let sink: LogSink
  private let secrets: SecretRegistry

  /// - Parameter secrets: What no line may hold, whoever wrote it.
  init(_ sink: LogSink, level: Logger.Level, secrets: SecretRegistry) {
    self.sink = sink
    self.secrets = secrets
    logLevel = level
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
    sink.write(
      LogSink.Entry(priority: level.priority, message: masked(oneLine(message.description)), fields: fields))
  }

  private func masked(_ text: String) -> String { secrets.masked(text) }

  /// systemd.journal-fields(7): capital letters, digits and underscores.
  static func fieldName(_ key: String) -> String {
    "BAUDGATE_" + String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
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
