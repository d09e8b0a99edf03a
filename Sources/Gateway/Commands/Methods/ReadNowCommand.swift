internal import Telemetry
internal import YAML

/// `readNow {"sensor":"house"}` or `readNow "house"`: the sensor's newest values as one object. One that is asked is
/// asked now.
struct ReadNowCommand: Command {
  func methods(_: CommandContext) -> [String] { ["readNow"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { false }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    guard case .string(let name) = params.member("sensor") ?? params else {
      throw CommandError(.badParams, #"\#(method) needs a sensor: {"sensor":"\#(context.sensors.first ?? "house")"}"#)
    }
    guard context.sensors.contains(name), let readings = try await context.latest(name) else {
      throw .noSuchSensor(name, context)
    }
    return .object(readings.map { JSON.Member($0.key.name, JSON($0.value)) })
  }
}

extension CommandError {
  static func noSuchSensor(_ name: String, _ context: CommandContext) -> CommandError {
    let hint = nearestWord(to: name, among: context.sensors).map { "; did you mean \"\($0)\"?" }
    return CommandError(
      .noSuchSensor,
      "there is no sensor \"\(shortened(name))\"\(hint ?? "; sensors has \(nameList(context.sensors))")")
  }
}
