internal import Hardware
internal import Telemetry

/// `getGpioStatus` and `setGpioStatus {"pin":23,"enabled":true}`: every line by its number, `{"23":true,"17":false}`.
///
/// A number that several chips have is no name; there the line's own stands. A line that cannot be read is left out.
struct GPIOStatusCommand: Command {
  func methods(_: CommandContext) -> [String] { ["getGpioStatus", "setGpioStatus"] }

  func hasLastingEffect(_ method: String, _: JSON, _: CommandContext) -> Bool { method == "setGpioStatus" }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    if method == "setGpioStatus" { try await set(params, context) }
    return try await map(context)
  }

  private func set(_ params: JSON, _ context: CommandContext) async throws(CommandError) {
    let example = #"{"pin":23,"enabled":true}"#
    let line = try context.line(of: params, for: "setGpioStatus", example: example)
    guard let value = params.member("enabled", "value") else {
      throw CommandError(.badParams, "setGpioStatus needs enabled: \(example)")
    }
    guard let on = value.asSwitch else {
      throw CommandError(.badParams, "enabled \(value.quotedShort): expected true or false")
    }
    _ = try await line.set(to: on)
  }

  private func map(_ context: CommandContext) async throws(CommandError) -> JSON {
    guard let lines = context.lines else { return .object([]) }
    var members: [JSON.Member] = []
    var failure: GPIOError?
    for line in lines.lines {
      do throws(GPIOError) {
        let value = try await lines.value(of: line.name)
        members.append(.init(lines.lines.pinName(of: line), .bool(value)))
      } catch {
        failure = error
      }
    }
    if let failure, members.isEmpty { throw CommandError(failure) }
    return .object(members)
  }
}
