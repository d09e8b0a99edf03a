internal import Telemetry

/// `setGpio {"pin":"relay","value":1}`, `getGpio {"pin":"relay"}` or `getGpio "relay"`: `{"pin":"relay","value":1}`.
struct GPIOCommand: Command {
  func methods(_: CommandContext) -> [String] { ["setGpio", "getGpio"] }

  func hasLastingEffect(_ method: String, _: JSON, _: CommandContext) -> Bool { method == "setGpio" }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    method == "setGpio" ? try await set(params, context) : try await get(params, context)
  }

  private func set(_ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let example = #"{"pin":"relay","value":1}"#
    let line = try context.line(of: params, for: "setGpio", example: example)
    guard let value = params.member("value", "enabled") else {
      throw CommandError(.badParams, "setGpio needs a value: \(example)")
    }
    guard let on = value.asSwitch else {
      throw CommandError(.badParams, "value \(value.quotedShort): expected 1, 0, true, false, \"on\" or \"off\"")
    }
    return reply(line, try await line.set(to: on))
  }

  private func get(_ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let line = try context.line(of: params, for: "getGpio", example: #"{"pin":"relay"}"#, isBareAllowed: true)
    return reply(line, try await line.value())
  }

  private func reply(_ line: TargetLine, _ value: Bool) -> JSON {
    .object([.init("pin", .string(line.name)), .init("value", .integer(value ? 1 : 0))])
  }
}
