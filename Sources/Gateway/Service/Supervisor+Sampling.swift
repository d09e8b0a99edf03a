internal import Configuration
internal import Hardware
internal import Sensors

// MARK: - Ports and what is read from them
extension Supervisor {
  /// Opens a port, where anything is to be read from it or written to it.
  func startSampler(_ name: String, _ options: SerialOptions) {
    let sensors = configuration.enabledSensors.filter { $0.port == name }
    // A port without a sensor is opened where a command may write to it.
    guard !sensors.isEmpty || configuration.takesCommands, let recorders = recorders(of: sensors) else { return }
    let sampler = Sampler(
      on: loop, port: name, sensors: sensors, decoder: SensorProtocols.decoder(for: sensors), recorders: recorders,
      log: log
    ) { [weak self] in self?.assumeIsolated { $0.portChanged() } }
    samplers.append(sampler)
    sampler.assumeIsolated { $0.start(options, pool: portPool) }
  }

  /// Where each sensor's readings go.
  ///
  /// - Returns: `nil` where a device is missing, which the configuration rules out.
  func recorders(of sensors: [SensorOptions]) -> [Recorder]? {
    let recorders = sensors.compactMap { device($0.device)?.recorder }
    return recorders.count == sensors.count ? recorders : nil
  }
}
