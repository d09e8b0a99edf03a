internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// The daemon as a process: arguments, configuration, lock, signals, exit status.
public enum Daemon {
  /// Read when no other file is named.
  public static let defaultConfiguration = "/etc/baudgate/baudgate.yaml"

  /// sysexits(3).
  private static let configurationError: CInt = 78
  private static let temporaryFailure: CInt = 75
  private static let usageError: CInt = 64

  /// Runs the daemon until a signal ends it.
  ///
  /// - Parameter arguments: The command line; its one argument is the configuration file.
  /// - Returns: The exit status: 0 after an orderly stop, 78 for a bad configuration, 75 where another daemon holds the
  ///   state directory, 64 for a bad command line.
  public static func run(_ arguments: [String]) -> CInt {
    let sink = LogSink.fromEnvironment()
    defer { sink.flush() }
    let rest = arguments.dropFirst()
    if rest.first == "--version" {
      print("baudgated \(Version.current)")
      return 0
    }
    guard rest.count <= 1, rest.first?.hasPrefix("-") != true else {
      complain(sink, "usage: baudgated [CONFIGURATION]  (default \(defaultConfiguration))")
      return usageError
    }
    let path = rest.first ?? defaultConfiguration
    switch GatewayConfiguration.load(path: path) {
    case .failure(let errors):
      for line in errors.lines { complain(sink, line) }
      complain(sink, "\(path) has \(errors.lines.count) errors: not starting")
      return configurationError
    case .success(let configuration):
      return run(configuration, path: path, sink)
    }
  }

  private static func run(_ configuration: GatewayConfiguration, path: String, _ sink: LogSink) -> CInt {
    let secrets = SecretRegistry(configuration.secrets)
    let handler = BaudgateLogHandler(sink, level: configuration.logLevel, secrets: secrets)
    let log = Logger(label: "baudgate") { _ in handler }
    for warning in configuration.warnings { log.warning("\(warning)") }
    SignalSource.ignoreBrokenPipes()
    do {
      let loop = try EventLoop()
      let stop = StopRequest()
      // Before the first thread starts, so that all of them block these signals.
      let signals = [
        try SignalSource(loop, .terminate) { stop.request("SIGTERM") },
        try SignalSource(loop, .interrupt) { stop.request("SIGINT") },
        try SignalSource(loop, .hangup) { stop.reload() },
      ]
      makeDirectory(configuration.stateDirectory, log)
      let lock: StateLock?
      do throws(StateLock.Failure) { lock = try StateLock(configuration.stateDirectory) } catch {
        guard goesOn(without: error, configuration.stateDirectory, log) else { return temporaryFailure }
        lock = nil
      }
      let supervisor = Supervisor(on: loop, configuration, secrets: secrets, log: log)
      stop.onReload = { Task(executorPreference: loop) { await supervisor.reload(path) } }
      try loop.run {
        try await supervisor.start()
        await supervisor.stop(because: await stop.requested())
      }
      withExtendedLifetime(signals) {}
      withExtendedLifetime(supervisor) {}
      _ = consume lock
      return 0
    } catch {
      log.critical("cannot go on: \(error)")
      return 1
    }
  }

  /// - Returns: Whether to start all the same: only where nobody else holds the lock.
  private static func goesOn(without failure: StateLock.Failure, _ directory: String, _ log: Logger) -> Bool {
    switch failure {
    case .held(let holder):
      let who = holder.map { "process \($0)" } ?? "another process"
      log.critical(
        "\(directory) is in use by \(who): a second daemon would send and carry out everything twice; ending")
      return false
    case .system(let error):
      log.error("\(error): readings are kept in memory only; mend the state directory and restart")
      return true
    }
  }

  private static func makeDirectory(_ path: String, _ log: Logger) {
    if mkdir(path, 0o700) != 0 && errno != EEXIST {
      log.error("cannot make the state directory: \(SystemError("mkdir \(path)"))")
    }
  }

  private static func complain(_ sink: LogSink, _ message: String) {
    sink.write(LogSink.Entry(priority: LOG_ERR, message: message, fields: []))
  }
}

/// Turns signals into one stop and any number of reloads. @unchecked: used on the loop alone.
private final class StopRequest: @unchecked Sendable {
  private var reason: String?
  private var continuation: CheckedContinuation<String, Never>?
  var onReload: (() -> Void)?

  func request(_ signal: String) {
    // timeout(1) and some service managers send it twice; a stop has limits of its own, and cutting it short would
    // leave the last readings off the card.
    guard reason == nil else { return }
    reason = signal
    continuation?.resume(returning: signal)
    continuation = nil
  }

  func reload() { onReload?() }

  func requested() async -> String {
    if let reason { return reason }
    return await withCheckedContinuation { continuation = $0 }
  }
}
