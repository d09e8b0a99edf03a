internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Telemetry
internal import ThingsBoard

// MARK: - The way to the server
extension Supervisor {
  /// How long a device name that cannot be had yet is waited for: a USB network adapter may appear late.
  static let nameRetry = Duration.seconds(30)

  /// Connects now where the token is there, or as soon as it is.
  ///
  /// - Throws: `SystemError` or `DeviceAPIError` where the process itself is short of something.
  func startLink() async throws {
    let identity = try Identity(on: loop, configuration, disk: disk, secrets: secrets, log: log)
    self.identity = identity
    let ledger = CommandLedger(stateDirectory: configuration.stateDirectory, loader: disk)
    if !identity.isProvisioned && configuration.server.transport == .deviceAPI, let token = await identity.token() {
      return try await connect(token, deviceName: "", ledger)
    }
    linking = Task(executorPreference: loop) {
      guard let name = await self.deviceName(), let token = await identity.token() else { return }
      do { try await self.connect(token, deviceName: name, ledger) } catch {
        self.log.critical("the way to the server cannot be set up: \(error); readings are kept; restart baudgated")
      }
    }
  }

  /// What the integration calls this device; the device API needs no name.
  private func deviceName() async -> String? {
    guard configuration.server.transport == .httpIntegration, let template = configuration.device.name else {
      return ""
    }
    var isTold = false
    while !Task.isCancelled {
      do throws(DeviceNameError) {
        return try await disk.run { () throws(DeviceNameError) in try DeviceName.expand(template) }
      } catch {
        if !isTold { log.error("\(error); readings are kept, looked at again every \(Self.nameRetry.forHumans)") }
        isTold = true
        try? await loop.sleep(for: Self.nameRetry)
      }
    }
    return nil
  }

  private func connect(_ token: Secret, deviceName: String, _ ledger: CommandLedger) async throws {
    guard let queue, let recorder, !Task.isCancelled else { return }
    let api = try configuration.server.deviceAPI(
      on: loop, token: token, deviceName: deviceName, userAgent: Version.userAgent)
    let link = ServerLink(
      on: loop, configuration, api: api, queue: queue, recorder: recorder,
      router: CommandRouter(commandContext), ledger: ledger, log: log)
    self.link = link
    await queue.setOnAppend { link.recordsArrived() }
    link.publish(configuration.attributes)
    try await link.start()
    await publishFacts()
    publishLevels()
  }

  /// What commands act upon.
  private var commandContext: CommandContext {
    CommandContext(
      lines: gpio, ports: configuration.ports.map(\.name),
      writePort: { [weak self] port, bytes async throws(PortError) in
        guard let self else { throw PortError(code: .notOpen, message: "\(port) is not open") }
        try await self.write(bytes, to: port)
      },
      sensors: configuration.sensors.map(\.name),
      latest: { [weak self] sensor in await self?.latest(of: sensor) },
      status: { [weak self] in await self?.statusDocument ?? .null },
      rpc: configuration.rpc,
      reboot: { [logind] () async throws(CommandError) in try await logind.reboot() })
  }

  private func write(_ bytes: [UInt8], to port: String) async throws(PortError) {
    guard let sampler = samplers.first(where: { $0.portName == port }) else {
      throw PortError(code: .notOpen, message: "\(port) is not open")
    }
    try await sampler.write(bytes)
  }

  private func latest(of sensor: String) async -> [Reading]? {
    for sampler in samplers {
      if let found = await sampler.sensors.first(where: { $0.name == sensor }) {
        return found.latest.map { Reading($0.key, $0.value) }
      }
    }
    return nil
  }

  // MARK: Client attributes

  /// What the server should know of this board: facts, ports and sensors. Only what has changed is sent.
  func publishFacts() async {
    guard link != nil else { return }
    if facts == nil { facts = await disk.run { BoardFacts.read() } }
    if let time = bootTime.update() { facts?.bootTime = time }
    publish((facts?.attributes ?? []) + gatewayAttributes)
  }

  /// A configured attribute of the same name goes before ours.
  private func publish(_ attributes: [Reading]) {
    let configured = Set(configuration.attributes.map(\.key))
    link?.publish(attributes.filter { !configured.contains($0.key) })
  }

  private var gatewayAttributes: [Reading] {
    let ports = samplers.compactMap { $0.assumeIsolated { $0.portStatus } }.map { port in
      JSON.Member(
        port.name,
        .object([.init("path", .string(port.path)), .init("found", .bool(port.state == .open))]))
    }
    let sensors = configuration.sensors.map { sensor in
      JSON.Member(
        sensor.name,
        .object([.init("port", .string(sensor.port)), .init("protocol", .string(sensor.protocolName))]))
    }
    return [("ports", JSON.object(ports)), ("sensors", JSON.object(sensors))].compactMap { name, json in
      (try? Key(name)).map { Reading($0, .json(json)) }
    }
  }

  /// A port was opened or lost.
  func portChanged() {
    publish(gatewayAttributes)
  }

  // MARK: GPIO

  /// A level is known for the first time, or another one.
  func levelChanged(_ event: GPIOEvent) {
    guard let line = configuration.gpio.lines.first(where: { $0.name == event.line }) else { return }
    if line.direction == .input, let key = try? Key(line.name) {
      let sample = Sample(time: event.time, readings: [Reading(key, .bool(event.value))])
      recorder?.assumeIsolated { _ = $0.record([(sensor: 0, sample: sample)]) }
    }
    publish(pinAttribute(line, event.value))
    // Held down while the daemon starts it is no press.
    let isFirst = levels.updateValue(event.value, forKey: line.name) == nil
    if event.value, !isFirst, line.name == configuration.claim?.button { link?.claimButtonPressed() }
  }

  private func publishLevels() {
    for line in configuration.gpio.lines {
      if let value = levels[line.name] { publish(pinAttribute(line, value)) }
    }
  }

  /// GPIO panels read client attributes that are named by pin.
  private func pinAttribute(_ line: GPIOLineOptions, _ value: Bool) -> [Reading] {
    (try? Key(configuration.gpio.lines.pinName(of: line))).map { [Reading($0, .bool(value))] } ?? []
  }
}
