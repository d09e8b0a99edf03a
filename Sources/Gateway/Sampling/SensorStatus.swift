internal import Sensors
internal import Telemetry

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
  /// Without a sample for so long it is stale; `nil`: never.
  var staleAfter: Duration?
  /// What counts for the last sample's time before there is one.
  var since: CaptureTime
  /// Of a polled sensor: cycles that were due while the one before was still under way.
  var missed: UInt64?
  /// Whether it was told that it is stale.
  var isToldStale = false
  /// How often its port was opened again for it since its last sample.
  var reopenings = 0

  /// Keys whose newest value is kept for a sensor.
  static let keyLimit = 200
  /// Between two openings of a stale sensor's port at most, beyond `stale_after`, in milliseconds.
  private static let mostBetweenReopenings: Int64 = 3_600_000
  /// Doublings of the time between two openings.
  private static let doublingLimit = 20

  init(_ sensor: SensorOptions, since: CaptureTime = .now()) {
    name = sensor.name
    units = sensor.units
    staleAfter = sensor.staleAfter
    missed = sensor.interval == nil ? nil : 0
    self.since = since
  }

  /// Whether no sample has come for `stale_after`; `nil` without one.
  func isStale(at now: CaptureTime) -> Bool? { staleAfter.map { silence(at: now) > $0.wholeMilliseconds } }

  /// Milliseconds since its last sample, or since it is waited for.
  func silence(at now: CaptureTime) -> Int64 { now.boottime &- (lastTime ?? since).boottime }

  /// Milliseconds of silence after which something is to be done about it next: it is told, its port opened again.
  var patience: Int64? {
    guard let limit = staleAfter?.wholeMilliseconds else { return nil }
    guard isToldStale else { return limit }
    let doubled = (0..<min(reopenings, Self.doublingLimit)).reduce(limit) { time, _ in
      time + min(time, Self.mostBetweenReopenings)
    }
    let beyond = Int64(max(0, reopenings - Self.doublingLimit))
    return doubled + beyond.multipliedReportingOverflow(by: Self.mostBetweenReopenings).partialValue
  }

  /// A sample has come.
  ///
  /// - Returns: Whether it was told that the sensor is stale.
  mutating func note(_ sample: Sample) -> Bool {
    samples &+= 1
    lastTime = sample.time
    for (position, reading) in sample.readings.enumerated() {
      // Readings mostly come in the order of the last sample.
      if position < latest.count, latest[position].key == reading.key {
        latest[position].value = reading.value
      } else if let known = latest.firstIndex(where: { $0.key == reading.key }) {
        latest[known].value = reading.value
      } else if latest.count < Self.keyLimit {
        latest.append((reading.key, reading.value))
      }
    }
    guard isToldStale else { return false }
    (isToldStale, reopenings) = (false, 0)
    return true
  }

  /// What stays known of a sensor that has other options now.
  ///
  /// - Parameter before: Those it had.
  func kept(from before: SensorOptions, for sensor: SensorOptions) -> SensorStatus {
    var kept = self
    kept.units = sensor.units
    kept.staleAfter = sensor.staleAfter
    kept.missed = sensor.interval == nil ? nil : missed ?? 0
    guard sensor != before else { return kept }
    if let keys = sensor.keys {
      kept.latest.removeAll { !keys.contains($0.key) }
    } else if before.keys != nil || sensor.prefix != before.prefix || sensor.report != before.report {
      // Nothing says which of them it still sends.
      kept.latest = []
    }
    return kept
  }
}
