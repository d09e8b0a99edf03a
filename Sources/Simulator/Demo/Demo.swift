internal import Foundation

/// The whole way on one machine, up and down: two virtual sensors and a relay, the real daemon as its own process, the
/// device API server, and a view of what happens between them.
public final class Demo {
  /// How the demo runs.
  public struct Options: Sendable {
    /// How long the sensors send; `nil` is 20 s without a terminal, and until `q` with one.
    public var seconds: Double?
    /// The daemon's executable.
    public var daemon: String
    /// Plain lines even on a terminal.
    public var isPlain = false

    public init(daemon: String) { self.daemon = daemon }
  }

  private let options: Options
  private let isInteractive: Bool
  private let length: Duration?
  private let view: any DemoView
  private let server = DeviceServer(ServerOptions(tokens: [DemoConfiguration.token]))
  private var lines: [(sensor: DemoSensor, line: VirtualSensor)] = []
  private var directory = ""
  private var daemon: ChildDaemon?
  private var relay: DemoRelay?
  private var log: [String] = []
  private var logCount = 0
  private var allLog: [String] = []
  private var rates = RateMeter()
  private var start = ContinuousClock.now
  private var nextShow = Duration.zero
  /// Of the cuts and returns that need no person.
  private var cutsDone = 0

  /// Between two looks at the time; the view has its own pace.
  private static let tick = Duration.milliseconds(50)
  /// When the server is cut off and brought back without a person, as shares of the time.
  private static let cutShares = [0.35, 0.55]
  private static let defaultSeconds = 20.0
  private static let readyLimit = Duration.seconds(15)
  private static let drainLimit = Duration.seconds(60)
  private static let stopLimit = Duration.seconds(20)
  /// Requests a view is given, the newest.
  private static let requestsShown = 500
  /// Lines of the daemon's log that are kept.
  private static let logLimit = 1000

  public init(_ options: Options) {
    self.options = options
    isInteractive = Terminal.isInteractive && !options.isPlain
    length = (options.seconds ?? (isInteractive ? nil : Self.defaultSeconds)).map { .seconds($0) }
    view = isInteractive ? LiveView() : PlainView()
  }

  /// Runs it.
  ///
  /// - Returns: Whether every reading arrived once.
  /// - Throws: ``DemoError``, when a part does not start.
  public func run() async throws(DemoError) -> Bool {
    defer { view.close() }
    let events = UserEvents(tickEvery: Self.tick, readsKeys: isInteractive)
    do {
      try await setUp()
      try await untilReady()
    } catch {
      view.close()
      await tearDown()
      throw error
    }
    for (_, line) in lines {
      // Ends what the daemon drops after opening a port; from the next line on every one counts.
      line.send("\n")
      line.resume()
    }
    start = .now
    view.say("the sensors send; the server listens on \(server.url)")
    let isDaemonAlive = await watch(events.events)
    let verdict = await finish(isDaemonAlive)
    withExtendedLifetime(events) {}
    return verdict.isGood
  }

  // MARK: Beginning

  private func setUp() async throws(DemoError) {
    var template = Array("\(FileManager.default.temporaryDirectory.path)/baudgate-demo-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else {
      throw DemoError("no temporary directory: \(String(cString: strerror(errno)))")
    }
    directory = String(cString: made)
    do {
      for name in ["state", "run", "chip"] {
        try FileManager.default.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
      }
      try await server.start()
      let configuration = DemoConfiguration(serverURL: server.url, directory: directory, sensors: DemoSensor.all)
      relay = DemoRelay(server, chip: configuration.chip)
      for sensor in DemoSensor.all {
        let template = sensor.template
        let line = try VirtualSensor(link: configuration.link(of: sensor), timing: sensor.timing, rate: sensor.rate) {
          template.line($0)
        }
        lines.append((sensor, line))
      }
      let file = "\(directory)/baudgate.yaml"
      try configuration.yaml.write(toFile: file, atomically: true, encoding: .utf8)
      chmod(file, 0o600)
      daemon = try ChildDaemon(executable: options.daemon, configuration: file, directory: directory)
    } catch {
      throw DemoError("\(error)")
    }
    view.say("\(options.daemon) \(directory)/baudgate.yaml")
  }

  /// Waits for `READY=1` and, where the control socket answers, for open ports: what is sent before is flushed.
  private func untilReady() async throws(DemoError) {
    let deadline = ContinuousClock.now + Self.readyLimit
    var isReady = false
    while ContinuousClock.now < deadline {
      readLog()
      guard let daemon, daemon.isRunning else { throw DemoError(obituary) }
      if daemon.notifications().contains("READY=1") { isReady = true }
      if isReady, let status = control.status(), lines.allSatisfy({ status.ports[$0.sensor.port] == "open" }) { return }
      try? await Task.sleep(for: .milliseconds(20))
    }
    throw DemoError(
      isReady
        ? "the daemon did not open its ports within \(Self.readyLimit)\n\(lastLog)"
        : "the daemon was not ready within \(Self.readyLimit)\n\(lastLog)")
  }

  private var control: ControlClient { ControlClient(path: "\(directory)/run/control.sock") }

  // MARK: Running

  /// - Returns: Whether the daemon lives.
  private func watch(_ events: AsyncStream<UserEvent>) async -> Bool {
    for await event in events {
      switch event {
      case .stop, .key("q"), .key("Q"): return true
      case .key("c"), .key("C"): await setServer(!server.isListening)
      case .key("r"), .key("R"): relay?.toggle()
      case .key: break
      case .tick:
        readLog()
        guard let daemon, daemon.isRunning else { return false }
        if !isInteractive { relay?.tick(elapsed) }
        if elapsed >= nextShow {
          nextShow += view.interval
          view.show(snapshot())
        }
        if let length {
          if elapsed >= length { return true }
          if !isInteractive { await cutByItself(length) }
        }
      }
    }
    return true
  }

