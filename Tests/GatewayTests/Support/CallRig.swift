import EventLoop
import Foundation
import Logging
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// What tests of provisioning, attributes and calls share.
enum CallRig {
  /// Runs `body` on a loop of its own, on this thread. A body that hangs ends as an error instead.
  static func run(_ body: @escaping @Sendable (EventLoop) async throws -> Void) throws {
    let loop = try EventLoop()
    let guardian = try TimerSource(loop) { [unowned loop] in loop.stop() }
    guardian.arm(after: .seconds(30))
    try withExtendedLifetime(guardian) { try loop.run { try await body(loop) } }
  }

  /// Lets what is ready on the loop run.
  static func settle() async {
    for _ in 0..<50 { await Task.yield() }
  }

  /// Retries at once.
  static let hasty = RetryPace(
    quick: Backoff(first: .microseconds(1), most: .microseconds(1)),
    slow: Backoff(first: .microseconds(1), most: .microseconds(1)))

  /// Retries never, as far as a test can tell.
  static let patient = RetryPace(
    quick: Backoff(first: .seconds(3600), most: .seconds(3600), jitter: .none),
    slow: Backoff(first: .seconds(3600), most: .seconds(3600), jitter: .none))

  /// A fresh directory, removed at the end.
  static func inDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let directory = NSTemporaryDirectory() + "baudgate-calls-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try body(directory)
  }

  /// Makes the files of a machine below `root`.
  static func plant(_ files: [String: String], below root: String) throws {
    for (path, text) in files {
      let place = root + path
      try FileManager.default.createDirectory(
        atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: place))
    }
  }
}

/// Counts, and lets a task wait for a number. Compared within the continuation: others may run before it begins.
final class Tally: Sendable {
  private struct State {
    var count = 0
    var waiting: [(number: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }
  private let state = Mutex(State())

  var count: Int { state.withLock { $0.count } }

  func add() {
    let due = state.withLock { state in
      state.count += 1
      let due = state.waiting.filter { $0.number <= state.count }
      state.waiting.removeAll { $0.number <= state.count }
      return due.map(\.continuation)
    }
    for continuation in due { continuation.resume() }
  }

  func reaches(_ number: Int) async {
    await withCheckedContinuation { continuation in
      let isReached = state.withLock { state in
        if state.count < number { state.waiting.append((number, continuation)) }
        return state.count >= number
      }
      if isReached { continuation.resume() }
    }
  }
}

/// A device API that answers by rules and notes what it was asked. @unchecked: rules are set while nothing is asked.
final class RuledAPI: DeviceAPI, @unchecked Sendable {
  private struct Notes {
    var posts: [[String: Value]] = []
    var claims: [(secret: Secret?, duration: Duration?)] = []
  }
  var onAttributes: ([Reading]) async throws(DeviceAPIError) -> Void = { _ in }
  var onCall: (String, JSON) async throws(DeviceAPIError) -> JSON = { _, _ in .null }
  var onClaim: () async throws(DeviceAPIError) -> Void = {}
  var posts: [[String: Value]] { notes.withLock { $0.posts } }
  var claims: [(secret: Secret?, duration: Duration?)] { notes.withLock { $0.claims } }
  private let notes = Mutex(Notes())
  let posted = Tally()
  let called = Tally()
  let claimed = Tally()

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }

  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {
    let post = Dictionary(attributes.map { ($0.key.name, $0.value) }) { _, last in last }
    notes.withLock { $0.posts.append(post) }
    posted.add()
    try await onAttributes(attributes)
  }

  func call(_ method: String, params: JSON) async throws(DeviceAPIError) -> JSON {
    called.add()
    return try await onCall(method, params)
  }

  func claim(secret: Secret?, duration: Duration?) async throws(DeviceAPIError) {
    notes.withLock { $0.claims.append((secret, duration)) }
    claimed.add()
    try await onClaim()
  }
}

extension DeviceAPIError {
  static let down = DeviceAPIError(.unreachable, "cannot be reached: refused")
  static let unknownToken = DeviceAPIError(.unauthorized, "does not know the token", status: 401)
  static let poisoned = DeviceAPIError(.poison, "refuses it: Can't parse value", status: 500)
}
