internal import ArgumentParser
internal import Telemetry

/// `baudgate provision`: asks the server for this device's credential.
struct Provision: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the server for this device's credential.",
    discussion: """
      The daemon does so by itself at its first start. With --force a new credential takes the place of the one in the \
      state directory once the server has granted it; until then the old one stays in use.
      """)

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Provision anew although there is a credential.")
  var force = false

  func run() throws {
    let answer = try ServerRequest(
      document: .object([.init("request", .string("provision")), .init("force", .bool(force))])
    ).perform(options.config)
    if case .string(let words) = answer["result"] { print(words) }
  }
}