  private var elapsed: Duration { ContinuousClock.now - start }

  private func cutByItself(_ length: Duration) async {
    guard cutsDone < Self.cutShares.count, elapsed >= length * Self.cutShares[cutsDone] else { return }
    await setServer(cutsDone % 2 == 1)
    cutsDone += 1
  }

  private func setServer(_ isUp: Bool) async {
    if isUp {
      do {
        try await server.bringBack()
        view.say("the server is back")
      } catch { view.say("the server does not come back: \(error)") }
    } else {
      await server.cutOff()
      view.say("the server is cut off: the daemon keeps the readings")
    }
  }

  private func readLog() {
    for line in daemon?.newLogLines() ?? [] {
      allLog.append(line.message)
      guard line.isWarning else { continue }
      log.append(line.message)
      logCount += 1
    }
    if allLog.count > Self.logLimit { allLog.removeFirst(allLog.count - Self.logLimit) }
    if log.count > Self.logLimit { log.removeFirst(log.count - Self.logLimit) }
  }

  private func snapshot() -> DemoSnapshot {
    let now = elapsed
    return DemoSnapshot(
      elapsed: now, url: server.url, isServerUp: server.isListening, daemonID: daemon?.processID ?? 0,
      sensors: lines.map { sensor, line in
        let arrived = server.count(of: sensor.numberKey)
        return .init(
          name: sensor.name, description: sensor.description, linesSent: line.linesSent, linesArrived: arrived,
          rate: rates.rate(of: sensor.name, count: arrived, at: now),
          latest: sensor.template.names.compactMap { name in
            server.latest(of: sensor.key(name)).map { (name, $0.text) }
          })
      },
      relay: relay?.summary ?? DemoRelay.Summary(), status: control.status(), counters: server.counters,
      requests: server.requests(after: server.counters.requests - Self.requestsShown), log: log, logCount: logCount)
  }

  // MARK: End

  private func finish(_ isDaemonAlive: Bool) async -> Verdict {
    for (_, line) in lines { line.pause() }
    var isAlive = isDaemonAlive
    if isAlive {
      if !server.isListening { await setServer(true) }
      view.say("the sensors have stopped; waiting for the queue")
      isAlive = await untilDrained()
      readLog()
      view.show(snapshot())
    }
    var verdict = Verdict()
    // Before the daemon ends: it leaves the relay at its safe value then.
    verdict.faults += relay?.faults ?? []
    verdict.commands = relay?.summary.answered ?? 0
    if isAlive, let daemon {
      if !(await daemon.stop(within: Self.stopLimit)) {
        verdict.faults.append("the daemon did not stop within \(Self.stopLimit)")
      } else if let status = daemon.exitStatus, status != 0 {
        verdict.faults.append("the daemon ended with status \(status)")
      }
    } else {
      verdict.faults.append(obituary)
    }
    await server.stop()
    for (sensor, line) in lines {
      let abandoned = Set(line.abandoned)
      let sent = Array((0..<(line.linesSent + abandoned.count)).filter { !abandoned.contains($0) })
      verdict.check(sensor, sent: sent) { server.values(of: $0) }
    }
    let counters = server.counters
    if counters.replacements > 0 {
      verdict.faults.append("\(counters.replacements) values replaced another one of the same millisecond")
    }
    if counters.lost > 0 { verdict.faults.append("the server lost \(counters.lost) values after a 200") }
    report(verdict, counters)
    await tearDown(keeping: !verdict.isGood)
    return verdict
  }

  /// Waits until every line is on the server and the daemon knows.
  ///
  /// - Returns: Whether the daemon lived on.
  private func untilDrained() async -> Bool {
    let numbers = lines.map { ($0.sensor.numberKey, $0.line.linesSent) }
    let deadline = ContinuousClock.now + Self.drainLimit
    while ContinuousClock.now < deadline {
      guard let daemon, daemon.isRunning else { return false }
      let hasArrived = await server.wait(upTo: view.interval) { [server] in
        numbers.allSatisfy { server.count(of: $0.0) >= $0.1 }
      }
      // Without an answer nothing is known of the queue.
      if hasArrived, relay?.isSettled ?? true, control.status()?.queueRecords ?? 0 == 0 { return true }
      readLog()
      if isInteractive { view.show(snapshot()) }
      // The acknowledgement follows the answer.
      if hasArrived { try? await Task.sleep(for: Self.tick) }
    }
    return true
  }

  private func report(_ verdict: Verdict, _ counters: ServerCounters) {
    view.close()
    print(
      "\(counters.requests) requests, \(counters.failures) failed; \(DemoText.bytes(counters.bytesReceived)) received; "
        + "\(counters.values) values, \(counters.repeats) of them repeated")
    for fault in verdict.faults { print("  \(fault)") }
    print(verdict.summary)
    if !verdict.isGood { print("configuration, state and log are kept in \(directory)") }
    fflush(nil)
  }

  private func tearDown(keeping: Bool = false) async {
    if let daemon, daemon.isRunning { _ = await daemon.stop(within: .seconds(5)) }
    await server.stop()
    for (_, line) in lines { line.stop() }
    if !keeping, !directory.isEmpty { try? FileManager.default.removeItem(atPath: directory) }
  }

  /// How the daemon ended.
  private var obituary: String {
    readLog()
    let status = daemon?.exitStatus.map { "\($0)" } ?? "unknown"
    let words = allLog.isEmpty ? "it logged nothing" : "its last lines:\n\(lastLog)"
    return "the daemon ended with status \(status); \(words)"
  }

  private var lastLog: String { allLog.suffix(10).map { "    \($0)" }.joined(separator: "\n") }
}
