import EventLoop
import Foundation
import Telemetry

@testable import Hardware

/// The twin of a chip: answers requests as the test says, and keeps the story of what was asked of it.
final class TwinChip: @unchecked Sendable {
  // @unchecked: locked; the pool's threads use it while the test looks.
  private let lock = NSLock()
  private var answers: [Result<TwinLine, GPIOFault>]
  private var told: [String] = []
  /// What every request waits for.
  let gate: DispatchSemaphore?

  /// - Parameter answers: In order; the last stays.
  init(_ answers: [Result<TwinLine, GPIOFault>], gate: DispatchSemaphore? = nil) {
    self.answers = answers
    self.gate = gate
  }

  /// `request on off release`
  var story: String { lock.withLock { told.joined(separator: " ") } }

  func tell(_ word: String) { lock.withLock { told.append(word) } }

  @Sendable func request(_: GPIOLineOptions, _: Bool) throws(GPIOFault) -> any GPIOLineHandle {
    gate?.wait()
    let answer = lock.withLock {
      told.append("request")
      return answers.count > 1 ? answers.removeFirst() : answers[0]
    }
    let line = try answer.get()
    line.chip = self
    return line
  }
}

/// The twin of a line. A socket carries the readiness.
final class TwinLine: GPIOLineHandle, @unchecked Sendable {
  // @unchecked: as `TwinChip`.
  let descriptor: CInt
  private let far: CInt
  let first: Bool?
  let complaint: String? = nil
  private let lock = NSLock()
  private var script: [Result<[GPIOChange], GPIOFault>] = []
  fileprivate(set) weak var chip: TwinChip?
  /// What every `drive` waits for.
  let gate: DispatchSemaphore?
  /// What a read-back says whatever was driven.
  let stuckAt: Bool?
  private var driveFault: GPIOFault?

  init(_ first: Bool?, gate: DispatchSemaphore? = nil, stuckAt: Bool? = nil) {
    var ends: [CInt] = [-1, -1]
    socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
    (descriptor, far) = (ends[0], ends[1])
    self.first = first
    self.gate = gate
    self.stuckAt = stuckAt
  }

  deinit {
    close(descriptor)
    close(far)
  }

  /// Something happens at the line.
  func happens(_ step: Result<[GPIOChange], GPIOFault>) {
    lock.withLock { script.append(step) }
    _ = write(far, "x", 1)
  }

  /// From now on, driving fails.
  func fail(_ fault: GPIOFault) { lock.withLock { driveFault = fault } }

  /// EPOLLHUP from now on, with nothing to read.
  func hangUp() { shutdown(far, CInt(SHUT_RDWR)) }

  func takeChanges() throws(GPIOFault) -> [GPIOChange] {
    var byte: UInt8 = 0
    guard read(descriptor, &byte, 1) == 1 else { return [] }
    let step = lock.withLock { script.isEmpty ? .success([]) : script.removeFirst() }
    return try step.get()
  }

  func drive(_ value: Bool) throws(GPIOFault) -> Bool {
    gate?.wait()
    chip?.tell(value ? "on" : "off")
    if let fault = lock.withLock({ driveFault }) { throw fault }
    return stuckAt ?? value
  }

  func release() { chip?.tell("release") }
}
