/// One question on a bus with a master, and how its answer is known: between who speaks a protocol and who owns the line.
public struct BusRequest: Sendable {
  /// The whole frame as it is sent, at least one byte, at most `byteLimit`.
  public var bytes: [UInt8]
  /// Who is asked; answers, time-outs and back-off are counted apart for each.
  public var unit: Int
  /// Finds the answer among what comes in; `nil` for a broadcast, which nobody answers.
  public var finder: (any AnswerFinder)?

  /// No frame of any bus is longer.
  public static let byteLimit = 1024

  public init(_ bytes: [UInt8], unit: Int, finder: (any AnswerFinder)?) {
    self.bytes = bytes
    self.unit = unit
    self.finder = finder
  }
}

/// Finds one request's answer in what arrives after the request was sent: our own echo, noise and late answers to others
/// may come before it. Holds no more than one frame's bytes, whatever arrives.
public protocol AnswerFinder: Sendable {
  /// Takes what one read(2) delivered.
  ///
  /// - Returns: The answer without its framing, as soon as its last byte is there; nothing is fed after that.
  mutating func feed(_ bytes: [UInt8]) -> [UInt8]?

  /// What came instead of an answer, for the time-out's message, without a capital and a full stop; `nil` where nothing
  /// did. `12 bytes came, none of them an answer: CRC 1234 where 5678 was expected`
  var complaint: String? { get }

  /// Whether our own question has come back though nobody had said that it would. Never of a question whose answer looks
  /// the same.
  var hasUnexpectedEcho: Bool { get }
  /// Whether our own question is expected back and has not come.
  var awaitsEcho: Bool { get }
  /// Nothing counts before our own question has come back. Called before anything is fed.
  mutating func expectEcho()
}

/// Of protocols in which an echo passes for nothing.
extension AnswerFinder {
  public var hasUnexpectedEcho: Bool { false }
  public var awaitsEcho: Bool { false }
  public mutating func expectEcho() {}
}

/// Why a question on a bus got no answer.
public struct BusFailure: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    /// No answer came in time, to the last of all attempts.
    case timedOut
    /// The unit has not answered lately and is not asked for now.
    case setAside
    /// The port is not open, or was lost meanwhile.
    case notOpen
    /// Too many questions wait already.
    case busy
    /// The bus was stopped, or has other settings now.
    case stopped
  }

  public let code: Code
  /// What happened, where, and what happens next, without a capital and a full stop.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
