internal import ArgumentParser
internal import Telemetry

/// The command line: everything a person does with a gateway from a shell.
@main
struct Baudgate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baudgate",
    abstract: "Serial sensors to ThingsBoard: run, check and watch the gateway.",
    version: Version.current,
    subcommands: [
      Run.self, Check.self, Status.self, Ports.self, Reload.self, Provision.self, Claim.self, RPC.self, Safe.self,
      InstallPackage.self,
    ])
}

/// `--config FILE`, the same for every command.
struct ConfigurationOption: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("The configuration file.", valueName: "file"))
  var config = "/etc/baudgate/baudgate.yaml"
}
