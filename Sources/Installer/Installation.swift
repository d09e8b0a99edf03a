internal import Configuration
internal import EventLoop
internal import Glibc
internal import Telemetry
internal import ThingsBoard

/// The installer at work: its two directories, its lock, and what it has written down.
struct Installation: ~Copyable {
  let plan: Installer
  let updates: GuardedDirectory
  let journal: GuardedDirectory
  private let lock: CInt
  private(set) var record: InstallRecord?

  /// - Parameter lock: The descriptor of the kind's lock, held for the life of this.
  init(
    _ plan: Installer, updates: consuming GuardedDirectory, journal: consuming GuardedDirectory, lock: CInt
  ) {
    self.plan = plan
    self.updates = updates
    self.journal = journal
    self.lock = lock
  }

  deinit { GuardedDirectory.unlock(lock) }

  mutating func run() throws(InstallerError) {
    try readRecord()
    while !plan.machine.pause(0) {
      switch NextStep(record, try asked()) {
      case .end: return
      case .refuse(let refusal): try refuse(refusal)
      case .install(let request): try install(request)
      case .recoverFromInterruption(let record): try recover(record)
      case .awaitConfirmation(let record): if try !awaitConfirmation(of: record) { return }
      case .reportInterruptedRollback(let record): try reportInterruptedRollback(record)
      case .answerAgain(let record): if try !answer(record) { return }
      }
    }
  }

  // MARK: What is asked for

  var requestName: String { "\(plan.kind.rawValue).request" }

  func asked(_ name: String? = nil) throws(InstallerError) -> NextStep.Asked {
    let bytes: [UInt8]?
    do throws(SystemError) { bytes = try updates.read(name ?? requestName, atMost: InstallRequest.sizeLimit) } catch {
      // A link, a directory, a pipe: not of the daemon's making.
      if [ELOOP, EINVAL, EISDIR, ENXIO].contains(error.errno) {
        return .unreadable(.init(id: nil, words: "the request is no regular file"))
      }
      throw InstallerError(error)
    }
    guard let bytes else { return .nothing }
    do throws(InstallRequest.Refusal) {
      return .request(try InstallRequest(parsing: bytes, for: plan.kind))
    } catch { return .unreadable(error) }
  }

  /// A request that cannot be understood is answered as far as it can be, and removed, since nobody can mend it.
  private mutating func refuse(_ refusal: InstallRequest.Refusal) throws(InstallerError) {
    plan.log("\(refusal.words); it is refused and removed")
    guard let id = refusal.id else {
      try tell(InstallResult("", .failed, error: refusal.words))
      do throws(SystemError) { try updates.remove(requestName) } catch { throw InstallerError(error) }
      return
    }
    try finish(
      InstallRecord(
        id: id, title: "", version: "", fromVersion: nil, phase: .ended,
        result: InstallResult(id, .failed, error: refusal.words)))
  }

  // MARK: Writing down and telling

  private var recordName: String { "\(plan.kind.rawValue).json" }

  private mutating func readRecord() throws(InstallerError) {
    do throws(SystemError) {
      guard let bytes = try journal.read(recordName, atMost: InstallRecord.sizeLimit) else { return }
      record = InstallRecord(parsing: bytes)
      if record != nil { return }
      plan.log("\(journal.path)/\(recordName) cannot be read; it is kept as \(recordName).unreadable")
      // What is asked for may have been installed already, so it is refused rather than installed twice.
      let id = try updates.read(requestName, atMost: InstallRequest.sizeLimit).flatMap { bytes in
        (try? InstallRequest(parsing: bytes, for: plan.kind))?.id
      }
      if let id {
        let words = "the installer's own record was unreadable; whether this was installed before is not known"
        let result = InstallResult(id, .failed, error: words)
        let refused = InstallRecord(id: id, title: "", version: "", fromVersion: nil, phase: .ended, result: result)
        try journal.replace("\(recordName).unreadable", with: bytes)
        try journal.replace(recordName, with: Array(refused.json.text.utf8))
        record = refused
      } else {
        try journal.move(recordName, to: "\(recordName).unreadable")
      }
    } catch { throw InstallerError(error) }
  }

  mutating func write(_ record: InstallRecord) throws(InstallerError) {
    do throws(SystemError) { try journal.replace(recordName, with: Array(record.json.text.utf8)) } catch {
      throw InstallerError(error)
    }
    self.record = record
  }

  func tell(_ result: InstallResult) throws(InstallerError) {
    do throws(SystemError) {
      try updates.replace("\(plan.kind.rawValue).result", with: Array("\(result.json.text)\n".utf8))
    } catch { throw InstallerError(error) }
  }

  /// The end of a request: written down, then told.
  mutating func finish(_ record: InstallRecord) throws(InstallerError) {
    var record = record
    record.phase = .ended
    try write(record)
    try plan.afterStep(.recordedEnd)
    if let error = record.result.error { plan.log(error) }
    try tell(record.result)
    try plan.afterStep(.toldEnd)
    try? journal.remove(packageName)
  }

  var packageName: String { "\(plan.kind.rawValue).package" }

  /// Tells the result of a request that is over, waits until the daemon has removed it, and removes it in the end.
  ///
  /// - Returns: Whether to go on; not where a signal came.
  private func answer(_ record: InstallRecord) throws(InstallerError) -> Bool {
    try tell(record.result)
    let end = plan.machine.now() + Installer.removalPatience
    while plan.machine.now() < end {
      if try asked().id != record.id { return true }
      if plan.machine.pause(Installer.lookInterval) { return false }
    }
    let aside = "\(requestName).over"
    do throws(SystemError) { try updates.move(requestName, to: aside) } catch {
      if error.errno == ENOENT { return true }
      throw InstallerError(error)
    }
    // A new one may have come at the last moment.
    let isOver = try asked(aside).id == record.id
    do throws(SystemError) {
      if isOver { try updates.remove(aside) } else { try updates.move(aside, to: requestName) }
    } catch { throw InstallerError(error) }
    try plan.afterStep(.requestRemoved)
    return true
  }
}
