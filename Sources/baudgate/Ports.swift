internal import ArgumentParser
internal import Glibc
internal import Listing

/// `baudgate ports`: the serial lines of this machine, and the configuration's ports on them.
struct Ports: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the serial lines that are there, and which port takes them.",
    discussion: """
      Opens none of them and needs no daemon. For each USB device a `match:` line to paste into the configuration. Root \
      sees who uses a line; others see their own processes only.
      """)

  @OptionGroup var options: ConfigurationOption

  @Flag(help: "Print a JSON document.")
  var json = false

  func run() throws {
    let configuration = ConfigurationInUse.load(options.config)
    if configuration == nil {
      printError(
        access(options.config, F_OK) == 0
          ? "\(options.config) cannot be used, see `baudgate check --config \(options.config)`; listing without it"
          : "\(options.config) is not there; listing without a configuration")
    }
    let listing = PortListing.read(configuration?.ports)
    print(json ? listing.json.text : listing.text)
  }
}
