internal import Sensors

extension Sampler.SensorStatus {
  /// What stays known of a sensor that has other options now.
  ///
  /// - Parameter before: Those it had.
  func kept(from before: SensorOptions, for sensor: SensorOptions) -> Sampler.SensorStatus {
    var kept = self
    kept.units = sensor.units
    kept.staleAfter = sensor.staleAfter
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
