public import Telemetry

/// The configured GPIO lines, as commands use them.
public protocol DigitalLines: Sendable {
  /// Every configured line, in the order of the file.
  var lines: [GPIOLineOptions] { get }
  /// An input's debounced level, an output's value as driven.
  func value(of name: String) async throws(GPIOError) -> Bool
  /// Drives an output, ending a pulse under way.
  ///
  /// - Returns: The value read back.
  func set(_ name: String, to value: Bool) async throws(GPIOError) -> Bool
  /// Switches an output on, and off again after `duration`; a pulse under way is begun anew.
  ///
  /// Returns as soon as the line is on.
  func pulse(_ name: String, for duration: Duration) async throws(GPIOError)
}

extension DigitalLines {
  /// The line a command means: by its name, the kernel's where the file has that, or by its number on its chip where only
  /// one line has that.
  public func line(_ pin: PinReference) -> GPIOLineOptions? {
    switch pin {
    case .name(let name): return lines.first { $0.name == name } ?? lines.first { $0.selector == .name(name) }
    case .number(let number):
      let found = lines.filter { $0.offset == number }
      return found.count == 1 ? found.first : nil
    }
  }
}

extension [GPIOLineOptions] {
  /// What dashboards call a line: its number, or its name where several chips have that number or the file has none.
  public func pinName(of line: GPIOLineOptions) -> String {
    guard let offset = line.offset else { return line.name }
    return lazy.filter { $0.offset == offset }.count == 1 ? "\(offset)" : line.name
  }
}

/// How a command names a line: `"relay"`, `23` or `"23"`.
public enum PinReference: Sendable, Hashable, CustomStringConvertible {
  case name(String)
  case number(UInt32)

  /// - Parameter json: Text or a whole number; text that is a number means the number.
  /// - Returns: `nil` for anything else.
  public init?(_ json: JSON) {
    switch json {
    case .string(let text):
      if let number = UInt32(text) { self = .number(number) } else { self = .name(text) }
    case .integer(let number):
      guard let number = UInt32(exactly: number) else { return nil }
      self = .number(number)
    case .double(let number):
      guard let number = UInt32(exactly: number) else { return nil }
      self = .number(number)
    default: return nil
    }
  }

  public var description: String {
    switch self {
    case .name(let name): name
    case .number(let number): "\(number)"
    }
  }
}

/// A level that has changed, and its first one.
public struct GPIOEvent: Sendable, Equatable {
  public var line: String
  public var value: Bool
  public var time: CaptureTime

  public init(line: String, value: Bool, time: CaptureTime) {
    self.line = line
    self.value = value
    self.time = time
  }
}

/// Why a line could not be read or driven.
public struct GPIOError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    case noSuchLine
    case notOutput
    /// The chip is not there, somebody else holds the line, or the driver fails; tried again by itself. Or the line was
    /// driven and reads otherwise.
    case unavailable
    /// Another output would be on at the same time, or was a moment ago.
    case interlocked
  }

  public let code: Code
  /// What happened, where, and what to do.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
