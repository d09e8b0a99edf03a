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
  private(set) var port: SerialPort?

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

  var sensors: [SensorStatus] { intake.sensors }
  var filters: [SensorFilters] { intake.filters }

  /// Opens the port and keeps it open.
  func start(_ options: SerialOptions, pool: BlockingPool) {
    let port = SerialPort(name: portName, options: options, loop: loop, pool: pool, log: log) { [weak self] event in
      self?.assumeIsolated { $0.handle(event) }
    }
    self.port = port
    port.assumeIsolated { $0.start() }
    watchStaleness()
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
    var decoder = SensorProtocols.decoder(for: sensors)
    if let old = self.decoder { decoder?.takeOver(from: old) } else { decoder?.portOpened() }
    self.decoder = decoder
    watchStaleness()
  }

  /// Takes other options of the port, which is opened again only where its line differs.
  func use(_ options: SerialOptions) { port?.assumeIsolated { $0.use(options) } }

  /// Closes the port; no reading comes after it.
  func stop() async {
    staleTimer = nil
    await port?.stop()
    port = nil
  }

  /// Sends bytes, as `SerialPort.write` does.
  func write(_ bytes: [UInt8]) async throws(PortError) {
    guard let port else { throw PortError(code: .notOpen, message: "\(portName) is not open") }
    try await port.write(bytes)
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
