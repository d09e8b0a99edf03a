internal import Telemetry
internal import YAML

/// `modbusRead {"sensor":"house","register":"setpoint"}` and `modbusWrite {…,"value":5}`: `{"value":5}`.
///
/// Registers bear the names of the configuration, and values its scale and words.
struct ModbusCommand: Command {
  private static let (read, write) = ("modbusRead", "modbusWrite")

  func methods(_: CommandContext) -> [String] { [Self.read, Self.write] }

  func hasLastingEffect(_ method: String, _: JSON, _: CommandContext) -> Bool { method == Self.write }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let value = method == Self.write ? ",\"value\":5" : ""
    let example = #"{"sensor":"\#(context.sensors.first ?? "house")","register":"setpoint"\#(value)}"#
    guard case .string(let sensor) = params.member("sensor"), case .string(let register) = params.member("register")
    else { throw CommandError(.badParams, "\(method) needs a sensor and a register: \(example)") }
    guard context.sensors.contains(sensor) else { throw .noSuchSensor(sensor, context) }
    if method == Self.read { return .object([.init("value", try await context.registers(sensor, register, nil))]) }
    guard let value = params.member("value") else {
      throw CommandError(.badParams, "\(method) needs a value: \(example)")
    }
    return .object([.init("value", try await context.registers(sensor, register, value))])
  }
}
