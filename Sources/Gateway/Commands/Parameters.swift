internal import Hardware
internal import Telemetry

/// What the params of a command mean, as leniently as dashboards need it.
///
/// Source: contract.md §4, "What stock widgets send".
extension JSON {
  /// 1, 0, true, false, "1", "0", "on", "off", "true", "false"; `nil` for all else.
  var asSwitch: Bool? {
    switch self {
    case .bool(let value): return value
    case .integer(0): return false
    case .integer(1): return true
    case .double(0): return false
    case .double(1): return true
    case .string(let text):
      switch text.lowercased() {
      case "1", "on", "true": return true
      case "0", "off", "false": return false
      default: return nil
      }
    default: return nil
    }
  }

  /// Whether nothing was sent: widgets send `null` or `{}`.
  var isAbsent: Bool {
    switch self {
    case .null, .object([]): true
    default: false
    }
  }

  /// The first of these members that is there and not null.
  func member(_ names: String...) -> JSON? {
    for name in names {
      if let value = self[name], value != .null { return value }
    }
    return nil
  }

  /// The document in a message: short.
  var quotedShort: String { shortened(text) }
}

extension CommandContext {
  /// The line that params name by `pin`, or that a bare value names.
  ///
  /// - Parameters:
  ///   - example: Params that would do, for the message.
  ///   - isBareAllowed: Whether the params may be the pin itself.
  func line(
    of params: JSON, for method: String, example: String, isBareAllowed: Bool = false
  ) throws(CommandError) -> TargetLine {
    let bare: JSON? =
      switch params {
      case .object, .array, .null: nil
      default: isBareAllowed ? params : nil
      }
    guard let pin = params.member("pin") ?? bare else {
      throw CommandError(.badParams, "\(method) needs a pin: \(example)")
    }
    guard let reference = PinReference(pin) else {
      throw CommandError(.badParams, "pin \(pin.quotedShort) is neither a line's name nor its number: \(example)")
    }
    return try line(reference)
  }

  func line(_ reference: PinReference) throws(CommandError) -> TargetLine {
    guard let lines, !lines.lines.isEmpty else {
      throw CommandError(.noSuchPin, "gpio.lines of the configuration has no line")
    }
    // The second for a line whose name is a number.
    if let line = lines.line(reference) ?? lines.lines.first(where: { $0.name == reference.description }) {
      return TargetLine(options: line, lines: lines)
    }
    let names = lines.lines.map(\.name)
    if case .number(let number) = reference, lines.lines.contains(where: { $0.offset == number }) {
      throw CommandError(.noSuchPin, "several chips have a line \(number); name it: \(nameList(names))")
    }
    throw CommandError(
      .noSuchPin, "there is no line \"\(shortened(reference.description))\"; gpio.lines has \(nameList(names))")
  }
}

/// A configured line as commands use it: its errors are theirs.
struct TargetLine {
  let options: GPIOLineOptions
  let lines: any DigitalLines

  var name: String { options.name }

  func value() async throws(CommandError) -> Bool {
    do throws(GPIOError) { return try await lines.value(of: name) } catch { throw CommandError(error) }
  }

  /// - Returns: The value read back.
  func set(to value: Bool) async throws(CommandError) -> Bool {
    do throws(GPIOError) { return try await lines.set(name, to: value) } catch { throw CommandError(error) }
  }

  func pulse(for duration: Duration) async throws(CommandError) {
    do throws(GPIOError) { try await lines.pulse(name, for: duration) } catch { throw CommandError(error) }
  }
}

/// Configured names in a message; `nothing` without any.
func nameList(_ names: some Collection<String>) -> String {
  let most = 20
  if names.isEmpty { return "nothing" }
  return names.prefix(most).joined(separator: ", ") + (names.count > most ? " and \(names.count - most) more" : "")
}

extension CommandError {
  init(_ error: GPIOError) {
    switch error.code {
    case .noSuchLine: self.init(.noSuchPin, error.message)
    case .notOutput: self.init(.notOutput, error.message)
    case .unavailable: self.init(.unavailable, error.message)
    case .interlocked: self.init(.busy, error.message)
    }
  }

  init(_ error: PortError) {
    switch error.code {
    case .timedOut: self.init(.timeout, error.description)
    case .bufferFull: self.init(.busy, error.description)
    case .absent, .ambiguous, .claimed, .forbidden, .inUse, .notATerminal, .gone, .failed, .notOpen:
      self.init(.unavailable, error.description)
    }
  }
}
