internal import Telemetry

/// A line that was requested of its chip and is ours until `release`.
///
/// Has one user at a time. A character device's calls may wait for a bus and run on the pool, all but `takeChanges`; a
/// simulated line's run on the loop.
protocol GPIOLineHandle: AnyObject, Sendable {
  /// What epoll(7) watches for `readable`, until `release`.
  var descriptor: CInt { get }

  /// The value at the request: an input's, or an output's as read back. `nil` where nothing says it yet.
  var first: Bool? { get }

  /// What is wrong with what stands at the line, though not with the line; for the log.
  var complaint: String? { get }

  /// The line's number on its chip, where it says one.
  var offset: UInt32? { get }

  /// Whether nothing tells of an input's changes, so that it is read with `sample` again and again.
  var isPolled: Bool { get }

  /// Reads an input; may wait for a bus.
  func sample() throws(GPIOFault) -> Bool

  /// Takes the levels of an input since the last call, oldest first; never waits.
  ///
  /// - Throws: `GPIOFault` with `.gone` when the chip went away; an output's too.
  func takeChanges() throws(GPIOFault) -> [GPIOChange]

  /// Drives an output.
  ///
  /// - Returns: The value read back.
  func drive(_ value: Bool) throws(GPIOFault) -> Bool

  /// Gives the line back as it is; nothing once it was given back.
  func release()

  /// Whether an output's value is to outlive this process; no by itself.
  func hold(_ isHeld: Bool)

  /// Gives the line back, or leaves it to whom its value is to outlive this process with.
  func release(keeping: Bool)
}

extension GPIOLineHandle {
  func hold(_: Bool) {}
  func release(keeping _: Bool) { release() }
}

extension GPIOLineHandle {
  var offset: UInt32? { nil }
  var isPolled: Bool { false }
  func sample() throws(GPIOFault) -> Bool { first ?? false }
}

/// A level and when it was seen.
struct GPIOChange: Sendable, Hashable {
  var value: Bool
  var time: CaptureTime
  /// The same by `CLOCK_MONOTONIC`, in nanoseconds; 0 where nobody says it.
  var nanoseconds: UInt64 = 0
  /// How many changes before it the kernel had no room for.
  var missed: UInt32 = 0
}

/// What requests a line of its chip.
///
/// - Parameter isFirst: Whether the line was never had so far; a simulated chip is made then where it is missing.
typealias GPIORequester = @Sendable (_ line: GPIOLineOptions, _ isFirst: Bool) throws(GPIOFault) -> any GPIOLineHandle

/// Requests a line of the kernel's or of a simulated chip.
@Sendable func requestLine(_ line: GPIOLineOptions, isFirst: Bool) throws(GPIOFault) -> any GPIOLineHandle {
  switch line.chip {
  case .device(let chip): try CharacterDeviceLine(line, of: chip)
  case .simulated(let directory): try SimulatedLine(line, in: directory, makingDirectory: isFirst)
  }
}
