internal import ArgumentParser
internal import Configuration
internal import Telemetry

/// `baudgate reload`: has the daemon read its configuration file again.
struct Reload: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Have the daemon read its configuration file again.",
    discussion: """
      Only what differs is changed: an untouched port stays open and a poll is not cut. A file with errors changes \
      nothing; they are printed, and the exit status is 78.
      """)

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Print what was changed as JSON.")
  var json = false

  func run() throws {
    var surroundings = Surroundings.process
    surroundings.readsTokens = false
    if case .failure(let errors) = GatewayConfiguration.load(path: options.config, in: surroundings) {
      for line in errors.lines { printError(line) }
      printError("\(options.config) is not valid: the daemon goes on with the configuration in use")
      throw ExitCode(78)
    }
    let answer = try ServerRequest(document: .object([.init("request", .string("reload"))])).perform(options.config)
    if json {
      print(answer.text)
    } else if case .string(let words) = answer["result"] {
      print(words)
    }
  }
}
