internal import Foundation
internal import Synchronization

/// What the server asks of its devices, and what comes of it. All of it may be called from any thread.
extension DeviceServer {
  /// A server-side RPC. It is handed to every open poll at once, or waits, or is lost to the subscription an ended poll
  /// left behind (contract.md section 4).
  ///
  /// - Parameters:
  ///   - params: JSON; what is none is sent as it is.
  ///   - lifetime: How long the server waits for a reply, and a command that nobody has polled for a poll.
  ///   - persistent: Whether it survives ``restartMemory()``, with a new number.
  /// - Returns: Its number, unique for the device until the server's memory restarts; -1 where the server has no room for
  ///   another device.
  @discardableResult
  public func sendCommand(
    _ method: String, params: String = "{}", token: String, oneWay: Bool = false, lifetime: Duration = .seconds(10),
    persistent: Bool = false
  ) -> Int64 {
    let params = (try? LiteralJSON.parse(Array(params.utf8)).document.text) ?? params
    return update { state, wakeups in
      guard state.hasRoom(for: token) else { return -1 }
      // Taken under the lock: the time of the hand-over.
      let now = MonotonicClock.now
      let (command, answers) = state.devices[token, default: DeviceMemory()].commands.send(
        method, params: params, isOneWay: oneWay, isPersistent: persistent,
        expires: MonotonicClock.time(lifetime, after: now), at: now)
      for poll in answers { state.end(poll, with: .news(command.text), &wakeups) }
      return command.id
    }
  }

  /// The command of this number and all replies to it; `nil` before the first reply.
  public func reply(to id: Int64, token: String) -> CommandOutcome? {
    outcome(of: id, token: token).flatMap { $0.replies.isEmpty ? nil : $0 }
  }

  /// The newest command of this number, answered or not. Replies to a number that no command has are kept as well.
  public func outcome(of id: Int64, token: String) -> CommandOutcome? {
    state.withLock { $0.devices[token]?.commands.outcome(of: id) }
  }

  /// All commands of a device, those before ``restartMemory()`` first.
  public func commands(token: String) -> [CommandOutcome] {
    state.withLock { $0.devices[token]?.commands.history ?? [] }
  }

  /// How many polls the command of this number was handed to; ghosts don't count.
  public func commandDeliveries(id: Int64, token: String) -> Int {
    outcome(of: id, token: token)?.handovers.count ?? 0
  }

  /// Commands that wait for a poll or a reply.
  public func pendingCommands(token: String) -> Int {
    state.withLock { $0.devices[token]?.commands.pendingCount(at: MonotonicClock.now) ?? 0 }
  }

  /// Waits for the first reply to a command.
  ///
  /// - Returns: Its text; `nil` where none came within the limit.
  public func waitForReply(to id: Int64, token: String, within limit: Duration = .seconds(10)) async -> String? {
    _ = await wait(upTo: limit) { self.reply(to: id, token: token) != nil }
    return reply(to: id, token: token)?.replies.first?.text
  }

  /// Open polls of a kind, `.pollCommands` or `.pollAttributes`; of all devices where no token is given. ``wait(upTo:until:)``
  /// looks again when one opens or ends.
  public func openPolls(_ kind: RequestKind, token: String? = nil) -> Int {
    state.withLock { $0.openPolls(kind, token: token) }
  }

  /// What a restart does to the server's memory: commands count from 0 again, those that waited are forgotten but for
  /// persistent ones. Polls stay open; ``dropConnections()`` or ``cutOff()`` ends them as a real restart would.
  public func restartMemory() {
    update { state, _ in
      let now = MonotonicClock.now
      for token in Array(state.devices.keys) { state.devices[token]?.commands.restart(at: now) }
    }
  }

  /// Makes a token known.
  public func addDevice(token: String) { update { state, _ in state.addDevice(token) } }

  /// Makes devices with the tokens `PREFIX0`, `PREFIX1` and so on.
  public func addDevices(prefix: String, count: Int) {
    update { state, _ in
      for index in 0..<max(0, count) { state.addDevice("\(prefix)\(index)") }
    }
  }

  /// Deletes a device with all it has but its telemetry: open polls end with 403, and its token is unknown from now on.
  public func deleteDevice(token: String) { update { state, wakeups in state.deleteDevice(token, &wakeups) } }

  /// Devices that have provisioned themselves, in order; each was made exactly once.
  public var provisionedDevices: [ProvisionedDevice] { state.withLock { $0.registry.devices } }

  /// Claiming requests, the first thousand.
  public var claims: [ClaimRequest] { state.withLock { $0.claims } }

  /// Payloads of the HTTP integration, the first thousand.
  public var uplinks: [IntegrationUplink] { state.withLock { $0.uplinks } }

  /// Client-side RPCs, the first thousand.
  public var calls: [ClientCall] { state.withLock { $0.calls } }

  /// Sets the rule that answers client-side RPCs.
  ///
  /// - Parameter handler: Gets method and params (JSON) and gives the answer's JSON, empty for the rule chain's `null`;
  ///   `nil` where no rule answers. `{"error":"…"}` is an answer, too.
  public func setCallHandler(_ handler: (@Sendable (_ method: String, _ params: String) -> String?)?) {
    state.withLock { $0.callHandler = handler }
  }

  /// Sets the rule that answers client-side RPCs as a table from method to JSON.
  public func setCallAnswers(_ table: [String: String]) { setCallHandler { method, _ in table[method] } }

  /// Calls `hook` before and after the work of every request of the device API, on the request's thread: what it does there,
  /// such as killing the daemon, is done at that moment. It must not wait for another request.
  public func onRequest(_ hook: (@Sendable (RequestKind, RequestPhase) -> Void)?) {
    state.withLock { $0.hook = hook }
  }
}
