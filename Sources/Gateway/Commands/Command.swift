internal import Configuration
internal import EventLoop
internal import Hardware
internal import Telemetry

/// One command, or a few that belong together: a file in `Methods` and a line in `CommandRouter.table`.
protocol Command: Sendable {
  /// The names it answers to.
  func methods(_ context: CommandContext) -> [String]
  /// Whether carrying it out twice would differ from once: such a command is on the disk before it runs.
  func hasLastingEffect(_ method: String, _ params: JSON, _ context: CommandContext) -> Bool
  /// Carries it out.
  ///
  /// - Parameters:
  ///   - method: One of `methods`.
  ///   - params: As they came, or an alias's.
  /// - Returns: The reply.
  /// - Throws: `CommandError`, which becomes the reply.
  func run(_ method: String, _ params: JSON, _ context: CommandContext) async throws(CommandError) -> JSON
}

/// What commands act upon.
struct CommandContext: Sendable {
  /// `nil` without any configured line.
  var lines: (any DigitalLines)?
  /// Configured ports, in the order of the file.
  var ports: [String] = []
  /// Sends bytes to a port in `ports`.
  var writePort: @Sendable (_ port: String, _ bytes: [UInt8]) async throws(PortError) -> Void
  /// Configured sensors, in the order of the file.
  var sensors: [String] = []
  /// A sensor's newest values, asked for now where it is asked at all; `nil` for an unknown one.
  var latest: @Sendable (_ sensor: String) async throws(CommandError) -> [Reading]?
  /// Reads a register of a sensor on a bus, or writes `value` to it.
  var registers: @Sendable (_ sensor: String, _ register: String, _ value: JSON?) async throws(CommandError) -> JSON = {
    (_, _, _) async throws(CommandError) in throw CommandError(.unavailable, "no sensor has registers")
  }
  /// What `baudgate status` shows.
  var status: @Sendable () async -> JSON
  var rpc = RPCOptions()
  /// Asks the system to restart the board.
  var reboot: @Sendable () async throws(CommandError) -> Void
  /// Where programs are waited for.
  var programs = BlockingPool(name: "programs", threads: CommandContext.programLimit)

  /// Programs that run at once; others wait for their turn.
  static let programLimit = 4
}
