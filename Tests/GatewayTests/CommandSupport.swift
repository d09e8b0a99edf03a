import Configuration
import EventLoop
import Foundation
import Hardware
import Logging
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Runs `body` on a loop of its own, on this thread. A body that hangs ends as an error instead.
func onCommandLoop<Result: Sendable>(
  _ body: @escaping @Sendable (EventLoop) async throws -> Result
) throws -> Result {
  let loop = try EventLoop()
  let guardian = try TimerSource(loop) { [unowned loop] in loop.stop() }
  guardian.arm(after: .seconds(30))
  return try withExtendedLifetime(guardian) { try loop.run { try await body(loop) } }
}

/// A directory of the test's own, in memory where there is room, removed at the end.
final class CommandScratch: Sendable {
  let path: String

  init() throws {
    let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    path = "\(base)/bgc-\(UInt64.random(in: 0...UInt64.max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name)))) }
  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
  }
}

/// Lines in memory, which tell in `journal` what was done to them.
final class FakeLines: DigitalLines {
  let lines: [GPIOLineOptions]
  private let state = Mutex<(values: [String: Bool], broken: Set<String>, journal: [String])>(([:], [], []))
  /// Runs before a line is driven.
  let beforeSet: @Sendable () async -> Void

  init(_ lines: [GPIOLineOptions] = FakeLines.usual, beforeSet: @escaping @Sendable () async -> Void = {}) {
    self.lines = lines
    self.beforeSet = beforeSet
  }

  static let usual = [
    GPIOLineOptions(name: "relay", chip: .simulated("/a"), offset: 23, direction: .output),
    GPIOLineOptions(name: "door", chip: .simulated("/a"), offset: 17, direction: .input),
    GPIOLineOptions(name: "5", chip: .simulated("/a"), offset: 8, direction: .output),
    GPIOLineOptions(name: "left", chip: .simulated("/a"), offset: 4, direction: .output),
    GPIOLineOptions(name: "right", chip: .simulated("/b"), offset: 4, direction: .output),
  ]

  var journal: [String] { state.withLock { $0.journal } }
  func put(_ name: String, _ value: Bool) { state.withLock { $0.values[name] = value } }
  func breakLine(_ name: String) { state.withLock { _ = $0.broken.insert(name) } }

  private func check(_ name: String) throws(GPIOError) {
    if state.withLock({ $0.broken.contains(name) }) { throw GPIOError(.unavailable, "\(name): the chip is gone") }
  }

  func value(of name: String) async throws(GPIOError) -> Bool {
    try check(name)
    return state.withLock { $0.values[name] ?? false }
  }

  func set(_ name: String, to value: Bool) async throws(GPIOError) -> Bool {
    await beforeSet()
    try check(name)
    guard lines.first(where: { $0.name == name })?.direction == .output else {
      throw GPIOError(.notOutput, "\(name) is an input")
    }
    state.withLock {
      $0.values[name] = value
      $0.journal.append("\(name)=\(value ? 1 : 0)")
    }
    return value
  }

  func pulse(_ name: String, for duration: Duration) async throws(GPIOError) {
    _ = try await set(name, to: true)
    state.withLock { $0.journal.append("\(name) for \(duration.wholeMilliseconds) ms") }
  }
}

/// What reaches the server; `answers` decides on each attempt, the last one standing for all that follow.
final class ReplyServer: DeviceAPI {
  struct Posted: Sendable, Equatable {
    var id: Int64
    var reply: String
  }
  private let state = Mutex<(posted: [Posted], attempts: Int, answers: [DeviceAPIError?])>(([], 0, []))

  init(_ answers: [DeviceAPIError?] = [nil]) { state.withLock { $0.answers = answers } }

  /// Those the server took.
  var posted: [Posted] { state.withLock { $0.posted } }
  var attempts: Int { state.withLock { $0.attempts } }
  func answer(_ answers: [DeviceAPIError?]) { state.withLock { $0.answers = answers } }

