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

  /// Time for the last delivery at a stop.
  static let flushLimit = Duration.seconds(5)
  /// Time for the queue's last write at a stop; a stalled card must not use up the service manager's patience.
  static let persistLimit = Duration.seconds(10)
  /// Time for the ports to close at a stop.
  static let closeLimit = Duration.seconds(5)
  /// A disk call that takes longer is stuck: the watchdog is no longer fed. Cards stall for many seconds.
  static let stuckDiskLimit = Duration.seconds(120)
  /// Threads for ports at most; each wedged driver keeps one.
  static let portThreadLimit = 64
  /// How often the status line, the day's traffic and the disk thread are looked at.
  static let housekeepingInterval = Duration.seconds(60)

  private let loop: EventLoop
  private let configuration: GatewayConfiguration
  private let log: Logger
  private let started = CaptureTime.now()
  private let disk = BlockingPool(name: "disk", threads: 1)
  private let portPool: BlockingPool

  private var queue: TelemetryQueue?
  private var recorder: Recorder?
  private var uplink: Uplink?
  private var samplers: [Sampler] = []
  private var control: ControlSocket?
  private var api: HTTPDeviceAPI?
  private var housekeeping: TimerSource?
  private var traffic = TrafficToday()
  private var lastStatusLine = ""

  init(on loop: EventLoop, _ configuration: GatewayConfiguration, log: Logger) {
    self.loop = loop
    self.configuration = configuration
    self.log = log
    portPool = BlockingPool(name: "ports", threads: min(configuration.ports.count + 1, Self.portThreadLimit))
  }

  // MARK: Start

  /// - Throws: `SystemError` or `DeviceAPIError` where the process itself is short of something.
  func start() async throws {
    let queue = await openQueue()
    self.queue = queue
    guard case .token(let credential) = configuration.device.identity else { return }
    let api = try HTTPDeviceAPI(
      on: loop, server: configuration.server, token: credential.token,
      userAgent: "baudgate/\(Version.current)")
    self.api = api
    let uplink = Uplink(
      on: loop, queue: queue, api: api,
      options: Uplink.Options(
        interval: configuration.upload.interval, maxBatch: configuration.upload.maxBatch,
        maxBytes: configuration.upload.maxBytes, server: configuration.server.url.description),
      log: log)
    self.uplink = uplink
    await queue.setOnAppend { uplink.recordsArrived() }
    try await uplink.start()
    let recorder = Recorder(on: loop, queue: queue, floor: await queue.status.newestTimestamp, log: log)
    self.recorder = recorder
    for (name, options) in configuration.ports { startSampler(name, options, recorder) }
    await startControl()
    try startHousekeeping()
    ServiceManager.ready(status: summary)
    let waiting = await queue.depth
    log.notice(
      """
      baudgated \(Version.current) is ready: \(configuration.sensors.count) sensors on \(samplers.count) ports, \
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

  private func startSampler(_ name: String, _ options: SerialOptions, _ recorder: Recorder) {
    let sensors = configuration.sensors.filter { $0.port == name }
    guard let decoder = SensorProtocols.decoder(for: sensors) else { return }
    let sampler = Sampler(on: loop, port: name, sensors: sensors, decoder: decoder, recorder: recorder, log: log)
    samplers.append(sampler)
    sampler.assumeIsolated { $0.start(options, pool: portPool) }
  }

  private func startControl() async {
    guard let path = configuration.controlSocket else { return }
    let control = ControlSocket(on: loop, path: path, log: log) { [weak self] line in
      await self?.answer(line) ?? Array(#"{"error":"stopping"}"#.utf8)
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
    if let busy = disk.longestCall, busy > Self.stuckDiskLimit {
      log.critical(
        """
        the disk has not finished a call for \(busy.forHumans): the watchdog is no longer fed, the service manager \
        will start baudgated anew; check the card
        """)
      loop.setWatchdog(false)
    } else {
      loop.setWatchdog(true)
    }
    Task(executorPreference: loop) { await self.updateTraffic() }
    let line = summary
    if line != lastStatusLine {
      lastStatusLine = line
      ServiceManager.status(line)
    }
  }

  private func updateTraffic() async {
    guard let api else { return }
    traffic.update(await api.traffic(), at: CaptureTime.now().milliseconds)
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

  /// One line: what works, what does not.
  private var summary: String {
    let depth = queue?.assumeIsolated { $0.depth } ?? 0
    let isFailing = uplink?.assumeIsolated { $0.status.isFailing } ?? false
    let degraded = queue?.assumeIsolated { $0.status.degraded }
    let open = samplers.filter { $0.assumeIsolated { $0.portStatus?.state == .open } }.count
    var parts = ["\(open) of \(samplers.count) ports open", "\(depth) records waiting"]
    parts.append(isFailing ? "server out of reach" : "server in reach")
    if let degraded { parts.insert("DEGRADED: \(degraded)", at: 0) }
    return parts.joined(separator: ", ")
  }

  private func answer(_ line: String) async -> [UInt8] {
    guard line == "status" else { return Array(#"{"error":"unknown request"}"#.utf8) }
    await updateTraffic()
    guard let queue, let uplink, let recorder else { return Array(#"{"error":"starting"}"#.utf8) }
    var parts: [StatusReport.Part] = []
    for sampler in samplers {
      guard let port = await sampler.portStatus else { continue }
      parts.append(StatusReport.Part(port: port, sensors: await sampler.sensors))
    }
    let report = StatusReport(
      started: started, summary: summary, samplers: parts, recorder: await recorder.status, queue: await queue.status,
      uplink: await uplink.status, server: configuration.server.url.description, today: traffic)
    var document: [UInt8] = []
    report.json.write(into: &document)
    document.append(UInt8(ascii: "\n"))
    return document
  }

  // MARK: Stop

  /// Stops reading, delivers what can be delivered in time, writes out the rest, and reports.
  func stop(because reason: String) async {
    ServiceManager.stopping(status: "stopping: \(reason)")
    log.notice("stopping: \(reason)")
    housekeeping = nil
    await within(Self.closeLimit, "closing the ports") { [samplers] in
      for sampler in samplers { await sampler.stop() }
    }
    // A batch may be on its way from a card that stalls, which no cancellation ends.
    await within(Self.flushLimit + .seconds(1), "the last delivery") { [uplink] in
      await uplink?.stop(within: Self.flushLimit)
    }
    await control?.stop()
    await within(Self.persistLimit, "writing the queue to the state directory") { [queue] in await queue?.close() }
    let kept = await queue?.depth ?? 0
    let delivered = await uplink?.status.delivered ?? 0
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
