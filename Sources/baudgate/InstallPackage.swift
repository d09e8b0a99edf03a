internal import ArgumentParser
internal import Configuration
internal import Glibc
internal import Installer
internal import Integrity
internal import ThingsBoard

/// `baudgate install-package`: what `baudgate-install@KIND.service` runs, or the daemon where no service manager does.
struct InstallPackage: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install-package",
    abstract: "Install the package the daemon has downloaded.",
    discussion:
      "Run by baudgate-install@KIND.service. The commands come from the configuration file, never from the server.",
    shouldDisplay: false)

  @OptionGroup var options: ConfigurationOption

  @Argument(help: "firmware or software.")
  var kind: String

  @Option(
    help: ArgumentHelp(
      "The daemon's state directory, where the daemon starts this itself; its journal is in there then.",
      valueName: "directory"))
  var stateDirectory: String?

  func run() throws {
    guard let kind = PackageKind(rawValue: kind) else {
      throw ValidationError("\(kind) is no kind of package; expected firmware or software")
    }
    do throws(InstallerError) {
      try Self.refuseForeignFile(options.config)
      let configuration = try Self.load(options.config)
      let state = stateDirectory ?? configuration.stateDirectory
      let updates = "\(state)/updates"
      // STATE_DIRECTORY is this unit's own only where the daemon has not started us.
      let journal = stateDirectory == nil ? Surroundings.process.stateDirectory : nil
      try Installer(
        kind, configuration.ota[kind], at: .init(updates: updates, journal: journal ?? "\(updates)/installer"),
        check: Self.check, on: .current(), log: Self.say, echo: Self.pass
      ).run()
    } catch {
      Self.say(error.description)
      throw ExitCode(error.code.rawValue)
    }
  }

  /// What the configuration says is run as root, so that root alone may say it.
  private static func refuseForeignFile(_ path: String) throws(InstallerError) {
    guard geteuid() == 0 else { return }
    var status = stat()
    // A missing file is told of when it is read.
    guard stat(path, &status) == 0 else { return }
    guard status.st_uid == 0, status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw InstallerError(
        .configuration, "\(path) can be written by others than root; nothing it says is run: chown root, chmod 0640")
    }
  }

  private static func load(_ path: String) throws(InstallerError) -> GatewayConfiguration {
    // The environment speaks of this unit's directories, not of the daemon's.
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    surroundings.readsPublicKeys = true
    switch GatewayConfiguration.load(path: path, in: surroundings) {
    case .success(let configuration): return configuration
    case .failure(let errors): throw InstallerError(.configuration, errors.description)
    }
  }

  /// What the daemon has found right is looked at again: it may have been exchanged meanwhile.
  private static func check(_ claim: PackageClaim) throws {
    try PackageCheck(
      size: claim.size, checksum: claim.checksum, algorithm: claim.checksumAlgorithm, publicKey: claim.publicKey,
      signature: claim.signature
    ).verify(descriptor: claim.descriptor)
  }

  @Sendable private static func say(_ sentence: String) {
    let bytes = Array("\(sentence)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }

  /// Drops what nobody takes: a journal that does not read must not hold up an installation.
  @Sendable private static func pass(_ output: ArraySlice<UInt8>) {
    var entry = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    guard poll(&entry, 1, 0) > 0 else { return }
    _ = output.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
