internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Sensors
internal import Telemetry
internal import ThingsBoard

// MARK: - Another configuration, without a restart
extension Supervisor {
  /// Reads the file again and changes what differs. What is wrong with it is told, and nothing changed.
  @discardableResult
  func reload() async -> ReloadOutcome {
    await oneAtATime { supervisor in
      ServiceManager.reloading()
      let outcome = await supervisor.readAgain()
      ServiceManager.ready(status: await supervisor.summary)
      return outcome
    }
  }

  private func readAgain() async -> ReloadOutcome {
    switch await resources.disk.run({ [source] in source.load() }) {
    case .success(let loaded): return await take(loaded)
    case .failure(let errors):
      for line in errors.lines { log.error("\(line)") }
      log.error("\(source.path) is not valid: going on with the configuration in use")
      fileTrouble = "\(source.path) has \(errors.errors.count) errors, an earlier configuration is in use"
      return ReloadOutcome(errors: errors.lines)
    }
  }

  private func take(_ file: ConfigurationSource.Loaded) async -> ReloadOutcome {
    (fileBytes, fileName, fileTrouble) = (file.bytes, source.path, nil)
    for warning in file.configuration.warnings { log.warning("\(warning)") }
    let outcome = await apply(await merged(file).configuration)
    // Not used, so not known to be good.
    guard outcome.errors.isEmpty else { return outcome }
    await keep(file)
    log.notice("\(source.path) was read again: \(outcome.words)")
    return outcome
  }

  /// Lays over a new file what the server has set. Where that does not fit any more, the file goes before it.
  private func merged(_ file: ConfigurationSource.Loaded) async -> ConfigurationSource.Loaded {
    guard file.configuration.remote.isEnabled, let overlay = await remote?.record.current else { return file }
    switch await checked(overlay) {
    case .success(let merged): return merged
    case .failure(let errors):
      for line in errors.lines { log.error("\(line)") }
      log.error("\(source.path) does not fit the remote configuration any more, which is left out")
      await remote?.dropCurrent(errors.lines)
      return file
    }
  }

  /// Keeps what is in use for a start with a broken file.
  func keep(_ loaded: ConfigurationSource.Loaded) async {
    let error = await resources.disk.run { [source] () -> SystemError? in
      do throws(SystemError) { try source.keep(loaded) } catch { return error }
      return nil
    }
    if let error { log.warning("\(error): a start with a broken file has nothing to fall back on") }
  }

  // MARK: The remote configuration

  /// What is wrong with the file in use where `overlay` is laid over it.
  func errors(of overlay: JSON) async -> [String] {
    switch await checked(overlay) {
    case .success: []
    case .failure(let errors): errors.lines
    }
  }

  private func checked(_ json: JSON?) async -> Result<ConfigurationSource.Loaded, ConfigurationErrors> {
    await resources.disk.run { [source, fileBytes, fileName] in
      source.check(fileBytes, file: fileName, json: json)
    }
  }

  /// Uses the file in use with another overlay, or alone.
  ///
  /// - Returns: Why it was not.
  func apply(overlay: JSON?) async -> [String] {
    await oneAtATime { supervisor in
      // Switched off by a reload meanwhile.
      guard await supervisor.configuration.remote.isEnabled else { return ReloadOutcome() }
      switch await supervisor.checked(overlay) {
      case .success(let loaded):
        let outcome = await supervisor.apply(loaded.configuration)
        supervisor.log.notice("the remote configuration was applied: \(outcome.words)")
        return outcome
      case .failure(let errors): return ReloadOutcome(errors: errors.lines)
      }
    }.errors
  }

  // MARK: Changing what differs

  /// Waits for the change under way, then makes the next.
  @discardableResult
  private func oneAtATime(_ body: @escaping @Sendable (Supervisor) async -> ReloadOutcome) async -> ReloadOutcome {
    let (before, starting) = (reloading, starting)
    let task = Task(executorPreference: loop) {
      // The server's attributes, or a signal, may come before all devices are connected.
      _ = await starting?.result
      _ = await before?.value
      return await body(self)
    }
    reloading = task
    return await task.value
  }

