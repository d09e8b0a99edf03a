/// Input that gave no reading, or less than it could have.
public struct DecodingFault: Error, Sendable, Hashable {
  /// What kind of fault; counted and logged apart.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The line has another form than the configuration says.
    case mismatch
    /// Where a number should stand is something else, `nan` included.
    case notNumber
    /// A number beyond what its type holds.
    case outOfRange
    /// Text that is not UTF-8.
    case notUTF8
    /// The line is no JSON object.
    case notJSON
    /// Nothing ended the line within `max_line` bytes.
    case tooLong
    /// The rest of a line whose beginning was sent before the port was open.
    case partial
    /// A regular expression gave up at its match limit.
    case tooComplex
    /// A key that was a number came as text, or the like.
    case typeChanged
    /// A key the server would not take, and nothing of it is left after cleaning.
    case badKey
    /// More different keys than a sensor may have.
    case tooManyKeys
    /// The device, or the part of it that is asked for, is not there.
    case absent
    /// More than one device fits what the configuration says.
    case ambiguous
    /// The permissions say no.
    case forbidden
    /// The kernel's driver had no reading to give.
    case unreadable
    /// What came does not match its checksum.
    case badChecksum
    /// A number that a device gives when it has measured nothing.
    case implausible
    /// A unit on a bus did not answer in time.
    case unanswered
    /// A unit on a bus said no to what was asked.
    case refused

    /// Whether to log it: a partial first line after opening is as it should be, and only counted.
    public var isWarning: Bool { self != .partial }

    /// Whether somebody else logs it: a bus tells of the units that do not answer, once.
    public var isToldElsewhere: Bool { self == .unanswered }
  }

  public let code: Code
  /// For the log: what was expected, and what came instead, quoted safely and cut to 80 bytes.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
