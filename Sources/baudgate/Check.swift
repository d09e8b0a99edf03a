internal import ArgumentParser
internal import Configuration

/// `baudgate check`: what the daemon would say to a configuration, without starting it.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a configuration file.",
    discussion: "Prints every mistake as file:line:column; the exit status is 78 when there is one.")

  @OptionGroup var options: ConfigurationOption

  @Argument(help: "The file to check, instead of --config.")
  var file: String?

  func run() throws {
    let path = file ?? options.config
    switch GatewayConfiguration.load(path: path) {
    case .failure(let errors):
      for line in errors.lines { printError(line) }
      throw ExitCode(78)
    case .success(let configuration):
      for line in configuration.warnings { printError(line) }
      let ports = configuration.ports.count
      let sensors = configuration.sensors.count
      print("\(path) is valid: \(sensors) sensors on \(ports) ports, to \(configuration.server.url)")
    }
  }
}