  func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError) {
    // As a request does.
    if Task.isCancelled { throw DeviceAPIError(.cancelled, "was not asked") }
    let error = state.withLock { state in
      state.attempts += 1
      let answer = state.answers.count > 1 ? state.answers.removeFirst() : state.answers.first ?? nil
      if answer == nil { state.posted.append(Posted(id: id.number, reply: reply.text)) }
      return answer
    }
    if let error { throw error }
  }

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {}
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }
}

/// A disk that can refuse.
final class FakeStorage: CommandStorage {
  private let state = Mutex<(records: [CommandRecord], isFull: Bool, recovery: CommandRecovery)>(
    ([], false, CommandRecovery()))
  private let unsynced = Mutex(0)

  init(_ recovery: CommandRecovery = CommandRecovery()) { state.withLock { $0.recovery = recovery } }

  /// Records a power cut would take.
  var atRisk: Int { unsynced.withLock { $0 } }
  var kinds: [CommandRecord.Kind] { state.withLock { $0.records.map(\.kind) } }
  func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

  func load() -> CommandRecovery { state.withLock { $0.recovery } }
  func append(_ record: CommandRecord, isDurable: Bool) throws(SystemError) {
    let isFull = state.withLock { state in
      if !state.isFull { state.records.append(record) }
      return state.isFull
    }
    if isFull { throw SystemError("pwrite", errno: ENOSPC) }
    unsynced.withLock { $0 = isDurable ? 0 : $0 + 1 }
  }
  func mend() throws(SystemError) {
    if state.withLock({ $0.isFull }) { throw SystemError("pwrite", errno: ENOSPC) }
  }
  func close() { unsynced.withLock { $0 = 0 } }
}

/// What the ports were given.
final class PortJournal: Sendable {
  private let writes = Mutex<[String]>([])
  var all: [String] { writes.withLock { $0 } }
  func note(_ line: String) { writes.withLock { $0.append(line) } }
}

/// A context with two lines, two sensors and two ports; `stuck` times out.
func commandContext(lines: (any DigitalLines)? = FakeLines(), ports: PortJournal = PortJournal()) -> CommandContext {
  var rpc = RPCOptions()
  rpc.bind = [
    "setValue": "relay", "getValue": "relay", "lamp": "relay", "readDoor": "door", "setDoor": "door",
    "isolate": "relay",
  ]
  rpc.alias = [
    "lampOn": CommandAlias(
      method: "setGpio", params: .object([.init("pin", .string("relay")), .init("value", .bool(true))])),
    "switch": CommandAlias(method: "setGpio", params: nil),
  ]
  return CommandContext(
    lines: lines, ports: ["arduino", "stuck", "full", "closed"],
    writePort: { (port, bytes) async throws(PortError) in
      switch port {
      case "stuck": throw PortError(code: .timedOut, message: "no room for 5 s")
      case "full": throw PortError(code: .bufferFull, message: "65536 bytes wait")
      case "closed": throw PortError(code: .notOpen, message: "not open")
      default: ports.note("\(port) \(quoted(bytes))")
      }
    },
    sensors: ["house", "garden"],
    latest: { name in
      switch name {
      case "house": commandReadings
      case "garden": []
      default: nil
      }
    },
    status: { .object([.init("summary", .string("well"))]) }, rpc: rpc, reboot: { () async throws(CommandError) in })
}

private let commandReadings: [Reading] = ["voltage", "on"].compactMap { name in
  (try? Key(name)).map { Reading($0, name == "on" ? .bool(true) : .double(230)) }
}

func command(_ id: Int64, _ method: String, _ params: String = "null") throws -> ServerCommand {
  ServerCommand(id: CommandID(id), method: method, params: try JSON(parsing: Array(params.utf8)))
}

let quietLog = Logger(label: "commands") { _ in SwiftLogNoOpLogHandler() }
