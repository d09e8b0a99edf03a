internal import ArgumentParser
internal import Configuration
internal import Telemetry

/// `baudgate status`: asks the running daemon over its control socket.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what the running daemon is doing.",
    discussion: "Sensors with their last values, ports, GPIO lines, the queue, the way to the server and back.")

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Print the daemon's own JSON document.")
  var json = false

  func run() throws {
    guard let configuration = ConfigurationInUse.load(options.config) else {
      throw ValidationError("\(options.config) is not valid; see `baudgate check --config \(options.config)`")
    }
    guard let path = configuration.controlSocket else {
      throw ValidationError("no control socket: the daemon runs without a runtime directory")
    }
    let document = try ControlClient.ask("status", at: path)
    guard let report = try? JSON(parsing: document, limits: ControlClient.limits) else {
      throw ValidationError("\(path) answered something else than a status document")
    }
    print(json ? report.text : StatusTable(report).text)
  }
}
