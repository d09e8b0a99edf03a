public import Configuration
internal import EventLoop
internal import Glibc
public import ThingsBoard

/// Installs what the daemon has downloaded, by the commands of the configuration: a process of its own, so that it
/// outlives the daemon's restart and may run as root.
///
/// It does one thing after the other and may block. What is about to happen is written down first, so that one that was
/// killed anywhere goes on rightly when it is started again.
///
/// Source: docs/updates.md.
public struct Installer: Sendable {
  /// What has just become durable or has happened, for tests that end the installer there.
  public enum Step: Sendable, Hashable, CaseIterable {
    case packageChecked, toldInstalling, forked, recordedInstalling, commandEnded, recordedInstalled, toldInstalled
    case recordedRollback, rollbackEnded, recordedEnd, toldEnd, requestRemoved
  }

  /// Where the daemon and the installer keep their files.
  public struct Places: Sendable {
    /// The daemon's: `STATE/updates`.
    public var updates: String
    /// The installer's own; made where it is missing.
    public var journal: String

    public init(updates: String, journal: String) {
      self.updates = updates
      self.journal = journal
    }
  }

  /// How many starts of the machine may wait for the confirmation: a version that starts it again and again never comes
  /// to the end of its time.
  public static let bootLimit = 3
  /// Between two looks for the daemon's answer, in milliseconds.
  static let lookInterval: Int32 = 1000
  /// How long the daemon may take to remove a request that is over; then the installer does, since its unit would be
  /// started again for it.
  static let removalPatience: Int64 = 60_000

  let kind: PackageKind
  /// `nil` where the configuration has no section for the kind.
  let options: PackageOptions?
  let places: Places
  let check: PackageClaim.Check
  let machine: Machine
  let log: @Sendable (String) -> Void
  let echo: @Sendable (ArraySlice<UInt8>) -> Void
  let afterStep: @Sendable (Step) throws(InstallerError) -> Void

  /// - Parameters:
  ///   - log: Takes what a person should know, a sentence each.
  ///   - echo: Takes what the commands print.
  ///   - afterStep: Called after each step; what it throws ends the installer there.
  public init(
    _ kind: PackageKind, _ options: PackageOptions?, at places: Places, check: @escaping PackageClaim.Check,
    on machine: Machine, log: @escaping @Sendable (String) -> Void,
    echo: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
    afterStep: @escaping @Sendable (Step) throws(InstallerError) -> Void = { _ in }
  ) {
    self.kind = kind
    self.options = options
    self.places = places
    self.check = check
    self.machine = machine
    self.log = log
    self.echo = echo
    self.afterStep = afterStep
  }

  /// Works until nothing is asked for any more, or a signal asks it to stop between two steps.
  ///
  /// - Throws: `InstallerError` where another one works on the kind, or a file that must be written cannot be.
  public func run() throws(InstallerError) {
    // Without the daemon's directory nothing was ever asked for.
    if access(places.updates, F_OK) != 0, errno == ENOENT { return }
    var installation: Installation
    do throws(SystemError) {
      if mkdir(places.journal, 0o700) != 0, errno != EEXIST { throw SystemError("mkdir \(places.journal)") }
      let updates = try GuardedDirectory(places.updates)
      let journal = try GuardedDirectory(places.journal)
      guard let lock = try journal.lock("\(kind.rawValue).lock") else {
        throw SystemError("flock \(places.journal)/\(kind.rawValue).lock", errno: EWOULDBLOCK)
      }
      installation = Installation(self, updates: updates, journal: journal, lock: lock)
    } catch {
      if error.errno == EWOULDBLOCK {
        throw InstallerError(.temporary, "another installer works on \(kind.rawValue); this one ends")
      }
      throw InstallerError(error)
    }
    try installation.run()
  }
}
