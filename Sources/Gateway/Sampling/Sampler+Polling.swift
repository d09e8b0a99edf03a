internal import EventLoop
internal import Hardware
internal import Sensors
internal import Telemetry

// MARK: - Sensors on a bus
extension Sampler {
  /// How late a poll may begin, so that wake-ups coincide.
  static let pollAccuracy = Duration.milliseconds(5)
  /// Commands that may wait for the bus.
  static let commandLimit = 64

  /// Begins what is due, and waits for the next.
  func lookAtPolls() {
    let now = Uptime.boottime
    for index in polls.times.indices {
      switch polls.times[index].look(at: now) {
      case .begin: begin(index, as: .poll)
      case .missed: intake.noteMissed(index)
      case .notYet: break
      }
    }
    if let due = polls.due { pollTimer?.arm(after: max(.zero, due - now)) } else { pollTimer?.disarm() }
    makeUp()
  }

  /// Asks what was due while the port was closed, once it is open.
  func makeUp() {
    guard isPortOpen else { return }
    for index in polls.times.indices where polls.times[index].isOwed && polls.times[index].beginNow() {
      begin(index, as: .poll)
    }
  }

  private var isPortOpen: Bool { port?.assumeIsolated { $0.device != nil } ?? false }

  private func begin(_ index: Int, as traffic: BusTraffic) {
    // The bus lets commands wait for the port a little.
    guard traffic == .command || isPortOpen else { return polls.putOff(index) }
    polls.polls[index].begin()
    ask(index, as: traffic)
  }

  private func ask(_ index: Int, as traffic: BusTraffic) {
    guard let bus, let request = polls.polls[index].next() else { return finish(index) }
    let (generation, timeout) = (polls.generation, polls.timeouts[index])
    bus.assumeIsolated { bus in
      bus.submit(request, as: traffic, timeout: timeout) { [weak self] result in
        self?.assumeIsolated { $0.answered(result, index, as: traffic, generation) }
      }
    }
  }

  private func answered(
    _ result: Result<BusAnswer, BusFailure>, _ index: Int, as traffic: BusTraffic, _ generation: Int
  ) {
    guard generation == polls.generation else { return }
    switch result {
    case .success(let answer): polls.polls[index].take(.success(answer.bytes), at: answer.time)
    case .failure(let failure):
      polls.polls[index].take(.failure(failure), at: .now())
      if failure.code == .notOpen {
        finish(index)
        return polls.putOff(index)
      }
    }
    ask(index, as: traffic)
  }

  private func finish(_ index: Int) {
    output.removeAll()
    polls.polls[index].finish(as: index, into: &output)
    intake.take(&output)
    polls.ended(index)
  }

  // MARK: Commands

  /// The newest values of a sensor, asked for now where it is on a bus.
  ///
  /// - Returns: `nil` for an unknown sensor.
  /// - Throws: `CommandError` `.timeout` where it did not answer.
  func readNow(_ name: String) async throws(CommandError) -> [Reading]? {
    guard var index = sensors.firstIndex(where: { $0.name == name }) else { return nil }
    if polls.times.indices.contains(index), polls.times[index].isUnderWay {
      // What that cycle has read already may be older than what was just written.
      await withCheckedContinuation { polls.wait(for: index, $0) }
      guard let place = sensors.firstIndex(where: { $0.name == name }) else { return nil }
      index = place
    }
    if polls.times.indices.contains(index) {
      let before = sensors[index].samples
      if polls.times[index].beginNow() { begin(index, as: .command) }
      if polls.times[index].isUnderWay { await withCheckedContinuation { polls.wait(for: index, $0) } }
      if let sensor = sensors.first(where: { $0.name == name }), sensor.samples == before {
        throw CommandError(.timeout, "\(name) gave no values: \(sensor.lastError ?? "the port was closed")")
      }
    }
    return sensors.first { $0.name == name }?.latest.map { Reading($0.key, $0.value) }
  }

  /// Reads or writes a register, one command after the other: a read and a write that belong together stay together.
  ///
  /// - Throws: `CommandError`: `.timeout`, `.unavailable`, `.busy`, `.interrupted`.
  func perform(
    _ exchange: any RegisterExchange, of sensor: String
  ) async throws(CommandError) -> JSON {
    guard commandsWaiting < Self.commandLimit else {
      throw CommandError(.busy, "\(Self.commandLimit) commands wait for the port \(portName) already")
    }
    commandsWaiting += 1
    let before = lastCommand
    let task = Task<Result<JSON, CommandError>, Never>(executorPreference: loop) {
      _ = await before?.value
      return await self.performed(exchange, of: sensor)
    }
    lastCommand = task
    let result = await task.value
    commandsWaiting -= 1
    return try result.get()
  }

  /// The bus knows that its port is closed, the port why.
  private func explained(_ failure: BusFailure) -> BusFailure {
    guard failure.code == .notOpen, let why = portStatus?.lastError?.message, !failure.message.hasPrefix(why) else {
      return failure
    }
    return BusFailure(failure.code, "\(failure.message): \(why)")
  }

  private func performed(
    _ exchange: any RegisterExchange, of sensor: String
  ) async -> Result<JSON, CommandError> {
    var exchange = exchange
    let index = sensors.firstIndex { $0.name == sensor }
    let timeout = index.flatMap { polls.timeouts.indices.contains($0) ? polls.timeouts[$0] : nil }
    do throws(CommandError) {
      while let request = exchange.next() {
        guard let bus else { throw CommandError(.unavailable, "the port \(portName) is closed") }
        switch await bus.exchange(request, as: .command, timeout: timeout) {
        case .failure(let failure): throw CommandError(explained(failure))
        // Nobody answers a broadcast.
        case .success where request.finder == nil: break
        case .success(let answer):
          do throws(RegisterError) { try exchange.take(answer.bytes) } catch { throw CommandError(error) }
        }
      }
    } catch { return .failure(error) }
    return .success(exchange.value)
  }
}

extension CommandError {
  init(_ failure: BusFailure) {
    let code: Code =
      switch failure.code {
      case .timedOut, .setAside: .timeout
      case .notOpen: .unavailable
      case .busy: .busy
      case .stopped: .interrupted
      }
    self.init(code, failure.message)
  }

  init(_ error: RegisterError) {
    let code: Code =
      switch error.code {
      case .noSuchRegister, .notReadable, .notWritable, .badValue: .badParams
      case .refused: .unavailable
      }
    self.init(code, error.message)
  }
}
