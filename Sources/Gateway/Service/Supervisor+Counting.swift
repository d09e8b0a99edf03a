internal import Configuration
internal import Hardware
internal import Telemetry

// MARK: - Lines that are counted or measured
extension Supervisor {
  /// Makes the counters what the configuration says. Without any, nothing is read from the card.
  func changeCounters(_ options: GPIOOptions) async {
    if counters == nil {
      guard options.lines.contains(where: { $0.meter != nil }) else { return }
      counters = await Counters.open(
        on: loop, hotDirectory: resources.hotDirectory, stateDirectory: resources.stateDirectory, disk: resources.disk,
        log: log
      ) { [weak self] line, readings, time in
        self?.assumeIsolated { $0.record(readings, of: line, at: time) }
      }
    }
    await counters?.use(options.lines)
  }

  /// The lines of a device that are counted or measured: `readNow` knows them as sensors.
  func metered(of device: String) -> [String] {
    belongings.lines(of: device).filter { $0.meter != nil }.map(\.name)
  }

  func edgesCame(_ edges: GPIOEdges) { counters?.assumeIsolated { $0.take(edges) } }

  private func record(_ readings: [Reading], of line: String, at time: CaptureTime) {
    guard let line = configuration.gpio.lines.first(where: { $0.name == line }) else { return }
    device(line.device)?.assumeIsolated { $0.record(readings, at: time) }
  }

  /// What `baudgate status` shows of them, by name.
  var counts: [String: [JSON.Member]] {
    get async {
      guard let counters else { return [:] }
      var counts: [String: [JSON.Member]] = [:]
      for line in configuration.gpio.lines where line.meter != nil {
        counts[line.name] = await counters.status(of: line.name)
      }
      return counts
    }
  }
}
