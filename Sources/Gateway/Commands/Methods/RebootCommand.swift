internal import Telemetry

/// `reboot`: restarts the board. The reply `{"reboot":"requested"}` says that the system has agreed; it goes out while
/// the services are being stopped.
struct RebootCommand: Command {
  func methods(_: CommandContext) -> [String] { ["reboot"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { true }

  func run(_: String, _: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    try await context.reboot()
    return .object([.init("reboot", .string("requested"))])
  }
}
