internal import Logging
internal import Sensors
internal import Telemetry

/// What becomes of a group of sensors' samples: filtered, noted for the status, recorded. Used on the loop, by one actor.
struct Intake {
  /// As configured; samples and faults name them by their places here.
  private(set) var options: [SensorOptions]
  /// In the same order.
  private(set) var sensors: [SensorStatus]
  /// By sensor; empty where none of them filters.
  private(set) var filters: [SensorFilters]
  /// Whose telemetry each sensor's readings are, in the same order.
  private var recorders: [Recorder]
  /// Each of them once.
  private var distinct: [Recorder]
  /// Whether a sensor reports attributes.
  private var hasAttributes = false
  private let publish: Publisher
  private let place: String
  private let log: Logger
  private var limiter = LogLimiter<String>()

  /// Wants client attributes of a device, by its name in the configuration; `nil` is the gateway itself.
  typealias Publisher = @Sendable (_ device: String?, [Reading]) -> Void

  /// - Parameters:
  ///   - place: Where the sensors are, for the log: a port's name.
  ///   - recorders: One for each sensor; those of one device share theirs.
  init(
    _ sensors: [SensorOptions], at place: String, recorders: [Recorder], publish: @escaping Publisher, log: Logger
  ) {
    options = sensors
    self.sensors = sensors.map { SensorStatus($0) }
    filters = Self.working(sensors.map(SensorFilters.init))
    self.recorders = recorders
    distinct = Self.distinct(recorders)
    self.publish = publish
    self.place = place
    self.log = log
    hasAttributes = sensors.contains { $0.report == .attribute }
  }

  private static func distinct(_ recorders: [Recorder]) -> [Recorder] {
    var distinct: [Recorder] = []
    for recorder in recorders where !distinct.contains(where: { $0 === recorder }) { distinct.append(recorder) }
    return distinct
  }

  private static func working(_ filters: [SensorFilters]) -> [SensorFilters] {
    filters.allSatisfy(\.isEmpty) ? [] : filters
  }

  /// Takes other sensors. Of one with the same name the counters stay, of its newest values those it still sends, and
  /// what its filters have seen where they are the same.
  ///
  /// - Returns: Whether any sensor differs.
  mutating func use(_ sensors: [SensorOptions], recorders: [Recorder]) -> Bool {
    self.recorders = recorders
    distinct = Self.distinct(recorders)
    guard sensors != options else { return false }
    let before = zip(options, self.sensors)
    self.sensors = sensors.map { sensor in
      before.first { $0.0.name == sensor.name }.map { $0.1.kept(from: $0.0, for: sensor) } ?? SensorStatus(sensor)
    }
    let known = options.indices.filter(filters.indices.contains).map { (options: options[$0], filters: filters[$0]) }
    filters = Self.working(
      sensors.map { sensor in
        known.first {
          $0.options.name == sensor.name && $0.options.prefix == sensor.prefix && $0.options.filters == sensor.filters
        }?.filters ?? SensorFilters(sensor)
      })
    options = sensors
    hasAttributes = sensors.contains { $0.report == .attribute }
    return true
  }

  // MARK: Samples

  /// Takes what a decoder or a poll has found.
  mutating func take(_ output: inout DecoderOutput) {
    for (sensor, fault) in output.faults { report(fault, of: sensor) }
    guard !output.samples.isEmpty else { return }
    if !filters.isEmpty { filter(&output.samples) }
    for (sensor, sample) in output.samples where sensors.indices.contains(sensor) {
      if sensors[sensor].note(sample) { tellFresh(sensor) }
    }
    if hasAttributes { publishAttributes(&output.samples) }
    record(output.samples)
  }

  /// A sample stays one when none of its readings is left: the sensor is not stale.
  private mutating func filter(_ samples: inout [(sensor: Int, sample: Sample)]) {
    for index in samples.indices where filters.indices.contains(samples[index].sensor) {
      filters[samples[index].sensor].apply(to: &samples[index].sample)
    }
  }

