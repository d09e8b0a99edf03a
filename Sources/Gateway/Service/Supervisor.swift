internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Queue
internal import Sensors
internal import Telemetry
internal import ThingsBoard

/// Starts the gateway's parts in the order of the data's way, watches over them, and stops them the other way round.
actor Supervisor {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Time for what comes down to end at a stop.
  static let downlinkLimit = Duration.seconds(6)
  /// Time for the queue's last write at a stop; a stalled card must not use up the service manager's patience.
  static let persistLimit = Duration.seconds(10)
  /// Time for the ports, and for the GPIO lines, to close at a stop.
  static let closeLimit = Duration.seconds(3)
  /// A disk call that takes longer is stuck: the watchdog is no longer fed. Cards stall for many seconds.
  static let stuckDiskLimit = Duration.seconds(120)
  /// Threads for ports at most, and for GPIO lines; each wedged driver keeps one.
  static let portThreadLimit = 64
  /// How often the status line, the day's traffic and the disk thread are looked at.
  static let housekeepingInterval = Duration.seconds(60)

  let loop: EventLoop
  let configuration: GatewayConfiguration
  let secrets: SecretRegistry
  let log: Logger
  let started = CaptureTime.now()
  let disk = BlockingPool(name: "disk", threads: 1)
  let logind = Logind()
  private let portPool: BlockingPool
  /// Apart from the ports: a bus that hangs keeps a thread for each of its lines, and none that others wait for.
  private let linePool: BlockingPool

  private(set) var queue: TelemetryQueue?
  private(set) var recorder: Recorder?
  private(set) var gpio: GPIOController?
  private(set) var samplers: [Sampler] = []
  private var control: ControlSocket?
  private var housekeeping: TimerSource?
  private var lastStatusLine = ""
  var identity: Identity?
  /// `nil` until there is a token.
  var link: ServerLink?
  /// Waits for the token where there was none at the start.
  var linking: Task<Void, Never>?
  var traffic = TrafficToday()
  var facts: BoardFacts?
  var bootTime = BootTime()
  /// The level of each GPIO line, as last reported.
  var levels: [String: Bool] = [:]

  init(on loop: EventLoop, _ configuration: GatewayConfiguration, secrets: SecretRegistry, log: Logger) {
    self.loop = loop
    self.configuration = configuration
    self.secrets = secrets
    self.log = log
    portPool = BlockingPool(name: "ports", threads: min(configuration.ports.count + 1, Self.portThreadLimit))
    linePool = BlockingPool(name: "gpio", threads: min(configuration.gpio.lines.count, Self.portThreadLimit))
  }

  // MARK: Start

  /// - Throws: `SystemError` or `DeviceAPIError` where the process itself is short of something.
  func start() async throws {
    let queue = await openQueue()
    self.queue = queue
    recorder = Recorder(on: loop, queue: queue, floor: await queue.status.newestTimestamp, log: log)
    await startGPIO()
    // Before the link: it reads from the card, and no reading has to wait for that.
    for (name, options) in configuration.ports { startSampler(name, options) }
    try await startLink()
    await startControl()
    try startHousekeeping()
    ServiceManager.ready(status: summary)
    let waiting = await queue.depth
    let lines = configuration.gpio.lines.isEmpty ? "" : ", \(configuration.gpio.lines.count) GPIO lines"
    log.notice(
      """
      baudgated \(Version.current) is ready: \(configuration.sensors.count) sensors on \(samplers.count) ports\(lines), \
      \(waiting) records waiting for \(configuration.server.url)
      """)
  }

  private func openQueue() async -> TelemetryQueue {
    // Beside the card's part where there is no memory to be had: it still survives a kill, at the price of writes.
    let hot = configuration.queue.hotDirectory ?? configuration.runtimeDirectory ?? configuration.stateDirectory
    return await TelemetryQueue.open(
      device: "gateway", hotDirectory: "\(hot)/hot", stateDirectory: configuration.stateDirectory,
      options: configuration.queue, loop: loop, disk: disk, log: log)
  }

  /// Outputs have their first value when it returns.
  private func startGPIO() async {
    guard !configuration.gpio.lines.isEmpty else { return }
    let gpio = GPIOController(configuration.gpio, on: loop, pool: linePool, log: log) { [weak self] event in
      self?.assumeIsolated { $0.levelChanged(event) }
    }
    self.gpio = gpio
    await gpio.start()
  }

  private func startSampler(_ name: String, _ options: SerialOptions) {
    let sensors = configuration.sensors.filter { $0.port == name }
    guard let recorder else { return }
    // A port without a sensor is opened where a command may write to it.
    let decoder = SensorProtocols.decoder(for: sensors)
    guard decoder != nil || configuration.takesCommands else { return }
    let sampler = Sampler(
      on: loop, port: name, sensors: sensors, decoder: decoder,
      recorders: sensors.map { _ in recorder }, log: log
    ) { [weak self] in self?.assumeIsolated { $0.portChanged() } }
    samplers.append(sampler)
    sampler.assumeIsolated { $0.start(options, pool: portPool) }
  }

  private func startControl() async {
    guard let path = configuration.controlSocket else { return }
    let control = ControlSocket(on: loop, path: path, log: log) { [weak self] line in
      await self?.answer(line) ?? ControlAnswer.failure("stopping").bytes
    }
    do {
      try await control.start()
      self.control = control
    } catch {
      log.warning("no control socket, so `baudgate status` cannot reach this daemon: \(error); all else goes on")
    }
  }

  private func startHousekeeping() throws(SystemError) {
    loop.setWatchdog(true)
    housekeeping = try TimerSource(loop, clock: .boottime, accuracy: .seconds(5)) { [weak self] in
      self?.assumeIsolated { $0.keepHouse() }
    }
    housekeeping?.arm(after: Self.housekeepingInterval)
  }

  // MARK: Run

  private func keepHouse() {
    housekeeping?.arm(after: Self.housekeepingInterval)
    let calls = [disk.longestCall, link?.longestDiskCall].compactMap { $0 }
    if let busy = calls.max(), busy > Self.stuckDiskLimit {
      log.critical(
        """
        the disk has not finished a call for \(busy.forHumans): the watchdog is no longer fed, the service manager \
        will start baudgated anew; check the card
        """)
      loop.setWatchdog(false)
    } else {
      loop.setWatchdog(true)
    }
    Task(executorPreference: loop) {
      await self.updateTraffic()
      await self.publishFacts()
    }
    let line = summary
    if line != lastStatusLine {
      lastStatusLine = line
      ServiceManager.status(line)
    }
  }

  /// Checks the file and says what would change; this version takes a changed configuration at its next start.
  func reload(_ path: String) {
    ServiceManager.reloading()
    switch GatewayConfiguration.load(path: path) {
    case .success:
      log.notice("\(path) is valid; restart baudgated to apply it: reloading in place is not supported yet")
    case .failure(let errors):
      for line in errors.lines { log.error("\(line)") }
      log.error("\(path) is not valid: going on with the configuration read at the start")
    }
    ServiceManager.ready(status: summary)
  }

  // MARK: Stop

  /// Stops reading and taking commands, delivers what can be delivered in time, writes out the rest, and reports.
  func stop(because reason: String) async {
    ServiceManager.stopping(status: "stopping: \(reason)")
    log.notice("stopping: \(reason)")
    housekeeping = nil
    linking?.cancel()
    await within(Self.downlinkLimit, "ending commands") { [link] in await link?.stopDownlink() }
    await within(Self.closeLimit, "leaving the GPIO lines") { [gpio] in await gpio?.stop() }
    await within(Self.closeLimit, "closing the ports") { [samplers] in
      for sampler in samplers { await sampler.stop() }
    }
    // A batch may be on its way from a card that stalls, which no cancellation ends.
    await within(ServerLink.flushLimit + .seconds(1), "the last delivery") { [link] in await link?.stopUplink() }
    await control?.stop()
    await within(Self.persistLimit, "writing the queue to the state directory") { [queue] in await queue?.close() }
    let kept = await queue?.depth ?? 0
    let delivered = await link?.uplinkStatus.delivered ?? 0
    log.notice("stopped: \(delivered) records delivered since the start, \(kept) kept for the next one")
  }

  /// Goes on without what does not end in time.
  private func within(_ limit: Duration, _ what: String, _ body: @escaping @Sendable () async -> Void) async {
    let isOver = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
      let race = Race(continuation)
      Task(executorPreference: loop) {
        await body()
        race.end(true)
      }
      Task(executorPreference: loop) { [loop] in
        try? await loop.sleep(for: limit)
        race.end(false)
      }
    }
    if !isOver { log.error("\(what) took longer than \(limit.forHumans); stopping without it") }
  }
}

/// The first of two ends counts. @unchecked: used on the loop alone.
private final class Race: @unchecked Sendable {
  private var continuation: CheckedContinuation<Bool, Never>?

  init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }

  func end(_ outcome: Bool) {
    continuation?.resume(returning: outcome)
    continuation = nil
  }
}
