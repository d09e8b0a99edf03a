internal import Configuration
internal import EventLoop
internal import Hardware
internal import Logging
internal import Telemetry

// MARK: - What is done about a server out of reach, and about silent ports
extension Supervisor {
  /// Makes the ladders what the configuration says. Without any, nothing is read from the card.
  func changeRecovery() async {
    let ports = configuration.ports.filter { !$0.options.silent.isEmpty }
    if ladders == nil {
      guard !configuration.unreachable.isEmpty || !ports.isEmpty else { return }
      ladders = await LadderBook.open(
        on: loop, directory: resources.stateDirectory, disk: resources.disk, log: log)
    }
    guard let book = ladders else { return }
    let hands = recoveryHands
    do throws(SystemError) {
      if let recovery {
        await recovery.update(configuration.unreachable, hands: hands)
      } else if !configuration.unreachable.isEmpty {
        let recovery = Recovery(on: loop, steps: configuration.unreachable, book: book, hands: hands, log: log)
        self.recovery = recovery
        try await recovery.start()
      }
      for (name, known) in portRecoveries where !ports.contains(where: { $0.name == name }) {
        portRecoveries[name] = nil
        await known.stop()
      }
      for (name, options) in ports { try await changeRecovery(of: name, options.silent, book, hands) }
    } catch { log.error("\(error): nothing is done by itself about a server out of reach, or about silent ports") }
  }

  private func changeRecovery(
    of name: String, _ steps: [RecoveryStep], _ book: LadderBook, _ hands: RecoveryHands
  ) async throws(SystemError) {
    if let known = portRecoveries[name] { return await known.update(steps, hands: hands) }
    guard let port = await samplers.first(where: { $0.portName == name })?.port else { return }
    let recovery = PortRecovery(
      on: loop, port: name, steps: steps, book: book, hands: hands,
      portHands: PortHands(port, on: loop, pool: portPool), log: log)
    portRecoveries[name] = recovery
    try await recovery.start()
  }

  private var recoveryHands: RecoveryHands {
    let programs = RecoveryPrograms(configuration.rpc, pool: self.programs)
    return RecoveryHands(
      programs: programs.names, run: { await programs.run($0) },
      reboot: { [logind] in
        do throws(CommandError) {
          try await logind.reboot()
          return .done
        } catch { return .failed(error.message) }
      },
      report: { [weak self] readings in
        self?.assumeIsolated { $0.own?.assumeIsolated { $0.record(readings, at: .now()) } }
      })
  }

  /// Closes a port for good.
  func stopSampler(_ sampler: Sampler) async {
    samplers.removeAll { $0 === sampler }
    // First: a reset under way ends with the port open.
    if let recovery = portRecoveries.removeValue(forKey: sampler.portName) { await recovery.stop() }
    // A driver that is stuck must not hold up this reload, and with it all later ones.
    await within(Self.closeLimit, "closing the port \(sampler.portName)") { await sampler.stop() }
  }

  func stopRecovery() async {
    await recovery?.stop()
    for recovery in portRecoveries.values { await recovery.stop() }
  }
}
