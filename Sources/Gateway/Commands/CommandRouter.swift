internal import Telemetry
internal import ThingsBoard
internal import YAML

/// Finds what carries out a method: an alias of the configuration first, then the table.
struct CommandRouter: Sendable {
  /// Every command there is; of two that answer to one name the first counts.
  static let table: [any Command] = [
    GPIOCommand(),
    GPIOStatusCommand(),
    PulseCommand(),
    BoundValueCommand(),
    ReadNowCommand(),
    ModbusCommand(),
    SerialWriteCommand(),
    StatusCommand(),
    RebootCommand(),
    RunCommand(),
  ]

  private let context: CommandContext
  private let commands: [String: any Command]

  init(_ context: CommandContext) {
    self.context = context
    var commands: [String: any Command] = [:]
    for command in Self.table.reversed() {
      for method in command.methods(context) { commands[method] = command }
    }
    self.commands = commands
  }

  /// A command that knows what to do.
  struct Route: Sendable {
    /// The method behind the alias, where it came by one.
    let method: String
    let hasLastingEffect: Bool
    fileprivate let params: JSON
    fileprivate let command: (any Command)?
  }

  /// - Parameter command: As the server handed it over.
  func route(_ command: ServerCommand) -> Route {
    var method = command.method
    var params = command.params
    if let alias = context.rpc.alias[method] {
      method = alias.method
      params = alias.params ?? params
    }
    let found = commands[method]
    return Route(
      method: method, hasLastingEffect: found?.hasLastingEffect(method, params, context) ?? false, params: params,
      command: found)
  }

  /// Carries a command out.
  ///
  /// - Throws: `CommandError`: the command's own, or `unknown_method`.
  func run(_ route: Route) async throws(CommandError) -> JSON {
    guard let command = route.command else { throw unknown(route.method) }
    return try await command.run(route.method, route.params, context)
  }

  private func unknown(_ method: String) -> CommandError {
    let known = Array(commands.keys) + Array(context.rpc.alias.keys)
    // Sorted, so that of two equally near ones the same is proposed each time.
    let hint = nearestWord(to: method, among: known.sorted()).map { "; did you mean \"\($0)\"?" }
    return CommandError(
      .unknownMethod,
      "there is no method \"\(shortened(method))\"\(hint ?? "; rpc.alias in the configuration can map it onto one")")
  }
}
