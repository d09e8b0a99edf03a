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
  /// As configured, in the decoder's order.
  private var options: [SensorOptions]
  /// Whose telemetry each sensor's readings are, in the same order.
  private var recorders: [Recorder]
  /// Each of them once.
  private var distinct: [Recorder]
  private let log: Logger
  private let stateChanged: @Sendable () -> Void
  /// `nil` for a port without a sensor: what it sends is dropped.
  private var decoder: (any PortDecoder)?
  /// By sensor; empty where none of them filters.
  private(set) var filters: [SensorFilters]
  private var output = DecoderOutput()
  private var limiter = LogLimiter<String>()
  private(set) var port: SerialPort?
  private(set) var sensors: [SensorStatus]

  /// - Parameters:
  ///   - recorders: One for each sensor; those of one device share theirs.
  ///   - stateChanged: Called on the loop when the port was opened or lost.
  init(
    on loop: EventLoop, port name: String, sensors: [SensorOptions], decoder: (any PortDecoder)?,
    recorders: [Recorder], log: Logger, stateChanged: @escaping @Sendable () -> Void = {}
  ) {
    self.loop = loop
    portName = name
    self.stateChanged = stateChanged
    self.recorders = recorders
    distinct = Self.distinct(recorders)
    options = sensors
    self.log = log
    self.decoder = decoder
    filters = Self.working(sensors.map(SensorFilters.init))
    self.sensors = sensors.map { SensorStatus(name: $0.name, units: $0.units, staleAfter: $0.staleAfter) }
  }

  private static func distinct(_ recorders: [Recorder]) -> [Recorder] {
    var distinct: [Recorder] = []
    for recorder in recorders where !distinct.contains(where: { $0 === recorder }) { distinct.append(recorder) }
    return distinct
  }

  private static func working(_ filters: [SensorFilters]) -> [SensorFilters] {
    filters.allSatisfy(\.isEmpty) ? [] : filters
  }

  /// Opens the port and keeps it open.
  func start(_ options: SerialOptions, pool: BlockingPool) {
    let port = SerialPort(name: portName, options: options, loop: loop, pool: pool, log: log) { [weak self] event in
      self?.assumeIsolated { $0.handle(event) }
    }
    self.port = port
    port.assumeIsolated { $0.start() }
  }

  /// Takes other sensors on the port as it is open. Of one with the same name the counters stay, of its newest values
  /// those it still sends, and what its filters have seen where they are the same.
  ///
  /// What has arrived of a line is decoded with the rest of it by the new decoder where both cut the bytes alike; with
  /// another protocol, what comes up to the next beginning is lost. A line is never decoded by both.
  ///
  /// - Parameters:
  ///   - decoder: Made from these sensors; not used where the sensors are those of before.
  ///   - recorders: One for each sensor.
  func use(sensors: [SensorOptions], decoder: (any PortDecoder)?, recorders: [Recorder]) {
    self.recorders = recorders
    distinct = Self.distinct(recorders)
    guard sensors != options else { return }
    let before = zip(options, self.sensors)
    self.sensors = sensors.map { sensor in
      before.first { $0.0.name == sensor.name }.map { $0.1.kept(from: $0.0, for: sensor) }
        ?? SensorStatus(name: sensor.name, units: sensor.units, staleAfter: sensor.staleAfter)
    }
    let known = options.indices.filter(filters.indices.contains).map { (options: options[$0], filters: filters[$0]) }
    filters = Self.working(
      sensors.map { sensor in
        known.first {
          $0.options.name == sensor.name && $0.options.prefix == sensor.prefix && $0.options.filters == sensor.filters
        }?.filters ?? SensorFilters(sensor)
      })
    options = sensors
    var decoder = decoder
    if let old = self.decoder { decoder?.takeOver(from: old) } else { decoder?.portOpened() }
    self.decoder = decoder
  }

  /// Takes other options of the port, which is opened again only where its line differs.
  func use(_ options: SerialOptions) { port?.assumeIsolated { $0.use(options) } }

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
    if !filters.isEmpty { filterSamples() }
    for (sensor, sample) in output.samples { note(sample, of: sensor) }
    record(output.samples)
  }

  /// One call for each device that has any.
  private func record(_ samples: [(sensor: Int, sample: Sample)]) {
    if distinct.count == 1 {
      distinct[0].assumeIsolated { _ = $0.record(samples) }
      return
    }
    for recorder in distinct {
      let own = samples.filter { recorders.indices.contains($0.sensor) && recorders[$0.sensor] === recorder }
      if !own.isEmpty { recorder.assumeIsolated { _ = $0.record(own) } }
    }
  }

  /// A sample stays one when none of its readings is left: the sensor is not stale.
  private func filterSamples() {
    for index in output.samples.indices where filters.indices.contains(output.samples[index].sensor) {
      filters[output.samples[index].sensor].apply(to: &output.samples[index].sample)
    }
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
