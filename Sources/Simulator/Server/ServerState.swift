internal import Synchronization

/// What requests share.
struct ServerState: Sendable {
  var faults = FaultPlan()
  var store: TelemetryStore
  var devices: [String: DeviceMemory] = [:]
  var registry: ProvisionRegistry
  /// Known devices; `nil` is any that is not deleted.
  private var tokens: Set<String>?
  private var deletedTokens: Set<String> = []
  private(set) var claims: [ClaimRequest] = []
  private(set) var calls: [ClientCall] = []
  private(set) var uplinks: [IntegrationUplink] = []
  var callHandler: (@Sendable (_ method: String, _ params: String) -> String?)?
  var hook: (@Sendable (RequestKind, RequestPhase) -> Void)?
  /// Files under `/packages`, by name.
  var files: [String: ServedFile] = [:]
  var log: [RequestRecord] = []
  var counters = ServerCounters()
  var losses: [ValueConverter.Loss] = []
  /// Requests whose body was read and that are not answered yet.
  var underWay = 0
  private var polls: [UInt64: OpenPoll] = [:]
  private var nextPoll: UInt64 = 0
  /// Grows with every change that somebody may wait for.
  var generation: UInt64 = 0
  var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
  var nextWaiter: UInt64 = 0

  /// Reasons of silent losses, claims, calls and the integration's payloads kept for inspection, each.
  static let recordLimit = 1000
  /// Devices of which more than telemetry is kept.
  static let deviceLimit = 4096

  /// Files under `/packages`.
  static let fileLimit = 100

  init(_ options: ServerOptions) {
    store = TelemetryStore(limit: options.storeLimit)
    registry = ProvisionRegistry(options.provisioningProfiles)
    tokens = options.tokens ?? (options.provisioningProfiles.isEmpty ? nil : [])
    tokens?.formUnion(registry.registeredTokens)
  }

  // MARK: Devices

  func knows(_ token: String) -> Bool { tokens?.contains(token) ?? !deletedTokens.contains(token) }

  /// Whether a token is a device's for certain; where any is taken, those of provisioned devices only.
  func isRegistered(_ token: String) -> Bool {
    tokens?.contains(token) ?? registry.devices.contains { $0.token == token }
  }

  mutating func addDevice(_ token: String) {
    tokens?.insert(token)
    deletedTokens.remove(token)
  }

  /// Forgets the device and ends its polls.
  mutating func deleteDevice(_ token: String, _ wakeups: inout Wakeups) {
    tokens?.remove(token)
    if tokens == nil, deletedTokens.count < Self.deviceLimit { deletedTokens.insert(token) }
    registry.remove(token: token)
    for (id, poll) in polls where poll.token == token { end(id, with: .deviceDeleted, &wakeups) }
    devices[token] = nil
  }

  /// Whether there is memory for this device.
  func hasRoom(for token: String) -> Bool { devices[token] != nil || devices.count < Self.deviceLimit }

  // MARK: Polls

  mutating func makePollID() -> UInt64 {
    nextPoll += 1
    return nextPoll
  }

  /// - Returns: The end of a poll that is answered at once; else the continuation is kept.
  mutating func open(_ id: UInt64, _ poll: OpenPoll, at now: UInt64) -> PollEnd? {
    if hasRoom(for: poll.token) {
      if poll.kind == .pollAttributes {
        devices[poll.token, default: DeviceMemory()].attributePolls.append(id)
      } else if let command = devices[poll.token, default: DeviceMemory()].commands.open(id, at: now) {
        return .news(command.text)
      }
    }
    polls[id] = poll
    return nil
  }

  /// Ends a poll that is still open.
  mutating func end(_ id: UInt64, with end: PollEnd, _ wakeups: inout Wakeups) {
    guard let poll = polls.removeValue(forKey: id) else { return }
    devices[poll.token]?.attributePolls.removeAll { $0 == id }
    devices[poll.token]?.commands.end(id)
    wakeups.polls.append((poll, end))
  }

  /// Tells every open poll of attributes of a change.
  mutating func announceAttributes(_ news: LiteralJSON, token: String, _ wakeups: inout Wakeups) {
    for id in devices[token]?.attributePolls ?? [] { end(id, with: .news(news.text), &wakeups) }
  }

  func openPolls(_ kind: RequestKind, token: String?) -> Int {
    polls.values.count { $0.kind == kind && (token == nil || $0.token == token) }
  }

  // MARK: Records

  mutating func note(_ call: ClientCall) {
    if calls.count < Self.recordLimit { calls.append(call) }
  }

  mutating func note(_ uplink: IntegrationUplink) {
    if uplinks.count < Self.recordLimit { uplinks.append(uplink) }
  }

  mutating func note(_ claim: ClaimRequest) {
    if claims.count < Self.recordLimit { claims.append(claim) }
  }

  mutating func store(_ outcome: ValueConverter.Outcome, token: String) -> (messages: Int, values: Int) {
    guard case .accepted(let stored, let lost, let elements) = outcome else { return (0, 0) }
    for entry in stored {
      switch store.insert(entry, token: token) {
      case .new: counters.values += 1
      case .repeated:
        counters.values += 1
        counters.repeats += 1
      case .replaced:
        counters.values += 1
        counters.replacements += 1
      case .full: counters.lost += 1
      }
    }
    note(lost)
    return (elements, stored.count)
  }

  mutating func storeAttributes(_ outcome: ValueConverter.Outcome, token: String) -> (messages: Int, values: Int) {
    guard case .accepted(let stored, let lost, _) = outcome else { return (0, 0) }
    note(lost)
    guard hasRoom(for: token) else { return (0, 0) }
    for entry in stored where !devices[token, default: DeviceMemory()].attributes.setClient(entry) {
      counters.lost += 1
    }
    return (stored.count, stored.count)
  }

  private mutating func note(_ lost: [ValueConverter.Loss]) {
    counters.lost += lost.count
    losses += lost.prefix(max(0, Self.recordLimit - losses.count))
  }

  /// Enters a finished request.
  mutating func finish(_ record: RequestRecord, logLimit: Int) {
    if record.status != 200 { counters.failures += 1 }
    if record.status == 200, record.kind == .postTelemetry { counters.acceptedTelemetry += 1 }
    log.append(record)
    // A tenth at a time: each cut moves all that stays.
    if log.count > logLimit + logLimit / 10 { log.removeFirst(log.count - logLimit) }
  }

  /// - Returns: Who waits for a change, to be resumed.
  mutating func announceChange() -> [CheckedContinuation<Void, Never>] {
    generation += 1
    defer { waiters = [:] }
    return Array(waiters.values)
  }
}
