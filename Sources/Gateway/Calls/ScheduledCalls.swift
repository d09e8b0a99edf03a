internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Calls the server at intervals and makes readings of what it answers: client-side RPC as a source of values.
///
/// A call never overlaps itself: an answer that takes longer than the interval costs the turns it has missed.
///
/// Source: contract.md §5.
actor ScheduledCalls {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// First calls are spread over the interval, but over no more than this.
  static let spread = Duration.seconds(30)
  /// How late a call may be, as a part of its interval and at most, so that wake-ups coincide.
  static let leewayPart = 20
  static let leewayLimit = Duration.seconds(5)
  /// How often one and the same trouble of a call is told of.
  static let logInterval = Duration.seconds(600)

  /// What is known of one call.
  struct Status: Sendable {
    var name: String
    var calls: UInt64 = 0
    var answers: UInt64 = 0
    /// Calls without an answer, with an error for one, or with members missing.
    var errors: UInt64 = 0
    var values: UInt64 = 0
    var lastError: (message: String, at: CaptureTime)?
    var lastAnswer: CaptureTime?
  }

  private struct Entry {
    /// Of its timer and its task: places change when others are taken in.
    let id: UInt64
    let call: ScheduledCall
    var status: Status
    var pace: RetryPace
    var timer: TimerSource?
    var task: Task<Void, Never>?
  }

  private let loop: EventLoop
  private let api: any DeviceAPI
  private let log: Logger
  private let pace: RetryPace
  private let deliver: @Sendable (Sample) -> Void
  private var entries: [Entry] = []
  private var count: UInt64 = 0
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: ScheduledCalls.logInterval)
  private var isRunning = false

  /// - Parameter deliver: Called on the loop with the values of one answer.
  init(
    on loop: EventLoop, api: any DeviceAPI, calls: [ScheduledCall], log: Logger, pace: RetryPace = RetryPace(),
    deliver: @escaping @Sendable (Sample) -> Void
  ) {
    self.loop = loop
    self.api = api
    self.log = log
    self.pace = pace
    self.deliver = deliver
    for call in calls {
      count += 1
      entries.append(Entry(id: count, call: call, status: Status(name: call.name), pace: pace))
    }
  }

  /// One for each call, in the order of the file.
  var status: [Status] { entries.map(\.status) }

  // MARK: Life

  func start() throws(SystemError) {
    guard !isRunning else { return }
    isRunning = true
    for index in entries.indices { try arm(&entries[index]) }
  }

  private func arm(_ entry: inout Entry) throws(SystemError) {
    let (id, interval) = (entry.id, entry.call.interval)
    let leeway = max(.milliseconds(1), min(interval / Self.leewayPart, Self.leewayLimit))
    let timer = try TimerSource(loop, clock: .boottime, accuracy: leeway) { [weak self] in
      self?.assumeIsolated { $0.timerFired(id) }
    }
    entry.timer = timer
    timer.arm(after: .milliseconds(Int64.random(in: 0...max(1, min(interval, Self.spread).wholeMilliseconds))))
  }

  /// Makes these calls from now on. One that stays as it is keeps its turn and its counters; one that is another now
  /// begins as new; of one that is gone, and of its answer that is under way, nothing comes any more.
  ///
  /// - Throws: `SystemError` without a timer to be had: calls of which there is none are not made.
  func use(_ calls: [ScheduledCall]) async throws(SystemError) {
    guard calls != entries.map(\.call) else { return }
    let before = entries
    entries = calls.map { call in
      if let known = before.first(where: { $0.call == call }) { return known }
      count += 1
      return Entry(id: count, call: call, status: Status(name: call.name), pace: pace)
    }
    let kept = Set(entries.map(\.id))
    let ended = before.filter { !kept.contains($0.id) }.compactMap(\.task)
    for task in ended { task.cancel() }
    var failure: SystemError?
    if isRunning {
      let known = Set(before.map(\.id))
      for index in entries.indices where !known.contains(entries[index].id) {
        do throws(SystemError) { try arm(&entries[index]) } catch { failure = error }
      }
    }
    for task in ended { await task.value }
    if let failure { throw failure }
  }

  private func index(of id: UInt64) -> Int? { entries.firstIndex { $0.id == id } }

  /// Ends calls under way; no sample comes after it.
  func stop() async {
    isRunning = false
    let tasks = entries.compactMap(\.task)
    for index in entries.indices { entries[index].timer = nil }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  // MARK: A call

  private func timerFired(_ id: UInt64) {
    guard isRunning, let index = index(of: id), entries[index].task == nil else { return }
    entries[index].task = Task(executorPreference: loop) { await self.carryOut(id) }
  }

  private func carryOut(_ id: UInt64) async {
    defer { if let index = index(of: id) { entries[index].task = nil } }
    guard let place = index(of: id) else { return }
    let call = entries[place].call
    let start = Uptime.boottime
    entries[place].status.calls &+= 1
    var least = Duration.zero
    do throws(DeviceAPIError) {
      let answer = try await api.call(call.method, params: call.params)
      guard isRunning, let index = index(of: id) else { return }
      entries[index].pace.succeeded()
      answered(index, CallAnswer(answer, for: call.values))
    } catch {
      guard isRunning, let index = index(of: id) else { return }
      if error.code == .unsupported {
        failed(index, "the call cannot be made and ends: \(error)", cause: "\(error.code)", .error)
        entries[index].timer = nil
        return
      }
      least = entries[index].pace.next(after: error, using: &generator)
      failed(
        index, "the server \(error.message)", cause: "\(error.code)", error.code.needsPerson ? .error : .warning)
    }
    let delay = Self.delay(after: Uptime.boottime - start, interval: call.interval)
    if let index = index(of: id) { entries[index].timer?.arm(after: max(delay, least)) }
  }

  /// The time to the next turn; turns that fell into the call itself are left out.
  static func delay(after elapsed: Duration, interval: Duration) -> Duration {
    let interval = max(1, interval.wholeMilliseconds)
    return .milliseconds(interval - elapsed.wholeMilliseconds % interval)
  }

  private func answered(_ index: Int, _ answer: CallAnswer) {
    let now = CaptureTime.now()
    if let error = answer.error { return failed(index, "the server answers the error \(error)", cause: "error") }
    entries[index].status.answers &+= 1
    entries[index].status.lastAnswer = now
    if !answer.missing.isEmpty {
      failed(index, "the answer has no \(answer.missing.joined(separator: ", "))", cause: "missing")
    }
    guard !answer.readings.isEmpty else { return }
    entries[index].status.values &+= UInt64(answer.readings.count)
    deliver(Sample(time: now, readings: answer.readings))
  }

  private func failed(_ index: Int, _ message: String, cause: String, _ level: Logger.Level = .warning) {
    let call = entries[index].call
    entries[index].status.errors &+= 1
    entries[index].status.lastError = (message, .now())
    guard let suppressed = limiter.admit("\(call.name) \(cause)") else { return }
    log.log(
      level: level, "rpc.call.\(call.name) (\(call.method)): \(message)\(LogLimiter<String>.note(suppressed))",
      metadata: ["call": "\(call.name)"])
  }
}
