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

  /// Time for a reload under way, the ladders and the updates to end at a stop.
  static let changeLimit = Duration.seconds(3)
  /// Time for what comes down to end at a stop.
  static let downlinkLimit = Duration.seconds(6)
  /// Time for the queues' last write at a stop; a stalled card must not use up the service manager's patience.
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
  let source: ConfigurationSource
  var configuration: GatewayConfiguration {
    didSet { belongings = Belongings(configuration) }
  }
  private(set) var belongings: Belongings
  let resources: DeviceResources
  let level: LogLevel
  let log: Logger
  let started = CaptureTime.now()
  let logind = Logind()
  /// Where programs of `run` are waited for.
  let programs = BlockingPool(name: "programs", threads: CommandContext.programLimit)
  let portPool = BlockingPool(name: "ports", threads: Supervisor.portThreadLimit)
  let hotplug: Hotplug
  /// Apart from the ports: a bus that hangs keeps a thread for each of its lines, and none that others wait for.
  private let linePool = BlockingPool(name: "gpio", threads: Supervisor.portThreadLimit)

  /// The gateway's own first.
  var devices: [Device] = [] {
    didSet { places = Dictionary(devices.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first }) }
  }
  /// Where each device stands in `devices`.
  private(set) var places: [String: Int] = [:]
  var access: ServerAccess?
  var gpio: GPIOController?
  /// Has outputs with `safe: hold` outlive this process.
  let keeper: LineKeeper
  /// `nil` while no output has a `safe_after`.
  var silence: ServerSilence?
  /// `nil` while no line is counted or measured.
  var counters: Counters?
  var samplers: [Sampler] = []
  var files: FileSampler?
  /// Where sensors without a port are read.
  let filePool = BlockingPool(name: "files", threads: FileSampler.threadLimit)
  /// Attributes of sensors by device, as last wanted: a link that is new has not seen them.
  var sensorAttributes: [String: [Key: Value]] = [:]
  private var control: ControlSocket?
  private var housekeeping: TimerSource?
  private var lastStatusLine = ""
  private(set) var isStopping = false
  var traffic = TrafficToday()
  var facts: BoardFacts?
  var bootTime = BootTime()
  /// The level of each GPIO line, as last reported.
  var levels: [String: Bool] = [:]
  /// What is wrong with the configuration file, where another is used in its place.
  var fileTrouble: String?
  /// The start: nothing is changed before it is over.
  private(set) var starting: Task<Void, any Error>?
  /// The reload under way; the next one waits for it.
  var reloading: Task<ReloadOutcome, Never>?
  /// The file in use, and where it was read: what the server sets is laid over it.
  var fileBytes: [UInt8]
  var fileName: String
  var remote: RemoteConfiguration?
  var updaters: [PackageKind: Updater] = [:]
  /// Where packages are written and verified, which takes minutes.
  let updatePool = BlockingPool(name: "updates", threads: PackageKind.allCases.count)
  /// Stops the daemon in order and starts its program anew; called on the loop.
  let reexecute: @Sendable () -> Void
  /// The memory of all ladders; `nil` while none is configured.
  var ladders: LadderBook?
  var recovery: Recovery?
  var portRecoveries: [String: PortRecovery] = [:]
  private let remoteRecord: RemoteConfigurationRecord

  /// - Parameters:
  ///   - source: Where the configuration comes from, and comes from anew at a reload.
  ///   - loaded: What it was.
  ///   - file: Where that was read.
  ///   - remote: The configuration to start with.
  ///   - trouble: What is wrong with the configuration file, where another is used in its place.
  ///   - level: That of `log`.
  ///   - keeper: With the lines the process before this one has left.
  ///   - reexecute: Stops the daemon in order and starts its program anew; called on the loop.
  init(
    on loop: EventLoop, _ source: ConfigurationSource, _ loaded: ConfigurationSource.Loaded, file: String,
    _ remote: RemoteStart, trouble: String?, secrets: SecretRegistry, level: LogLevel, log: Logger,
    keeper: LineKeeper, reexecute: @escaping @Sendable () -> Void
  ) {
    self.loop = loop
    self.keeper = keeper
    self.source = source
    configuration = remote.configuration
    belongings = Belongings(remote.configuration)
    remoteRecord = remote.record
    fileBytes = loaded.bytes
    fileName = file
    fileTrouble = trouble
    self.level = level
    self.reexecute = reexecute
    self.log = log
    hotplug = Hotplug(on: loop, pool: portPool, log: log)
    // Beside the card's part where there is no memory to be had: it still survives a kill, at the price of writes.
    let configuration = remote.configuration
    let hot = configuration.queue.hotDirectory ?? configuration.runtimeDirectory ?? configuration.stateDirectory
    resources = DeviceResources(
      loop: loop, disk: BlockingPool(name: "disk", threads: 1), hotDirectory: "\(hot)/hot",
      stateDirectory: configuration.stateDirectory, secrets: secrets, log: log)
  }

  /// The gateway itself, as the platform knows it.
  var own: Device? { devices.first }

  // MARK: Start

  /// - Throws: `SystemError` or `DeviceAPIError` where the process itself is short of something.
  func start() async throws {
    let task = Task(executorPreference: loop) { try await self.startAll() }
    starting = task
    try await task.value
  }

  private func startAll() async throws {
    var opened: [Device] = []
    for profile in configuration.profiles { opened.append(await open(profile)) }
    devices = opened
    await startGPIO(configuration.gpio)
    // Before the links: they read from the card, and no reading has to wait for that.
    for (name, options) in configuration.ports { startSampler(name, options) }
    await changeFileSensors()
    await startParts()
    try await connectAll()
    await startControl()
    try startHousekeeping()
    Memory.giveBack()
    ServiceManager.ready(status: summary)
    if fileTrouble == nil {
      await keep(ConfigurationSource.Loaded(configuration: configuration, bytes: fileBytes))
    }
    var waiting = 0
    for device in devices { waiting += await device.queue.depth }
    let lines = configuration.gpio.lines.isEmpty ? "" : ", \(configuration.gpio.lines.count) GPIO lines"
    let others = devices.count > 1 ? ", \(devices.count) devices" : ""
    log.notice(
      """
      baudgated \(Version.current) is ready: \(configuration.enabledSensors.count) sensors on \(samplers.count) ports\
      \(lines)\(others), \(waiting) records waiting for \(configuration.server.url)
      """)
  }

  /// Outputs have their first value when it returns.
  func startGPIO(_ options: GPIOOptions) async {
    guard !options.lines.isEmpty else { return keeper.dropUnclaimed() }
    await changeCounters(options)
    let gpio = GPIOController(
      options, on: loop, pool: linePool, log: log, keeper: keeper,
      edges: { [weak self] edges in self?.assumeIsolated { $0.edgesCame(edges) } },
      handler: { [weak self] event in self?.assumeIsolated { $0.levelChanged(event) } })
    self.gpio = gpio
    await gpio.start()
  }

  /// What acts upon the server's wishes, or upon its silence; ready before the first of them comes.
  private func startParts() async {
    startRemoteConfiguration(remoteRecord)
    await changeRecovery()
    changeSilence()
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
    let calls = [resources.disk.longestCall, resources.commands.longestCall].compactMap { $0 }
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
    tellStatus()
  }

  /// One line for `systemctl status`, where it has changed.
  func tellStatus() {
    let line = summary
    guard line != lastStatusLine else { return }
    lastStatusLine = line
    ServiceManager.status(line)
  }

  // MARK: Stop

  /// Stops reading and taking commands, delivers what can be delivered in time, writes out the rest, and reports.
  func stop(because reason: String) async {
    isStopping = true
    ServiceManager.stopping(status: "stopping: \(reason)")
    log.notice("stopping: \(reason)")
    housekeeping = nil
    await within(Self.changeLimit, "ending reloads, ladders and updates") { [weak self] in await self?.endChanges() }
    let devices = devices
    await within(Self.downlinkLimit, "ending commands") {
      await Self.each(devices) { await $0.stopDownlink() }
    }
    await within(Self.closeLimit, "leaving the GPIO lines") { [gpio] in await gpio?.stop() }
    await counters?.tellLast()
    await files?.stop()
    await within(Self.closeLimit, "closing the ports") { [samplers, hotplug] in
      await hotplug.stop()
      for sampler in samplers { await sampler.stop() }
    }
    // A batch may be on its way from a card that stalls, which no cancellation ends.
    await within(ServerLink.flushLimit + .seconds(1), "the last delivery") {
      await Self.each(devices) { await $0.stopUplink() }
    }
    await control?.stop()
    // One limit for both: they wait for the same card. The counts first, they are a block or two.
    await within(Self.persistLimit, "writing the counts and the queues to the state directory") { [counters] in
      await counters?.close()
      await Self.each(devices) { await $0.close() }
    }
    var (kept, delivered) = (0, UInt64(0))
    for device in devices {
      kept += await device.queue.depth
      delivered &+= await device.link?.uplinkStatus.delivered ?? 0
    }
    log.notice("stopped: \(delivered) records delivered since the start, \(kept) kept for the next one")
  }

  private func endChanges() async {
    await remote?.stop()
    _ = await reloading?.value
    await stopRecovery()
    await stopUpdaters()
  }

  /// All devices at once: each waits for the server, and none for another.
  static func each(_ devices: [Device], _ body: @escaping @Sendable (Device) async -> Void) async {
    await withTaskGroup(of: Void.self) { group in
      for device in devices { group.addTask { await body(device) } }
    }
  }

  /// Goes on without what does not end in time.
  func within(_ limit: Duration, _ what: String, _ body: @escaping @Sendable () async -> Void) async {
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
    if !isOver { log.error("\(what) took longer than \(limit.forHumans); going on without it") }
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
