internal import Synchronization

/// What requests share.
struct ServerState: Sendable {
  var faults = FaultPlan()
  var store: TelemetryStore
  var attributes: [String: AttributeStore] = [:]
  var log: [RequestRecord] = []
  var counters = ServerCounters()
  var losses: [ValueConverter.Loss] = []
  /// Requests whose body was read and that are not answered yet.
  var underWay = 0
  /// Grows with every request's beginning and end.
  var generation: UInt64 = 0
  var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
  var nextWaiter: UInt64 = 0

  /// Reasons of silent losses kept for inspection.
  static let lossLimit = 1000
  /// Devices whose attributes are kept.
  static let deviceLimit = 1000

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
    guard attributes[token] != nil || attributes.count < Self.deviceLimit else { return (0, 0) }
    for entry in stored where !attributes[token, default: AttributeStore()].setClient(entry) { counters.lost += 1 }
    return (stored.count, stored.count)
  }

  private mutating func note(_ lost: [ValueConverter.Loss]) {
    counters.lost += lost.count
    losses += lost.prefix(max(0, Self.lossLimit - losses.count))
  }

  /// Enters a finished request and hands out who waits for one.
  mutating func finish(_ record: RequestRecord, logLimit: Int) -> [CheckedContinuation<Void, Never>] {
    if record.status != 200 { counters.failures += 1 }
    if record.status == 200, record.path.hasSuffix("/telemetry") { counters.acceptedTelemetry += 1 }
    log.append(record)
    if log.count > logLimit { log.removeFirst(log.count - logLimit) }
    return announceChange()
  }

  /// - Returns: Who waits for a change, to be resumed.
  mutating func announceChange() -> [CheckedContinuation<Void, Never>] {
    generation += 1
    defer { waiters = [:] }
    return Array(waiters.values)
  }
}