  private func apply(_ new: GatewayConfiguration) async -> ReloadOutcome {
    guard !isStopping else { return ReloadOutcome(errors: ["baudgated is stopping"]) }
    let difference = ConfigurationDifference(from: configuration, to: new)
    configuration = new
    guard !difference.isEmpty else { return ReloadOutcome() }
    resources.secrets.add(new.secrets)
    level.use(new.logLevel)
    await openDevices(difference.newDevices)
    if difference.sections.contains(.gpio) { await changeGPIO(new.gpio) }
    await changePorts(difference)
    // Only now does nothing that is read belong to them any more.
    await closeDevices(difference.goneDevices)
    await changeLinks(difference)
    if difference.sections.contains(.ota) { await changeUpdaters() }
    await changeRecovery()
    changeSilence()
    await changeRemote(difference)
    await publishFacts()
    tellStatus()
    Memory.giveBack()
    return ReloadOutcome(changes: difference.summary, needsRestart: difference.restarts.map(\.rawValue))
  }

  private func changeRemote(_ difference: ConfigurationDifference) async {
    guard difference.sections.contains(.remote) else { return }
    await remote?.use(trialTime: configuration.remote.trialTime)
    guard configuration.remote.isEnabled else { await remote?.switchOff(); return }
    // Told again only when they change.
    if let values = await own?.link?.sharedValues { sharedAttributesChanged(values) }
  }

  /// They accept readings from here on.
  private func openDevices(_ names: [String]) async {
    let profiles = configuration.profiles
    for name in names {
      if let profile = profiles.first(where: { $0.name == name }) { devices.append(await open(profile)) }
    }
  }

  /// They deliver what they can, and keep the rest.
  private func closeDevices(_ names: [String]) async {
    let gone = devices.filter { names.contains($0.name) }
    devices.removeAll { device in gone.contains { $0 === device } }
    await Self.each(gone) { device in
      await device.disconnect()
      await device.close()
    }
    for device in gone {
      let kept = await device.queue.depth
      guard kept > 0 else { continue }
      log.warning(
        """
        device \(device.name) is gone from the configuration: \(kept) records stay in the state directory's queue, and \
        go out when it is back
        """)
    }
  }

  private func changeGPIO(_ options: GPIOOptions) async {
    guard let gpio else { return await startGPIO(options) }
    levels = levels.filter { name, _ in options.lines.contains { $0.name == name && $0.meter == nil } }
    await changeCounters(options)
    await gpio.use(options)
  }

  private func changePorts(_ difference: ConfigurationDifference) async {
    for sampler in samplers where !configuration.ports.contains(where: { $0.name == sampler.portName }) {
      await stopSampler(sampler)
    }
    for (name, options) in configuration.ports {
      guard let sampler = samplers.first(where: { $0.portName == name }) else {
        startSampler(name, options)
        continue
      }
      let sensors = configuration.enabledSensors.filter { $0.port == name }
      guard let recorders = recorders(of: sensors) else { continue }
      if sensors.isEmpty && !configuration.takesCommands {
        await stopSampler(sampler)
        continue
      }
      guard sampler.isBus == SensorProtocols.isBus(sensors) else {
        await stopSampler(sampler)
        startSampler(name, options)
        continue
      }
      await sampler.use(sensors: sensors, recorders: recorders)
      await sampler.use(options)
    }
    await changeFileSensors()
  }

  /// Devices whose credential or server is another are connected anew; their queues stay.
  private func changeLinks(_ difference: ConfigurationDifference) async {
    do {
      if difference.server { access = try ServerAccess(on: loop, configuration.server) }
      guard let access else { return }
      let profiles = configuration.profiles
      var replaced: [Device] = []
      for profile in profiles {
        guard let device = device(profile.name), await !stays(device, profile, difference) else { continue }
        replaced.append(device)
      }
      // All at once: each may wait for a server that is out of reach.
      await Self.each(replaced) { await $0.disconnect() }
      for (index, profile) in profiles.enumerated() {
        guard !isStopping else { return }
        guard let device = device(profile.name) else { continue }
        if replaced.contains(where: { $0 === device }) {
          try await device.use(profile, router: router(for: profile))
          try await device.connect(access, router: router(for: profile), index: index, of: profiles.count)
        } else if await device.profile != profile || difference.commands || difference.sections.contains(.gpio) {
          try await device.use(profile, router: router(for: profile))
        }
      }
    } catch {
      log.critical("the way to the server cannot be set up: \(error); readings are kept; restart baudgated")
    }
  }

  /// Whether a device keeps the way to the server it has.
  private func stays(_ device: Device, _ profile: DeviceProfile, _ difference: ConfigurationDifference) async -> Bool {
    guard await device.identity != nil, !difference.server else { return false }
    return await device.profile.identity == profile.identity
  }
}
