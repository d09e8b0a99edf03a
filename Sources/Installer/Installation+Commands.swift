internal import Configuration
internal import EventLoop
internal import Glibc
internal import Telemetry
internal import ThingsBoard

/// Why a rollback command runs: `BAUDGATE_REASON` in its environment.
enum RollbackReason: String, Sendable {
  case notConfirmed = "not_confirmed"
  case interrupted
  case timeLimit = "time_limit"
}

extension Installation {
  /// Checks the package and runs the install command.
  mutating func install(_ request: InstallRequest) throws(InstallerError) {
    var record = InstallRecord(
      id: request.id, title: request.title, version: request.version, fromVersion: request.fromVersion, phase: .ended,
      result: InstallResult(request.id, .installing))
    guard let options = plan.options else {
      return try fail(record, "the configuration has no ota.\(plan.kind.rawValue), which would say how to install it")
    }
    guard request.size <= options.maxSize else {
      return try fail(
        record, "the package has \(request.size) bytes; ota.\(plan.kind.rawValue).max_size is \(options.maxSize)")
    }
    let claim = PackageClaim(
      descriptor: -1, size: request.size, checksum: request.checksum, checksumAlgorithm: request.checksumAlgorithm,
      publicKey: options.publicKey, signature: request.signature)
    let file: String
    do throws(PackageFile.Refusal) {
      file = try PackageFile.prepare(packageName, claim, in: updates, journal: journal, plan.check)
    } catch { return try fail(record, error.words) }
    try plan.afterStep(.packageChecked)

    plan.log("installing \(request.title) \(request.version)")
    try tell(record.result)
    try plan.afterStep(.toldInstalling)
    let (end, output) = try perform(
      Self.arguments(options.install, file), reason: nil, limit: options.timeLimit, record: &record
    ) { .installing($0) }
    record.result.output = output
    switch end {
    case .exited(0):
      record.result.state = .installed
      record.result.exitStatus = 0
      record.phase = .installed(boot: plan.machine.boot, since: plan.machine.now(), boots: 1)
      try write(record)
      try plan.afterStep(.recordedInstalled)
      plan.log(
        "installed \(request.title) \(request.version); it has \(options.confirmWithin.forHumans) to report itself")
      try tell(record.result)
      try plan.afterStep(.toldInstalled)
    case .timedOut:
      let words = "the install command took longer than \(options.timeLimit.forHumans) and was ended"
      try rollBack(record, .timeLimit, words)
    case .exited(let status):
      record.result.exitStatus = status
      try fail(record, "the install command ended with \(status)")
    case .signalled, .notExecuted, .lost: try fail(record, "the install command \(end.words)")
    }
  }

  /// An installer was killed while its command ran, or with the machine.
  mutating func recover(_ record: InstallRecord) throws(InstallerError) {
    if case .installing(let command) = record.phase { command.end(in: plan.machine.boot) }
    try rollBack(record, .interrupted, "the installation was interrupted, and how far it came is not known")
  }

  /// The installer was killed while the rollback command ran.
  mutating func reportInterruptedRollback(_ record: InstallRecord) throws(InstallerError) {
    guard case .rollingBack(let command, let reason) = record.phase else { return }
    command.end(in: plan.machine.boot)
    var record = record
    record.result = InstallResult(
      record.id, .rolledBack,
      error: "\(reason); the rollback was interrupted and is not begun twice: somebody should look at this board",
      output: record.result.output)
    try finish(record)
  }

  /// Waits until the daemon has confirmed the new version, or its time is over.
  ///
  /// - Returns: Whether to go on; not where a signal came: what waits goes on when the unit is started again.
  mutating func awaitConfirmation(of record: InstallRecord) throws(InstallerError) -> Bool {
    guard case .installed(let boot, var since, var boots) = record.phase else { return true }
    var record = record
    if boot != plan.machine.boot {
      // The clock has begun anew.
      boots += 1
      since = plan.machine.now()
      record.phase = .installed(boot: plan.machine.boot, since: since, boots: boots)
      try write(record)
    }
    try tell(record.result)
    let limit = plan.options?.confirmWithin ?? .zero
    while boots <= Installer.bootLimit, plan.machine.now() - since < limit.wholeMilliseconds {
      if try isConfirmed(record.id) {
        plan.log("\(record.title) \(record.version) has reported itself")
        try finish(record)
        return true
      }
      if try asked().id != record.id {
        plan.log("the request for \(record.title) \(record.version) was withdrawn")
        try finish(record)
        return true
      }
      if plan.machine.pause(Installer.lookInterval) { return false }
    }
    // The last look: it may have come while this was not running.
    if try isConfirmed(record.id) {
      try finish(record)
      return true
    }
    let time = boots > Installer.bootLimit ? "\(Installer.bootLimit) starts of the board" : limit.forHumans
    try rollBack(record, .notConfirmed, "version \(record.version) did not report itself within \(time)")
    return true
  }

