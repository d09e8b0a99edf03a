internal import EventLoop
internal import Telemetry
internal import YAML

/// `pulseGpio {"pin":"relay","duration":"500ms"}`: on, and off again by itself; a bare number means milliseconds.
///
/// Answered as soon as the line is on: `{"pin":"relay","value":1,"duration":"500ms"}`.
struct PulseCommand: Command {
  static let shortest = Duration.milliseconds(10)
  static let longest = Duration.seconds(3600)

  func methods(_: CommandContext) -> [String] { ["pulseGpio"] }

  func hasLastingEffect(_: String, _: JSON, _: CommandContext) -> Bool { true }

  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON {
    let example = #"{"pin":"relay","duration":"500ms"}"#
    let line = try context.line(of: params, for: method, example: example)
    guard let json = params.member("duration") else {
      throw CommandError(.badParams, "\(method) needs a duration: \(example)")
    }
    guard let duration = Self.duration(json), (Self.shortest...Self.longest).contains(duration) else {
      throw CommandError(
        .badParams,
        """
        duration \(json.quotedShort): expected \(Self.shortest.configured) to \(Self.longest.configured), such as \
        "500ms", or a number of milliseconds
        """)
    }
    try await line.pulse(for: duration)
    return .object([
      .init("pin", .string(line.name)), .init("value", .integer(1)), .init("duration", .string(duration.configured)),
    ])
  }

  private static func duration(_ json: JSON) -> Duration? {
    switch json {
    case .integer(let milliseconds): return milliseconds > longest.wholeMilliseconds ? nil : .milliseconds(milliseconds)
    case .double(let milliseconds):
      // Bounded first: a Duration traps on what it cannot hold, and on NaN.
      guard milliseconds >= 0, milliseconds <= Double(longest.wholeMilliseconds) else { return nil }
      return .milliseconds(milliseconds)
    case .string(let text): return Duration(configured: text) ?? Int64(text).flatMap { duration(.integer($0)) }
    default: return nil
    }
  }
}
