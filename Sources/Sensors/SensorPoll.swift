public import Telemetry

/// One sensor on a bus with a master: its questions, and what their answers mean. A value without a line or a clock.
///
/// A cycle is `begin`, then `next` and `take` in turn until `next` has no more, then `finish`. What is learnt in one cycle,
/// such as which registers cannot be read together, is kept for the next.
public protocol SensorPoll: Sendable {
  /// Begins a cycle; what is left of the one before is forgotten.
  mutating func begin()

  /// The next question; `nil` when the cycle is over, which a unit that does not answer may end early.
  mutating func next() -> BusRequest?

  /// Takes what became of the question that `next` gave last.
  ///
  /// - Parameter time: When the answer's last byte was read.
  mutating func take(_ answer: Result<[UInt8], BusFailure>, at time: CaptureTime)

  /// Ends the cycle: appends the sample of all that was read, if anything was, and what went wrong.
  ///
  /// - Parameter sensor: The index that samples and faults carry.
  mutating func finish(as sensor: Int, into output: inout DecoderOutput)
}

/// The settings of a sensor on a bus.
public protocol PolledSettings: ProtocolSettings {
  /// How long one answer may take; `nil` for the port's `timeout`.
  var timeout: Duration? { get }
  /// What commands may name, in the order of the file.
  var registerNames: [String] { get }

  /// Reads one register on command.
  ///
  /// - Throws: `RegisterError`: `.noSuchRegister`, `.notReadable`.
  func reading(_ register: String) throws(RegisterError) -> any RegisterExchange

  /// Writes one register on command.
  ///
  /// - Throws: `RegisterError`: `.noSuchRegister`, `.notWritable`, `.badValue`.
  func writing(_ register: String, _ value: JSON) throws(RegisterError) -> any RegisterExchange
}

/// A command's questions to one unit: `next` and `take` in turn until `next` has no more; then `value` is the reply.
public protocol RegisterExchange: Sendable {
  mutating func next() -> BusRequest?

  /// - Throws: `RegisterError` `.refused` where the unit says no.
  mutating func take(_ answer: [UInt8]) throws(RegisterError)

  /// What was read, or has been written.
  var value: JSON { get }
}

/// Why a register was not read or written on command.
public struct RegisterError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    case noSuchRegister
    case notReadable
    case notWritable
    /// The value does not fit the register's type or range.
    case badValue
    /// The unit answered with an exception, or with what cannot be an answer.
    case refused
  }

  public let code: Code
  /// What happened, where, and what to do, without a capital and a full stop.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