  private func isConfirmed(_ id: String) throws(InstallerError) -> Bool {
    do throws(SystemError) {
      let bytes = try updates.read("\(plan.kind.rawValue).confirmed", atMost: InstallRequest.idLength + 1)
      return bytes?.prefix(InstallRequest.idLength).elementsEqual(id.utf8) ?? false
    } catch {
      if [ELOOP, EINVAL, EISDIR, ENXIO].contains(error.errno) { return false }
      throw InstallerError(error)
    }
  }

  /// Runs the rollback command, once.
  private mutating func rollBack(
    _ record: InstallRecord, _ reason: RollbackReason, _ words: String
  ) throws(InstallerError) {
    var record = record
    guard let options = plan.options, let rollback = options.rollback else {
      // Installed it is all the same: whether that is a failure is the daemon's to say.
      if reason == .notConfirmed {
        plan.log("\(words); there is no ota.\(plan.kind.rawValue).rollback, so it stays")
        return try finish(record)
      }
      return try fail(record, "\(words); there is no ota.\(plan.kind.rawValue).rollback")
    }
    plan.log("\(words); rolling back")
    let package = options.publicKey == nil ? "\(updates.path)/\(packageName)" : "\(journal.path)/\(packageName)"
    let (end, output) = try perform(
      Self.arguments(rollback, package), reason: reason, limit: options.timeLimit, record: &record
    ) { .rollingBack($0, reason: words) }
    record.result = InstallResult(
      record.id, .rolledBack, error: "\(words); the rollback command \(end.words)", output: output)
    if case .exited(let status) = end { record.result.exitStatus = status }
    try finish(record)
  }

  private mutating func fail(_ record: InstallRecord, _ words: String) throws(InstallerError) {
    var record = record
    record.result.state = .failed
    record.result.error = words
    try finish(record)
  }

  // MARK: One command

  /// Forks a command, writes it down, and runs it.
  private mutating func perform(
    _ arguments: [String], reason: RollbackReason?, limit: Duration, record: inout InstallRecord,
    phase: (InstallRecord.RunningCommand) -> InstallRecord.Phase
  ) throws(InstallerError) -> (end: GatedCommand.End, output: String) {
    var command: GatedCommand
    do throws(SystemError) {
      command = try GatedCommand(arguments, environment: environment(of: record, reason))
    } catch { return (.notExecuted(error), "") }
    try plan.afterStep(.forked)
    record.phase = phase(command.record(in: plan.machine.boot))
    try write(record)
    try plan.afterStep(reason == nil ? .recordedInstalling : .recordedRollback)
    let outcome = command.run(limit: limit.wholeMilliseconds, echo: plan.echo)
    try plan.afterStep(reason == nil ? .commandEnded : .rollbackEnded)
    return outcome
  }

  private static func arguments(_ words: [String], _ file: String) -> [String] {
    words.map { $0.substituting(PackageOptions.filePlaceholder, with: file) }
  }

  /// Small, and nothing of ours in it: no token, no state directory, no socket of the service manager.
  private func environment(of record: InstallRecord, _ reason: RollbackReason?) -> [String] {
    var variables = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
      "DEBIAN_FRONTEND=noninteractive", "BAUDGATE_KIND=\(plan.kind.rawValue)", "BAUDGATE_TITLE=\(record.title)",
      "BAUDGATE_VERSION=\(record.version)", "BAUDGATE_FROM_VERSION=\(record.fromVersion ?? "")",
    ]
    if let reason { variables.append("BAUDGATE_REASON=\(reason.rawValue)") }
    return variables
  }
}

extension GatedCommand.End {
  /// Behind "the command".
  var words: String {
    switch self {
    case .exited(let status): "ended with \(status)"
    case .signalled(let signal): "was ended by signal \(signal)"
    case .timedOut: "took too long and was ended"
    case .lost: "ended, and how is not known"
    case .notExecuted(let error): "could not be started: \(error)"
    }
  }
}
