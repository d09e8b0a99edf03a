internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Sensors
internal import Telemetry

/// One port and the sensors on it: bytes to readings to the recorder, within the callback that brought the bytes.
actor Sampler {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// What is known of one sensor.
  struct SensorStatus: Sendable {
    var name: String
    /// Key to unit, as configured.
    var units: [String: String] = [:]
    var samples: UInt64 = 0
    var errors: UInt64 = 0
    var lastError: String?
    /// The newest value of each key, bounded by `keyLimit`.
    var latest: [(key: Key, value: Value)] = []
    var lastTime: CaptureTime?
    var staleAfter: Duration?

    /// Whether no reading has come for `stale_after`; `nil` without one.
    ///
    /// - Parameter start: What counts for the last reading's time before there is one.
    func isStale(at now: CaptureTime, start: CaptureTime) -> Bool? {
      staleAfter.map { now.boottime &- (lastTime ?? start).boottime > $0.wholeMilliseconds }
    }
  }

  /// Keys whose newest value `status` shows for a sensor.
  static let keyLimit = 200

  private let loop: EventLoop
  /// As the configuration names the port.
  nonisolated let portName: String
  private let recorder: Recorder
  private let log: Logger
  private let stateChanged: @Sendable () -> Void
  /// `nil` for a port without a sensor: what it sends is dropped.
  private var decoder: (any PortDecoder)?
  private var output = DecoderOutput()
  private var limiter = LogLimiter<String>()
  private var port: SerialPort?
  private(set) var sensors: [SensorStatus]

  /// - Parameter stateChanged: Called on the loop when the port was opened or lost.
  init(
    on loop: EventLoop, port name: String, sensors: [SensorOptions], decoder: (any PortDecoder)?, recorder: Recorder,
    log: Logger, stateChanged: @escaping @Sendable () -> Void = {}
  ) {
    self.loop = loop
    portName = name
    self.stateChanged = stateChanged
    self.recorder = recorder
    self.log = log
    self.decoder = decoder
    self.sensors = sensors.map { SensorStatus(name: $0.name, units: $0.units, staleAfter: $0.staleAfter) }
  }

  /// Opens the port and keeps it open.
  func start(_ options: SerialOptions, pool: BlockingPool) {
    let port = SerialPort(name: portName, options: options, loop: loop, pool: pool, log: log) { [weak self] event in
      self?.assumeIsolated { $0.handle(event) }
    }
    self.port = port
    port.assumeIsolated { $0.start() }
  }

  /// Closes the port; no reading comes after it.
  func stop() async {
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
    for (sensor, fault) in output.faults { report(fault, of: sensor) }
    guard !output.samples.isEmpty else { return }
    for (sensor, sample) in output.samples { note(sample, of: sensor) }
    let samples = output.samples
    recorder.assumeIsolated { _ = $0.record(samples) }
  }

  private func note(_ sample: Sample, of sensor: Int) {
    guard sensors.indices.contains(sensor) else { return }
    sensors[sensor].samples &+= 1
    sensors[sensor].lastTime = sample.time
    for (position, reading) in sample.readings.enumerated() {
      // Readings mostly come in the order of the last sample.
      if position < sensors[sensor].latest.count, sensors[sensor].latest[position].key == reading.key {
        sensors[sensor].latest[position].value = reading.value
      } else if let known = sensors[sensor].latest.firstIndex(where: { $0.key == reading.key }) {
        sensors[sensor].latest[known].value = reading.value
      } else if sensors[sensor].latest.count < Self.keyLimit {
        sensors[sensor].latest.append((reading.key, reading.value))
      }
    }
  }

  private func report(_ fault: DecodingFault, of sensor: Int) {
    guard sensors.indices.contains(sensor) else { return }
    let name = sensors[sensor].name
    // The tail of a line that was under way when the port opened is no error of the sensor.
    guard fault.code.isWarning else { return }
    sensors[sensor].errors &+= 1
    sensors[sensor].lastError = fault.message
    guard let suppressed = limiter.admit("\(name) \(fault.code)") else { return }
    log.warning(
      "\(name) on \(portName): \(fault.message); the line is left out\(LogLimiter<String>.note(suppressed))",
      metadata: ["sensor": "\(name)", "port": "\(portName)"])
  }
}
