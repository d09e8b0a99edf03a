internal import Foundation
internal import Synchronization

/// What tests and the demo see and set while the server runs. All of it may be called from any thread.
extension DeviceServer {
  /// The stored values of a key, oldest first; of all devices where no token is given.
  public func values(of key: String, token: String? = nil) -> [StoredValue] {
    state.withLock { $0.store.values(of: key, token: token) }
  }

  /// The stored value of a key with the greatest time stamp.
  public func latest(of key: String, token: String? = nil) -> StoredValue? {
    state.withLock { $0.store.latest(of: key, token: token) }
  }

  /// How many times of a key are stored.
  public func count(of key: String, token: String? = nil) -> Int {
    state.withLock { $0.store.count(of: key, token: token) }
  }

  /// The keys with values, sorted.
  public func keys(token: String? = nil) -> [String] { state.withLock { $0.store.keys(token: token) } }

  /// Values in the store.
  public var storedCount: Int { state.withLock { $0.store.count } }

  /// Requests that were read and are not answered yet.
  public var requestsUnderWay: Int { state.withLock { $0.underWay } }

  public var counters: ServerCounters { state.withLock { $0.counters } }

  /// The newest requests, oldest first, after the one of this number.
  public func requests(after number: Int = 0) -> [RequestRecord] {
    state.withLock { state in
      let newer = state.log.suffix(options.logLimit).reversed().prefix { $0.number > number }
      return newer.reversed()
    }
  }

  /// What vanished in silence after a 200, the first thousand.
  public var losses: [ValueConverter.Loss] { state.withLock { $0.losses } }

  /// Forgets the values, not the counters.
  public func removeValues() { state.withLock { $0.store.removeAll() } }

  /// Puts a fault in force instead of the one before in the same scope. Faults in several scopes are in force together;
  /// the newest that meets a request befalls it.
  ///
  /// - Parameters:
  ///   - fault: `nil` ends the scope's fault, or all where no scope is given.
  ///   - requests: How many requests meet it; `nil` is all until the next call.
  ///   - scope: `nil` is ``FaultScope/telemetry`` for a fault.
  public func setFault(_ fault: Fault?, requests: Int? = nil, scope: FaultScope? = nil) {
    state.withLock { state in
      if let fault {
        state.faults.set(fault, requests: requests, scope: scope ?? .telemetry)
      } else {
        state.faults.end(scope)
      }
    }
  }

  /// Waits until the condition holds; it is looked at again whenever a request begins or ends, a poll
  /// opens, or something the server keeps changes.
  ///
  /// - Returns: Whether it held within the limit.
  public func wait(upTo limit: Duration, until condition: @Sendable () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
      let generation = state.withLock { $0.generation }
      if condition() { return true }
      guard ContinuousClock.now < deadline else { return false }
      await change(after: generation, before: deadline)
    }
  }

  private func change(after generation: UInt64, before deadline: ContinuousClock.Instant) async {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    let timer = Task { [self] in
      try await Task.sleep(until: deadline)
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
    await withCheckedContinuation { continuation in
      let isLate = state.withLock { state in
        if state.generation != generation || ContinuousClock.now >= deadline { return true }
        state.waiters[id] = continuation
        return false
      }
      if isLate { continuation.resume() }
    }
    timer.cancel()
  }
}
