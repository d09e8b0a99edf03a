internal import Configuration
internal import EventLoop
internal import Glibc
internal import Hardware
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
  /// - Returns: The exit status: 0 after an orderly stop, 78 for a bad configuration without a good one before it, 75
  ///   where another daemon holds the state directory, 64 for a bad command line.
  public static func run(_ arguments: [String]) -> CInt {
    // Before the first thread starts.
    let keeper = LineKeeper(DescriptorStore.inherited(), store: .here)
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
    let source = ConfigurationSource(path: rest.first ?? defaultConfiguration)
    let start: Start
    switch source.load() {
    case .success(let loaded): start = Start(source: source, loaded: loaded, file: source.path)
    case .failure(let errors):
      for line in errors.lines { complain(sink, line) }
      guard let good = source.lastGood() else {
        complain(sink, "\(source.path) has \(errors.lines.count) errors: not starting")
        return configurationError
      }
      let trouble = "\(source.path) has \(errors.lines.count) errors, the last good configuration is in use"
      let file = "\(good.configuration.stateDirectory)/\(ConfigurationSource.lastGoodName)"
      start = Start(source: source, loaded: good, file: file, trouble: trouble)
    }
    switch run(start, sink, keeper) {
    case .over(let status): return status
    case .anew:
      sink.flush()
      keeper.passOn()
      complain(sink, "cannot start the new version: \(execute(arguments))")
      return temporaryFailure
    }
  }

  private enum End {
    case over(CInt)
    /// Another version of this program is to take its place.
    case anew
  }

  /// Replaces this process by the program as it is on the disk now. Descriptors are closed by it.
  ///
  /// - Returns: Why it could not.
  private static func execute(_ arguments: [String]) -> SystemError {
    do throws(SystemError) {
      let path = try InstallerStart.ownPath()
      withCStrings(arguments) { _ = execv(path, $0) }
      return SystemError("execv \(path)")
    } catch { return error }
  }

  /// What the daemon starts with.
  private struct Start {
    var source: ConfigurationSource
    var loaded: ConfigurationSource.Loaded
    /// Where `loaded` was read.
    var file: String
    /// What is wrong with the file, where another is used in its place.
    var trouble: String?
  }

  private static func run(_ start: Start, _ sink: LogSink, _ keeper: LineKeeper) -> End {
    let configuration = start.loaded.configuration
    let secrets = SecretRegistry(configuration.secrets)
    let level = LogLevel(configuration.logLevel)
    let handler = BaudgateLogHandler(sink, level: level, secrets: secrets)
    let log = Logger(label: "baudgate") { _ in handler }
    if let trouble = start.trouble { log.critical("\(trouble): \(start.file); mend the file and reload") }
    for warning in configuration.warnings { log.warning("\(warning)") }
    SignalSource.ignoreBrokenPipes()
    if !configuration.devices.isEmpty { raiseDescriptorLimit(log) }
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
        guard goesOn(without: error, configuration.stateDirectory, log) else {
          return .over(temporaryFailure)
        }
        lock = nil
      }
      let remote = RemoteStart(start.source, start.loaded, file: start.file, log)
      level.use(remote.configuration.logLevel)
      let supervisor = Supervisor(
        on: loop, start.source, start.loaded, file: start.file, remote, trouble: start.trouble, secrets: secrets,
        level: level, log: log, keeper: keeper,
        reexecute: { stop.request("a new version is installed", isAnew: true) })
      stop.onReload = { Task(executorPreference: loop) { await supervisor.reload() } }
      try loop.run {
        try await supervisor.start()
        await supervisor.stop(because: await stop.requested())
      }
      withExtendedLifetime(signals) {}
      withExtendedLifetime(supervisor) {}
      _ = consume lock
      return stop.isAnew ? .anew : .over(0)
    } catch {
      log.critical("cannot go on: \(error)")
      return .over(1)
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

  /// A device takes two descriptors for its queue, and two more where polls are open over plain HTTP.
  private static func raiseDescriptorLimit(_ log: Logger) {
    do throws(SystemError) { try DescriptorLimit.raise() } catch {
      log.warning("\(error): with many devices descriptors may run out")
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
  /// Whether the program is to be started anew afterwards.
  private(set) var isAnew = false

  func request(_ signal: String, isAnew: Bool = false) {
    // timeout(1) and some service managers send it twice; a stop has limits of its own, and cutting it short would
    // leave the last readings off the card.
    guard reason == nil else { return }
    reason = signal
    self.isAnew = isAnew
    continuation?.resume(returning: signal)
    continuation = nil
  }

  func reload() { onReload?() }

  func requested() async -> String {
    if let reason { return reason }
    return await withCheckedContinuation { continuation = $0 }
  }
}