  private func publishAttributes(_ samples: inout [(sensor: Int, sample: Sample)]) {
    samples.removeAll { sensor, sample in
      guard options.indices.contains(sensor), options[sensor].report == .attribute else { return false }
      publish(options[sensor].device, sample.readings)
      return true
    }
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

  private mutating func report(_ fault: DecodingFault, of sensor: Int) {
    guard sensors.indices.contains(sensor) else { return }
    // The tail of a line that was under way when the port opened is no error of the sensor.
    guard fault.code.isWarning else { return }
    let name = sensors[sensor].name
    sensors[sensor].errors &+= 1
    sensors[sensor].lastError = fault.message
    guard !fault.code.isToldElsewhere, let suppressed = limiter.admit("\(name) \(fault.code)") else { return }
    let next =
      if options[sensor].interval == nil {
        "; the line is left out"
      } else {
        // A refusal says itself when it is asked again.
        fault.code == .refused ? "" : "; asked again at the next interval"
      }
    log.warning(
      "\(name) on \(place): \(fault.message)\(next)\(LogLimiter<String>.note(suppressed))", metadata: of(sensor))
  }

  /// A poll was due while the one before was under way.
  mutating func noteMissed(_ sensor: Int) {
    guard sensors.indices.contains(sensor) else { return }
    sensors[sensor].missed = (sensors[sensor].missed ?? 0) &+ 1
    guard let suppressed = limiter.admit("\(sensors[sensor].name) missed") else { return }
    let interval = options[sensor].interval?.forHumans ?? ""
    log.warning(
      """
      \(sensors[sensor].name) on \(place): its last poll was not over when the next was due, which is left out; the \
      line is too slow for `interval: \(interval)` of all its sensors together, or units on it do not \
      answer\(LogLimiter<String>.note(suppressed))
      """, metadata: of(sensor))
  }

  // MARK: Staleness

  /// Milliseconds until a sensor is to be looked after; `nil` while none can become stale.
  func nextStaleness(at now: CaptureTime) -> Int64? {
    sensors.compactMap { sensor in sensor.patience.map { $0 - sensor.silence(at: now) } }.min()
  }

  /// Tells of sensors that have become stale.
  ///
  /// - Returns: Where the port is to be opened again, why: a sensor is silent, and so are all others of the port.
  mutating func lookAfterStale(at now: CaptureTime) -> String? {
    var reason: String?
    for index in sensors.indices {
      guard let patience = sensors[index].patience, sensors[index].silence(at: now) >= patience else { continue }
      if !sensors[index].isToldStale { tellStale(index, at: now) }
      sensors[index].reopenings += 1
      let limit = sensors[index].staleAfter?.wholeMilliseconds ?? 0
      if sensors.allSatisfy({ $0.silence(at: now) >= limit }) {
        reason =
          "\(sensors[index].name) has said nothing for \(Duration.milliseconds(sensors[index].silence(at: now)).forHumans)"
      }
    }
    return reason
  }

  /// Says of each sensor that has a `stale_after` whether it is stale.
  func publishStaleness() {
    for index in sensors.indices where sensors[index].staleAfter != nil { publishStaleness(of: index) }
  }

  private mutating func tellStale(_ index: Int, at now: CaptureTime) {
    sensors[index].isToldStale = true
    let silence = Duration.milliseconds(sensors[index].silence(at: now)).forHumans
    let error = sensors[index].lastError.map { "; its last error: \($0)" } ?? ""
    log.warning(
      "\(sensors[index].name) on \(place): stale, no reading for \(silence)\(error); check the sensor and its wiring",
      metadata: of(index))
    publishStaleness(of: index)
  }

  private func tellFresh(_ index: Int) {
    log.notice("\(sensors[index].name) on \(place): readings come again", metadata: of(index))
    publishStaleness(of: index)
  }

  private func publishStaleness(of index: Int) {
    guard let key = try? Key("\(sensors[index].name).stale") else { return }
    publish(options[index].device, [Reading(key, .bool(sensors[index].isToldStale))])
  }

  private func of(_ sensor: Int) -> Logger.Metadata { ["sensor": "\(sensors[sensor].name)", "port": "\(place)"] }
}
