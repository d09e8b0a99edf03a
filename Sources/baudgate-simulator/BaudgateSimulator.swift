internal import ArgumentParser
internal import Telemetry

@main
struct BaudgateSimulator: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baudgate-simulator",
    abstract: "A device API server and virtual serial sensors for trying Baudgate out.",
    version: Version.current,
    subcommands: [DemoCommand.self, ServerCommand.self, SensorCommand.self, BusCommand.self])
}
