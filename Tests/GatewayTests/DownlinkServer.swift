import EventLoop
import Synchronization
import Telemetry
import ThingsBoard

/// A device API whose polls behave as the server's, in memory: subscriptions that are gone with the first answer,
/// ghosts, a first pending command that is handed to each new poll.
///
/// Source: contract.md §3 and §4.
final class DownlinkServer: DeviceAPI {
  private struct Waiting<Answer: Sendable> {
    let number: Int
    /// `nil` for a ghost.
    var continuation: CheckedContinuation<Result<Answer?, DeviceAPIError>, Never>?
  }

  private struct State {
    var count = 0
    var attributePolls: [Waiting<AttributeUpdate>] = []
    var commandPolls: [Waiting<ServerCommand>] = []
    var values: [JSON.Member] = []
    var pending: [(command: ServerCommand, isOneWay: Bool)] = []
    /// What each request fails with.
    var failure: DeviceAPIError?
    var requests = 0
    var readings = 0
    var mostOpen = 0
  }

  private let loop: EventLoop
  private let state = Mutex(State())
  let hasDownlink: Bool

  init(_ loop: EventLoop, hasDownlink: Bool = true) {
    self.loop = loop
    self.hasDownlink = hasDownlink
  }

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {}
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }

  // MARK: What a test sees

  var requests: Int { state.withLock { $0.requests } }
  var readings: Int { state.withLock { $0.readings } }
  var mostOpen: Int { state.withLock { $0.mostOpen } }
  var open: Int {
    state.withLock { state in
      state.attributePolls.count { $0.continuation != nil } + state.commandPolls.count { $0.continuation != nil }
    }
  }
  var values: [JSON.Member] {
    state.withLock { $0.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }
  }
  func isPending(_ command: ServerCommand) -> Bool { state.withLock { $0.pending.contains { $0.command == command } } }

  // MARK: What a test does

  func fail(with error: DeviceAPIError?) {
    let open = state.withLock { state -> [@Sendable () -> Void] in
      state.failure = error
      guard let error else { return [] }
      return Self.take(&state.attributePolls, error) + Self.take(&state.commandPolls, error)
    }
    open.forEach { $0() }
  }

  /// Breaks off what is open, as a proxy that is started anew.
  func breakOff(_ error: DeviceAPIError) {
    let open = state.withLock { Self.take(&$0.attributePolls, error) + Self.take(&$0.commandPolls, error) }
    open.forEach { $0() }
  }

  private static func take<Answer>(_ polls: inout [Waiting<Answer>], _ error: DeviceAPIError) -> [@Sendable () -> Void]
  {
    defer { for index in polls.indices { polls[index].continuation = nil } }
    return polls.compactMap(\.continuation).map { continuation in { continuation.resume(returning: .failure(error)) } }
  }

  func set(_ key: String, _ value: JSON?) {
    let (open, update) = state.withLock { state in
      state.values.removeAll { $0.name == key }
      if let value { state.values.append(.init(key, value)) }
      defer { state.attributePolls = [] }
      let update = value.map { AttributeUpdate(changed: [.init(key, $0)]) } ?? AttributeUpdate(deleted: [key])
      return (state.attributePolls.compactMap(\.continuation), update)
    }
    for poll in open { poll.resume(returning: .success(update)) }
  }

  func send(_ command: ServerCommand, oneWay: Bool) {
    let open = state.withLock { state in
      if state.commandPolls.isEmpty || !oneWay { state.pending.append((command, oneWay)) }
      defer { state.commandPolls = [] }
      return state.commandPolls.compactMap(\.continuation)
    }
    for poll in open { poll.resume(returning: .success(command)) }
  }

  // MARK: What the daemon asks

  func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot {
    let answer = state.withLock { state -> Result<AttributeSnapshot, DeviceAPIError> in
      state.readings += 1
      return state.failure.map { .failure($0) } ?? .success(AttributeSnapshot(shared: state.values))
    }
    return try answer.get()
  }

  func pollAttributes(for timeout: Duration) async throws(DeviceAPIError) -> AttributeUpdate? {
    try await poll(for: timeout, in: \.attributePolls) { _ in nil }.get()
  }

  func pollCommand(for timeout: Duration) async throws(DeviceAPIError) -> ServerCommand? {
    try await poll(for: timeout, in: \.commandPolls) { state in
      guard let first = state.pending.first else { return nil }
      if first.isOneWay { state.pending.removeFirst() }
      return first.command
    }.get()
  }

  func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError) {
    state.withLock { $0.pending.removeAll { $0.command.id == id } }
  }

  private func poll<Answer: Sendable>(
    for timeout: Duration, in polls: any WritableKeyPath<State, [Waiting<Answer>]> & Sendable,
    first: @escaping @Sendable (inout State) -> Answer?
  ) async -> Result<Answer?, DeviceAPIError> {
    let number = state.withLock { state in
      state.count += 1
      state.requests += 1
      return state.count
    }
    let timer = Task(executorPreference: loop) { [loop] in
      try await loop.sleep(for: timeout, accuracy: .microseconds(100))
      self.end(number, polls, .success(nil))
    }
    defer { timer.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Result<Answer?, DeviceAPIError>? in
          if let failure = state.failure { return .failure(failure) }
          if let answer = first(&state) { return .success(answer) }
          if Task.isCancelled { return .failure(DeviceAPIError(.cancelled, "given up")) }
          state[keyPath: polls].append(Waiting(number: number, continuation: continuation))
          state.mostOpen = max(state.mostOpen, state[keyPath: polls].count { $0.continuation != nil })
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      loop.execute { self.end(number, polls, .failure(DeviceAPIError(.cancelled, "given up"))) }
    }
  }

  /// Leaves a ghost behind.
  private func end<Answer: Sendable>(
    _ number: Int, _ polls: any WritableKeyPath<State, [Waiting<Answer>]> & Sendable,
    _ result: Result<Answer?, DeviceAPIError>
  ) {
    let continuation = state.withLock { state in
      state[keyPath: polls].firstIndex { $0.number == number }.flatMap { index in
        defer { state[keyPath: polls][index].continuation = nil }
        return state[keyPath: polls][index].continuation
      }
    }
    continuation?.resume(returning: result)
  }
}
