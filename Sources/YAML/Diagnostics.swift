/// One message about a file, at the place it speaks of.
public struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
  public enum Severity: Sendable, Hashable {
    /// The file is not used.
    case error
    /// The file is used; a person should look.
    case warning
  }

  public let severity: Severity
  public let file: String
  /// From 1; 0 when the message is about the file as a whole.
  public let line: Int
  /// In Unicode scalars, from 1.
  public let column: Int
  /// Stands in the place of file, line and column where the message is about something outside the file.
  public let origin: String?
  public let message: String

  public init(
    _ severity: Severity = .error, file: String, line: Int, column: Int, origin: String? = nil, message: String
  ) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.origin = origin
    self.message = message
  }

  /// `file:line:column: message` or `origin: message`, a warning marked as one.
  public var description: String {
    let place = line > 0 ? "\(file):\(line):\(column): " : "\(origin ?? file): "
    return place + (severity == .warning ? "warning: " : "") + message
  }
}

/// Collects what is wrong with one file, so that all of it is told at once.
public final class Diagnostics {
  /// More than this many messages of a kind help nobody; the rest is counted.
  public static let limit = 100

  /// The file's name as messages show it.
  public var file: String
  /// Where the file finds others that it names; `nil` where it may name none.
  public var library: (any FileLibrary)?
  /// How many errors there were, those beyond `limit` too.
  public private(set) var errorCount = 0
  public private(set) var warningCount = 0
  private var recordedErrors: [Diagnostic] = []
  private var recordedWarnings: [Diagnostic] = []

  /// Whether a further error is counted and no more.
  var isFull: Bool { errorCount >= Self.limit }

  public init(file: String = "") {
    self.file = file
  }

  public func error(line: Int, column: Int, _ message: String) {
    error(line, column, nil, message)
  }

  public func error(at node: YAMLNode, _ message: String) {
    error(node.line, node.column, node.origin, message)
  }

  private func error(_ line: Int, _ column: Int, _ origin: String?, _ message: String) {
    errorCount += 1
    if recordedErrors.count < Self.limit {
      recordedErrors.append(
        Diagnostic(.error, file: file, line: line, column: column, origin: origin, message: message))
    }
  }

  public func warning(line: Int, column: Int, _ message: String) {
    warning(line, column, nil, message)
  }

  public func warning(at node: YAMLNode, _ message: String) {
    warning(node.line, node.column, node.origin, message)
  }

  private func warning(_ line: Int, _ column: Int, _ origin: String?, _ message: String) {
    warningCount += 1
    if recordedWarnings.count < Self.limit {
      recordedWarnings.append(
        Diagnostic(.warning, file: file, line: line, column: column, origin: origin, message: message))
    }
  }

  /// Takes what was said of another file that this one names. Several may name it: the same is told once.
  public func absorb(_ other: Diagnostics) {
    for error in other.recordedErrors where !recordedErrors.contains(error) {
      errorCount += 1
      if recordedErrors.count < Self.limit { recordedErrors.append(error) }
    }
    for warning in other.recordedWarnings where !recordedWarnings.contains(warning) {
      warningCount += 1
      if recordedWarnings.count < Self.limit { recordedWarnings.append(warning) }
    }
  }

  /// In the order of the file, those about others behind; at most `limit`, and one more that counts the rest.
  public var errors: [Diagnostic] { sorted(recordedErrors, of: errorCount, "errors") }
  /// In the order of the file, those about others behind; at most `limit`, and one more that counts the rest.
  public var warnings: [Diagnostic] { sorted(recordedWarnings, of: warningCount, "warnings") }

  private func sorted(_ recorded: [Diagnostic], of count: Int, _ noun: String) -> [Diagnostic] {
    var result = recorded.enumerated().sorted { a, b in
      let (first, second) = (a.element.file, b.element.file)
      if first != second { return first == file || (second != file && first < second) }
      return (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
    }.map(\.element)
    if count > recorded.count, let last = result.last {
      let rest = "and \(count - recorded.count) more \(noun)"
      result.append(Diagnostic(last.severity, file: file, line: 0, column: 0, message: rest))
    }
    return result
  }
}
