import EventLoop
import Foundation
import Telemetry

@testable import Hardware

/// The twin of `TTY`: says what the test tells it to. A socket carries the readiness, a byte of it each step.
final class ScriptedStream: ByteStream, @unchecked Sendable {
  // @unchecked: as `ByteStream` says; `script` and `close` are locked, the test adds while the loop reads.
  enum Step {
    case bytes([UInt8])
    case failure(PortError)
    /// Ready, and then nothing there.
    case nothing
  }

  let descriptor: CInt
  private let far: CInt
  private let lock = NSLock()
  private var script: [Step] = []
  private var closeCount = 0
  private(set) var reads = 0
  let granted: SerialOptions
  /// How many bytes the driver takes before it is full, from now on. Full is not writable for epoll(7) either.
  var room = Int.max {
    didSet { if (room == 0) != (oldValue == 0) { room == 0 ? fill() : drain() } }
  }
  /// Whether the driver promises room where it takes nothing.
  var promisesRoom = false
  /// Whether the driver takes one byte each time it promises room, which it always does.
  var creeps = false
  private var hasCrept = false
  var writeError: PortError?
  private(set) var written: [UInt8] = []
  var counters: DriverCounters?
  /// What `close` waits for.
  var closing: DispatchSemaphore?

  init(_ granted: SerialOptions, counters: DriverCounters? = nil) {
    var ends: [CInt] = [-1, -1]
    socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
    (descriptor, far) = (ends[0], ends[1])
    self.granted = granted
    self.counters = counters
  }

  deinit {
    Glibc.close(descriptor)
    Glibc.close(far)
  }

  var closes: Int { lock.withLock { closeCount } }

  func add(_ step: Step) {
    lock.withLock { script.append(step) }
    _ = Glibc.write(far, "x", 1)
  }

  /// EPOLLHUP from now on, with nothing to read.
  func hangUp() { shutdown(far, CInt(SHUT_RDWR)) }

  private func fill() {
    let chunk = [UInt8](repeating: 0, count: 65_536)
    while Glibc.write(descriptor, chunk, chunk.count) > 0 {}
  }

  private func drain() {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while Glibc.read(far, &chunk, chunk.count) > 0 {}
  }

  func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)? {
    reads += 1
    var byte: UInt8 = 0
    let step = lock.withLock { script.first }
    switch step {
    case .bytes(let bytes):
      _ = Glibc.read(descriptor, &byte, 1)
      lock.withLock { _ = script.removeFirst() }
      return (bytes, .now())
    case .failure(let error): throw error
    case .nothing, nil: return nil
    }
  }

  func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int {
    if let writeError { throw writeError }
    if promisesRoom { return 0 }
    if creeps { hasCrept.toggle() }
    let count = creeps ? (hasCrept ? 1 : 0) : min(room, bytes.count)
    written += bytes.prefix(count)
    room -= count
    return count
  }

  func readCounters() -> DriverCounters? { counters }

  func close() {
    closing?.wait()
    lock.withLock { closeCount += 1 }
  }
}

/// Opens what the test has prepared, in order, and counts; the last stays for every further opening.
final class ScriptedOpener: @unchecked Sendable {
  private let lock = NSLock()
  private var results: [Result<ScriptedStream, PortError>]
  private var count = 0
  /// What every opening waits for.
  let gate: DispatchSemaphore?

  init(_ results: [Result<ScriptedStream, PortError>], gate: DispatchSemaphore? = nil) {
    self.results = results
    self.gate = gate
  }

  var openings: Int { lock.withLock { count } }

  @Sendable func open(_: SerialOptions) throws(PortError) -> any ByteStream {
    gate?.wait()
    let result = lock.withLock {
      count += 1
      return results.count > 1 ? results.removeFirst() : results[0]
    }
    return try result.get()
  }
}
