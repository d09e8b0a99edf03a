internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Sensors
internal import Telemetry
internal import ThingsBoard

// MARK: - The devices and what their commands act upon
extension Supervisor {
  /// Opens a device's queue.
  func open(_ profile: DeviceProfile) async -> Device {
    let name = profile.name
    let isOwn = profile.isOwn
    let events = Device.Events(
      connected: { [weak self] in self?.assumeIsolated { $0.connected(name) } },
      sharedAttributes: { [weak self] values in
        if isOwn { self?.assumeIsolated { $0.sharedAttributesChanged(values) } }
      },
      contact: { [weak self] contact in
        self?.assumeIsolated {
          $0.recovery?.note(contact)
          $0.silence?.note(contact)
        }
      },
      delivered: { [weak self] began in if isOwn { self?.assumeIsolated { $0.remote?.delivered(began) } } })
    return await Device.open(profile, resources, events: events)
  }

  /// - Throws: `SystemError` or `DeviceAPIError` where the process itself is short of something.
  func connectAll() async throws {
    let access = try ServerAccess(on: loop, configuration.server)
    self.access = access
    for (index, device) in devices.enumerated() {
      try await device.connect(access, router: router(for: await device.profile), index: index, of: devices.count)
    }
  }

  func device(_ name: String?) -> Device? {
    guard let name else { return own }
    return places[name].map { devices[$0] }
  }

  private func connected(_ name: String) {
    Task(executorPreference: loop) {
      await self.publishFacts(to: name)
      await self.publishLevels(of: name)
      if name == DeviceProfile.ownName { await self.changeUpdaters() }
      if name == DeviceProfile.ownName, await self.configuration.remote.isEnabled { await self.remote?.report() }
    }
  }

  // MARK: Commands

  /// What carries out a device's commands. Another owner's device acts upon what belongs to it, and never upon the board.
  func router(for profile: DeviceProfile) -> CommandRouter {
    let name = profile.name
    let sensors = belongings.sensors(of: name)
    return CommandRouter(
      CommandContext(
        lines: gpio.map { DeviceLines(all: $0, device: profile.reference) },
        ports: ports(of: profile),
        writePort: { [weak self] port, bytes async throws(PortError) in
          guard let self else { throw PortError(code: .notOpen, message: "\(port) is not open") }
          try await self.write(bytes, to: port)
        },
        sensors: sensors.map(\.name) + metered(of: name),
        latest: { [weak self] sensor async throws(CommandError) in try await self?.latest(of: sensor, for: name) },
        registers: { [weak self] sensor, register, value async throws(CommandError) in
          guard let self else { throw .interrupted }
          return try await self.exchange(sensor, register, value)
        },
        status: { [weak self] in await self?.statusDocument(of: name) ?? .null }, rpc: profile.rpc,
        reboot: { [logind] () async throws(CommandError) in
          guard profile.isOwn else { throw CommandError(.unavailable, "only the gateway itself restarts the board") }
          try await logind.reboot()
        },
        programs: programs))
  }

  /// Ports a device may write to: the gateway's own to all, another to those that serve it alone.
  private func ports(of profile: DeviceProfile) -> [String] {
    configuration.ports.map(\.name).filter { port in
      if profile.isOwn { return true }
      guard belongings.sensors(of: profile.name).contains(where: { $0.port == port }) else { return false }
      return configuration.sensors.allSatisfy { $0.port != port || $0.device == profile.reference }
    }
  }

  private func write(_ bytes: [UInt8], to port: String) async throws(PortError) {
    guard let sampler = samplers.first(where: { $0.portName == port }) else {
      throw PortError(code: .notOpen, message: "\(port) is not open")
    }
    try await sampler.write(bytes)
  }

  /// - Parameter device: Who asks.
  private func latest(of sensor: String, for device: String) async throws(CommandError) -> [Reading]? {
    for sampler in samplers {
      if let found = try await sampler.readNow(sensor) { return found }
    }
    if let found = await files?.readNow(sensor) { return found }
    return metered(of: device).contains(sensor) ? await counters?.latest(of: sensor) : nil
  }

  /// Reads or writes a register of a sensor on a bus.
  private func exchange(_ sensor: String, _ register: String, _ value: JSON?) async throws(CommandError) -> JSON {
    let options = configuration.enabledSensors.first { $0.name == sensor }
    guard let options, let settings = options.settings as? any PolledSettings,
      let sampler = samplers.first(where: { $0.portName == options.port })
    else { throw CommandError(.badParams, "\(sensor) has no registers: it is not on a bus") }
    let exchange: any RegisterExchange
    do throws(RegisterError) {
      if let value {
        exchange = try settings.writing(register, value)
      } else {
        exchange = try settings.reading(register)
      }
    } catch { throw CommandError(error) }
    return try await sampler.perform(exchange, of: sensor)
  }
}
