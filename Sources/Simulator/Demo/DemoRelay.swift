internal import Foundation

/// A relay on the daemon's simulated chip that the server switches: the way down.
final class DemoRelay {
  static let line = 23
  /// Between two commands without a person.
  static let interval = Duration.seconds(3)
  /// How long a command may be on its way: an outage of the demo and the retries after it.
  private static let lifetime = Duration.seconds(60)

  /// What came of the commands so far.
  struct Summary: Sendable, Equatable {
    var isOn: Bool?
    var sent = 0
    var answered = 0
    /// From the newest answered command to its reply.
    var latency: Duration?
  }

  private let server: DeviceServer
  private let file: String
  private var commands: [(id: Int64, value: Int)] = []
  private var due = interval

  /// - Parameter chip: The directory of the simulated chip.
  init(_ server: DeviceServer, chip: String) {
    self.server = server
    file = "\(chip)/line\(Self.line)"
  }

  /// Sends the next command when it is time.
  func tick(_ elapsed: Duration) {
    guard elapsed >= due else { return }
    due = elapsed + Self.interval
    toggle()
  }

  func toggle() {
    let value = commands.last?.value == 1 ? 0 : 1
    let id = server.sendCommand(
      "setGpio", params: #"{"pin":\#(Self.line),"value":\#(value)}"#, token: DemoConfiguration.token,
      lifetime: Self.lifetime)
    commands.append((id, value))
  }

  var summary: Summary {
    var summary = Summary(isOn: isOn, sent: commands.count)
    for command in commands {
      guard let outcome = server.reply(to: command.id, token: DemoConfiguration.token),
        let reply = outcome.replies.first
      else { continue }
      summary.answered += 1
      if let handover = outcome.handovers.last, reply.time > handover {
        summary.latency = .nanoseconds(Int64(clamping: reply.time - handover))
      }
    }
    return summary
  }

  /// What is wrong: commands without a reply, with another than was to be expected, or a line with another value.
  var faults: [String] {
    var faults: [String] = []
    for (number, command) in commands.enumerated() {
      let expected = #"{"pin":"relay","value":\#(command.value)}"#
      let replies = server.reply(to: command.id, token: DemoConfiguration.token)?.replies.map(\.text) ?? []
      if replies != [expected] {
        faults.append("command \(number + 1): answered \(replies), expected \(expected) once")
      }
    }
    if let last = commands.last, isOn != (last.value == 1) { faults.append("the relay is not what it was set to last") }
    return faults
  }

  /// Whether all commands are answered.
  var isSettled: Bool { summary.answered == commands.count }

  private var isOn: Bool? {
    switch FileManager.default.contents(atPath: file)?.first {
    case UInt8(ascii: "1"): true
    case UInt8(ascii: "0"): false
    default: nil
    }
  }
}
