internal import Hardware
internal import Telemetry

/// Methods with a bare value, by the line `rpc.bind` gives each: `setValue true` → `true`, `getValue` → `true`.
///
/// A method whose first word is `get`, `check`, `read` or `is` asks, one that begins with `set` drives; any other does
/// what its params say: none asks. A value comes back as the same kind, a number for a number.
struct BoundValueCommand: Command {
  /// What stock widgets call unless told otherwise.
  static let usual = ["setValue", "getValue", "checkStatus"]

  func methods(_ context: CommandContext) -> [String] { Self.usual + Array(context.rpc.bind.keys) }

  func hasLastingEffect(_ method: String, _ params: JSON, _ context: CommandContext) -> Bool {
    guard Self.drives(method, params), let name = context.rpc.bind[method] else { return false }
    return context.lines?.line(.name(name))?.direction == .output
  }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    guard let name = context.rpc.bind[method] else {
      throw CommandError(
        .unknownMethod,
        "\(method) is not bound to a line; the configuration says which: rpc: {bind: {\(method): relay}}")
    }
    let line = try context.line(.name(name))
    guard Self.drives(method, params) else { return .bool(try await line.value()) }
    let value = params.member("value", "enabled") ?? params
    guard let on = value.asSwitch else {
      throw CommandError(
        .badParams, "\(method) \(value.quotedShort): expected true, false, 1, 0, \"on\" or \"off\" for \(line.name)")
    }
    return Self.reply(try await line.set(to: on), like: value)
  }

  /// Whether the method, with these params, changes its line.
  static func drives(_ method: String, _ params: JSON) -> Bool {
    if ["get", "check", "read", "is"].contains(where: { begins(method, with: $0) }) { return false }
    return begins(method, with: "set") || !params.isAbsent
  }

  /// As a word of its own: `isOn` and `is_on`, but not `isolate`.
  private static func begins(_ method: String, with word: String) -> Bool {
    guard method.hasPrefix(word) else { return false }
    return method.dropFirst(word.count).first.map { !$0.isLowercase } ?? true
  }

  private static func reply(_ on: Bool, like value: JSON) -> JSON {
    switch value {
    case .integer, .double: .integer(on ? 1 : 0)
    default: .bool(on)
    }
  }
}
