internal import Configuration
internal import EventLoop
internal import Hardware
internal import Sensors
internal import Telemetry

// MARK: - Ports and what is read from them
extension Supervisor {
  /// Opens a port, where anything is to be read from it or written to it.
  func startSampler(_ name: String, _ options: SerialOptions) {
    let sensors = configuration.enabledSensors.filter { $0.port == name }
    // A port without a sensor is opened where a command may write to it.
    guard !sensors.isEmpty || configuration.takesCommands, let recorders = recorders(of: sensors) else { return }
    let sampler = Sampler(
      on: loop, port: name, sensors: sensors, recorders: recorders, log: log, publish: publisher
    ) { [weak self] in self?.assumeIsolated { $0.portChanged() } }
    samplers.append(sampler)
    sampler.assumeIsolated { $0.start(options, pool: portPool, hotplug: hotplug) }
  }

  /// Wants attributes of a device, for sensors that report them and for stale ones.
  private var publisher: Intake.Publisher {
    { [weak self] device, readings in
      self?.assumeIsolated { supervisor in
        supervisor.sensorAttributes[device ?? DeviceProfile.ownName, default: [:]].merge(
          readings.map { ($0.key, $0.value) }
        ) { $1 }
        supervisor.device(device)?.assumeIsolated { $0.publish(readings) }
      }
    }
  }

  /// Reads sensors without a port from their files; makes of them what the configuration says.
  func changeFileSensors() async {
    let sensors = configuration.enabledSensors.filter { $0.port == nil }
    guard let recorders = recorders(of: sensors) else { return }
    if let files {
      await files.use(sensors, recorders: recorders)
      return
    }
    guard !sensors.isEmpty else { return }
    let files = FileSampler(
      on: loop, sensors, recorders: recorders, pool: filePool, log: log, publish: publisher)
    self.files = files
    do throws(SystemError) { try await files.start() } catch {
      log.error("\(error): sensors without a port are not read; restart baudgated")
    }
  }

  /// Where each sensor's readings go.
  ///
  /// - Returns: `nil` where a device is missing, which the configuration rules out.
  func recorders(of sensors: [SensorOptions]) -> [Recorder]? {
    let recorders = sensors.compactMap { device($0.device)?.recorder }
    return recorders.count == sensors.count ? recorders : nil
  }
}
