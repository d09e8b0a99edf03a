internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Sensors
internal import Telemetry

/// One port and the sensors on it: bytes to readings to the recorder, within the callback that brought the bytes.
actor Sampler {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  let loop: EventLoop
  /// As the configuration names the port.
  nonisolated let portName: String
  /// Whether its sensors are asked; a port is one or the other for the sampler's life.
  nonisolated let isBus: Bool
  let log: Logger
  private let stateChanged: @Sendable () -> Void
  /// `nil` for a port without a sensor that sends by itself: what comes is dropped.
  private var decoder: (any PortDecoder)?
  var output = DecoderOutput()
  var intake: Intake
  private var staleTimer: StaleTimer?
  private var stream: SerialPort?
  // For Sampler+Polling.
  private(set) var bus: SerialBus?
  var polls = BusPolls()
  private(set) var pollTimer: TimerSource?
  /// The last command that wanted the bus; the next one waits for it.
  var lastCommand: Task<Result<JSON, CommandError>, Never>?
  var commandsWaiting = 0

  /// - Parameters:
  ///   - recorders: One for each sensor; those of one device share theirs.
  ///   - publish: Wants client attributes of a device.
  ///   - stateChanged: Called on the loop when the port was opened or lost.
  init(
    on loop: EventLoop, port name: String, sensors: [SensorOptions], recorders: [Recorder], log: Logger,
    publish: @escaping Intake.Publisher = { _, _ in }, stateChanged: @escaping @Sendable () -> Void = {}
  ) {
    self.loop = loop
    portName = name
    isBus = SensorProtocols.isBus(sensors)
    self.stateChanged = stateChanged
    self.log = log
    decoder = SensorProtocols.decoder(for: sensors)
    intake = Intake(sensors, at: name, recorders: recorders, publish: publish, log: log)
  }

  /// The port itself, while it is in use.
  var port: SerialPort? { stream ?? bus?.assumeIsolated { $0.port } }
  /// The units that were asked so far; empty but on a bus.
  var units: [BusUnitStatus] { bus?.assumeIsolated { $0.units } ?? [] }
  /// How many of them do not answer for now.
  var silentUnits: Int { units.reduce(0) { $0 + ($1.silentFor == nil ? 0 : 1) } }
  var sensors: [SensorStatus] { intake.sensors }
  var filters: [SensorFilters] { intake.filters }

  /// Opens the port and keeps it open.
  ///
  /// - Parameter hotplug: Finds the device and tells when it comes and goes; without it a path is opened as it stands.
  func start(_ options: SerialOptions, pool: BlockingPool, hotplug: Hotplug? = nil) {
    defer { watchStaleness() }
    // Not with ??: Swift 6.3 crashes on it.
    let open: SerialPort.Opener
    if let hotplug { open = hotplug.opener(for: portName) } else { open = openStream }
    guard !isBus else { return startBus(options, pool: pool, open, hotplug) }
    let port = SerialPort(name: portName, options: options, loop: loop, pool: pool, log: log, open: open) {
      [weak self] event in
      self?.assumeIsolated { $0.handle(event) }
    }
    stream = port
    hotplug?.assumeIsolated { $0.watch(port) }
    port.assumeIsolated { $0.start() }
  }

  private func startBus(
    _ options: SerialOptions, pool: BlockingPool, _ open: @escaping SerialPort.Opener, _ hotplug: Hotplug?
  ) {
    let bus = SerialBus(
      name: portName, options: options, loop: loop, pool: pool, log: log, open: open
    ) { [weak self, stateChanged] in
      self?.assumeIsolated { $0.makeUp() }
      stateChanged()
    }
    self.bus = bus
    bus.assumeIsolated { $0.start() }
    if let port { hotplug?.assumeIsolated { $0.watch(port) } }
    do throws(SystemError) {
      pollTimer = try TimerSource(loop, clock: .boottime, accuracy: Self.pollAccuracy) { [weak self] in
        self?.assumeIsolated { $0.lookAtPolls() }
      }
    } catch { return log.error("\(portName): \(error); its sensors are not asked") }
    polls.use(intake.options, at: Uptime.boottime)
    lookAtPolls()
  }

  /// Takes other sensors on the port as it is open.
  ///
  /// What has arrived of a line is decoded with the rest of it by the new decoder where both cut the bytes alike; with
  /// another protocol, what comes up to the next beginning is lost. A line is never decoded by both.
  ///
  /// - Parameters:
  ///   - sensors: Of the same kind, asked or not, as before.
  ///   - recorders: One for each sensor.
  func use(sensors: [SensorOptions], recorders: [Recorder]) {
    guard intake.use(sensors, recorders: recorders) else { return }
    defer { watchStaleness() }
    if bus != nil {
      polls.use(sensors, at: Uptime.boottime)
      return lookAtPolls()
    }
    var decoder = SensorProtocols.decoder(for: sensors)
    if let old = self.decoder { decoder?.takeOver(from: old) } else { decoder?.portOpened() }
    self.decoder = decoder
  }

  /// Takes other options of the port, which is opened again only where its line differs.
  func use(_ options: SerialOptions) {
    stream?.assumeIsolated { $0.use(options) }
    bus?.assumeIsolated { $0.use(options) }
  }

  /// Closes the port; no reading comes after it.
  func stop() async {
    (staleTimer, pollTimer) = (nil, nil)
    polls.endAll()
    await stream?.stop()
    await bus?.stop()
    (stream, bus) = (nil, nil)
  }

  /// Sends bytes, as `SerialPort.write` does; on a bus between two questions.
  func write(_ bytes: [UInt8]) async throws(PortError) {
    if let bus { return try await bus.write(bytes) }
    guard let stream else { throw PortError(code: .notOpen, message: "\(portName) is not open") }
    try await stream.write(bytes)
  }

  var portStatus: PortStatus? { port?.assumeIsolated { $0.status } }

  private func handle(_ event: PortEvent) {
    switch event {
    case .opened:
      decoder?.portOpened()
      stateChanged()
    case .received(let bytes, let time): received(bytes, at: time)
    case .lost: stateChanged()
    }
  }

  private func received(_ bytes: [UInt8], at time: CaptureTime) {
    output.removeAll()
    decoder?.feed(bytes, at: time, into: &output)
    intake.take(&output)
  }

  // MARK: Staleness

  private func watchStaleness() {
    do throws(SystemError) {
      if staleTimer == nil {
        staleTimer = try StaleTimer(on: loop) { [weak self] in self?.assumeIsolated { $0.lookAfterStale() } }
      }
    } catch { return log.error("\(portName): \(error); stale sensors are not told of") }
    staleTimer?.arm(after: intake.nextStaleness(at: .now()))
    intake.publishStaleness()
  }

  private func lookAfterStale() {
    let now = CaptureTime.now()
    if let reason = intake.lookAfterStale(at: now) { port?.assumeIsolated { _ = $0.reopen(because: reason) } }
    staleTimer?.arm(after: intake.nextStaleness(at: now))
  }
}
