public import EventLoop

/// What went wrong with a port. Programs act on `code`, people on `message`.
public struct PortError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    /// Nothing is at the path: not plugged in, or no such device behind it.
    case absent
    /// More than one device fits its match.
    case ambiguous
    /// Another port of the configuration has its device.
    case claimed
    /// The permissions say no.
    case forbidden
    /// Another process has it.
    case inUse
    /// The path is something else than a serial line.
    case notATerminal
    /// It was open and went away: unplugged, hung up.
    case gone
    /// Anything else the kernel said.
    case failed
    /// A write did not end in time.
    case timedOut
    /// A write met a port that is not open.
    case notOpen
    /// A write met too many bytes that wait already.
    case bufferFull
  }

  public let code: Code
  /// What happened and what can be done, without a capital and a full stop.
  public let message: String
  /// The call that failed, and its error number.
  public let cause: SystemError?

  public init(code: Code, message: String, cause: SystemError? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// `/dev/ttyUSB0 is not there (open: No such file or directory)`
  public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
