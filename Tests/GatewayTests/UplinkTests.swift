import EventLoop
import Foundation
import Logging
import Queue
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct UplinkTests {
  private static let disk = BlockingPool(name: "uplink-tests", threads: 1)
  private static let log = Logger(label: "uplink") { _ in SwiftLogNoOpLogHandler() }

  /// A queue in `directory`; another `hot` is a boot after which only the card is left.
  private static func queue(
    _ directory: String, hot: String, _ loop: EventLoop, _ files: any FileSystem = SystemFileSystem()
  ) async -> TelemetryQueue {
    await TelemetryQueue.open(
      device: "gateway", hotDirectory: "\(directory)/\(hot)", stateDirectory: directory, options: QueueOptions(),
      loop: loop, disk: disk, fileSystem: files, log: log)
  }

  private static func append(_ value: Int, to queue: TelemetryQueue) async {
    let record = PendingRecord(timestamp: Int64(value), boottime: 1, payload: Array("{\"n\":\(value).0}".utf8))
    await queue.append([record])
  }

  private static func options(interval: Duration = .milliseconds(100)) -> Uplink.Options {
    Uplink.Options(interval: interval, maxBatch: 500, maxBytes: 100_000, server: "http://server")
  }

  @Test func aCardThatCannotBeReadIsNotReadAgainAndAgain() throws {
    let directory = NSTemporaryDirectory() + "baudgate-uplink-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let loop = try EventLoop()
    try loop.run {
      let first = await Self.queue(directory, hot: "hot1", loop)
      for value in 1...5 { await Self.append(value, to: first) }
      await first.close()
      let files = UnreadableFiles()
      let second = await Self.queue(directory, hot: "hot2", loop, files)
      #expect(await second.depth == 5)
      files.fail()
      let uplink = Uplink(on: loop, queue: second, api: AnsweringAPI(), options: Self.options(), log: Self.log)
      await second.setOnAppend { uplink.recordsArrived() }
      try await uplink.start()
      // Each turn is one more pass through the disk thread than a retry needs, and a reading arrives in each.
      for value in 6...200 {
        await Self.append(value, to: second)
        await Self.disk.run {}
      }
      #expect(files.failures == 1)
      await uplink.stop(within: .seconds(1))
      await second.close()
    }
  }

  @Test func whoWaitsForItsTurnToStartStillDeliversAtAStop() throws {
    let directory = NSTemporaryDirectory() + "baudgate-uplink-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let loop = try EventLoop()
    try loop.run {
      let queue = await Self.queue(directory, hot: "hot", loop)
      await Self.append(1, to: queue)
      let uplink = Uplink(on: loop, queue: queue, api: AnsweringAPI(), options: Self.options(), log: Self.log)
      await queue.setOnAppend { uplink.recordsArrived() }
      try await uplink.start(after: .seconds(3600))
      await Self.append(2, to: queue)
      #expect(await uplink.status.requests == 0)
      await uplink.stop(within: .seconds(5))
      #expect(await uplink.status.delivered == 2)
      await queue.close()
    }
  }
}

/// Takes every batch.
private struct AnsweringAPI: DeviceAPI {
  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {}
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }
}

/// The real files, until the card no longer gives its bytes back.
private final class UnreadableFiles: FileSystem {
  private let real = SystemFileSystem()
  private let state = Mutex<(isFailing: Bool, failures: Int)>((false, 0))
  private let onCard = Mutex<Set<CInt>>([])

  func fail() { state.withLock { $0.isFailing = true } }
  var failures: Int { state.withLock { $0.failures } }

  func open(_ path: String, _ mode: FileMode) throws(SystemError) -> CInt {
    let file = try real.open(path, mode)
    if path.contains("/queue/") { onCard.withLock { _ = $0.insert(file) } }
    return file
  }
  func close(_ file: CInt) {
    onCard.withLock { _ = $0.remove(file) }
    real.close(file)
  }
  func read(_ file: CInt, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
    let isLost = onCard.withLock { $0.contains(file) } && state.withLock { $0.isFailing }
    guard isLost else { return try real.read(file, into: bytes, at: offset) }
    state.withLock { $0.failures += 1 }
    throw SystemError("pread", errno: EACCES)
  }
  func append(_ file: CInt, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    try real.append(file, bytes)
  }
  func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
    try real.write(file, bytes, at: offset)
  }
  func size(_ file: CInt) throws(SystemError) -> Int { try real.size(file) }
  func size(at path: String) throws(SystemError) -> Int { try real.size(at: path) }
  func truncate(_ file: CInt, to size: Int) throws(SystemError) { try real.truncate(file, to: size) }
  func synchronizeData(_ file: CInt) throws(SystemError) { try real.synchronizeData(file) }
  func synchronizeDirectory(_ path: String) throws(SystemError) { try real.synchronizeDirectory(path) }
  func rename(_ path: String, to newPath: String) throws(SystemError) { try real.rename(path, to: newPath) }
  func unlink(_ path: String) throws(SystemError) { try real.unlink(path) }
  func list(_ directory: String) throws(SystemError) -> [String] { try real.list(directory) }
  func makeDirectory(_ path: String) throws(SystemError) { try real.makeDirectory(path) }
}
