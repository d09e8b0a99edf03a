internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry

/// The shared attribute `baudgate`: an overlay of the configuration file, checked like a file, on trial until the uplink
/// has succeeded with it, and taken back otherwise. What was good is kept for the next start.
///
/// Whatever the server sets is dealt with one after the other; of what comes meanwhile the last counts.
actor RemoteConfiguration {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// The shared attribute's name.
  static let attribute = "baudgate"
  /// The client attributes that say what became of it.
  static let stateKey = "baudgate_state"
  static let errorKey = "baudgate_error"
  /// What is said of an overlay whose trial a stop has cut off.
  static let cutOff = "baudgated was stopped or killed while it was on trial"

  /// What the owner does.
  struct Actions: Sendable {
    /// Checks the file with an overlay laid over it; says what is wrong.
    var check: @Sendable (JSON) async -> [String]
    /// Uses the file with this overlay from now on, or alone; says why it could not.
    var apply: @Sendable (JSON?) async -> [String]
    /// Reports client attributes.
    var publish: @Sendable ([Reading]) -> Void
  }

  private let loop: EventLoop
  private let file: DurableFile
  private let disk: BlockingPool
  private var trialTime: Duration
  private let log: Logger
  private let actions: Actions
  private(set) var record: RemoteConfigurationRecord
  private var timer: TimerSource?
  /// When what is on trial was in use: requests that began before prove nothing.
  private var usedSince: Duration?
  private var wanted: JSON??
  private var work: Task<Void, Never>?
  private var isOver = false

  /// - Parameters:
  ///   - directory: The state directory.
  ///   - record: What `restore` has found.
  ///   - trialTime: How long an overlay may take to prove itself.
  init(
    on loop: EventLoop, directory: String, _ record: RemoteConfigurationRecord, disk: BlockingPool,
    trialTime: Duration, log: Logger, actions: Actions
  ) {
    self.loop = loop
    file = DurableFile(directory: directory, name: RemoteConfigurationRecord.name)
    self.record = record
    self.disk = disk
    self.trialTime = trialTime
    self.log = log
    self.actions = actions
  }

  deinit { work?.cancel() }

  /// Reads what an earlier life left; what was on trial is taken back, durably. May block.
  static func restore(_ directory: String, _ log: Logger) -> RemoteConfigurationRecord {
    let file = DurableFile(directory: directory, name: RemoteConfigurationRecord.name)
    do {
      guard let bytes = try file.read(atMost: RemoteConfigurationRecord.sizeLimit) else {
        return RemoteConfigurationRecord()
      }
      var record = try RemoteConfigurationRecord(parsing: bytes)
      guard record.trial != nil else { return record }
      record.rollBack(cutOff)
      log.error("the remote configuration was on trial when baudgated ended, and is taken back")
      do throws(SystemError) { try file.replace(with: record.bytes) } catch {
        log.error("\(error): that it was taken back cannot be kept; make the state directory writable")
      }
      return record
    } catch is RemoteConfigurationRecord.ParsingError {
      log.error("\(file.path) is damaged: the configuration file alone counts until the server's is read again")
    } catch {
      log.error("\(error): the configuration file alone counts until the server's is read again")
    }
    return RemoteConfigurationRecord()
  }

  // MARK: What the server sets

  /// Shared attributes were read or have changed; called on the loop.
  func serverSet(_ overlay: JSON?) {
    guard !isOver else { return }
    wanted = .some(overlay)
    guard work == nil else { return }
    work = Task(executorPreference: loop) { await self.goOn() }
  }

  private func goOn() async {
    while case .some(let overlay) = wanted, !isOver {
      wanted = nil
      await take(overlay)
    }
    work = nil
  }

  private func take(_ overlay: JSON?) async {
    guard let overlay, overlay != .null else {
      guard record.current != nil || record.refused != nil else { return }
      let wasInUse = record.current != nil
      record.clear()
      endTrial()
      await save()
      if wasInUse {
        log.notice("the server has withdrawn the remote configuration: the file alone counts")
        _ = await actions.apply(nil)
      }
      return report()
    }
    if record.refused?.isSame(as: overlay) == true { return report() }
    if record.current?.isSame(as: overlay) == true {
      // What was refused in between is no longer wanted.
      if record.refused != nil {
        record.refused = nil
        record.error = ""
        record.state = record.trial == nil ? .applied : .trial
        await save()
      }
      return report()
    }
    let errors = await actions.check(overlay)
    guard errors.isEmpty else {
      for error in errors { log.error("\(error)") }
      log.error("the remote configuration has \(errors.count) errors and is not used; what was in use before stays")
      record.refuse(overlay, errors.joined(separator: "\n"))
      await save()
      return report()
    }
    await tryOut(overlay)
  }

  private func tryOut(_ overlay: JSON) async {
    endTrial()
    let before = record
    record.begin(overlay)
    guard await save() else {
      // After a restart nobody would know that it has yet to be proved.
      record = before
      record.refuse(overlay, "it cannot be kept on disk, so it is not used; make the state directory writable")
      return report()
    }
    log.notice("the remote configuration is used, on trial for \(trialTime.forHumans)")
    let errors = await actions.apply(overlay)
    guard errors.isEmpty else {
      // The file was read again since the check. What is not in use must not be proved.
      for error in errors { log.error("\(error)") }
      if record.trial == overlay {
        record = before
        record.refuse(overlay, errors.joined(separator: "\n"))
        await save()
      }
      return report()
    }
    guard record.trial == overlay else { return report() }
    usedSince = Uptime.monotonic
    if timer == nil {
      timer = try? TimerSource(loop, clock: .boottime, accuracy: trialTime / 20) { [weak self] in
        self?.assumeIsolated { $0.timeIsOver() }
      }
    }
    timer?.arm(after: trialTime)
    report()
  }

  /// How long the next overlay may take to prove itself.
  func use(trialTime: Duration) { self.trialTime = trialTime }

  // MARK: The trial

  /// The server has taken readings or attributes by a request that began then; called on the loop.
  nonisolated func delivered(_ began: Duration) {
    assumeIsolated { remote in
      guard let since = remote.usedSince, began >= since, remote.record.trial != nil else { return }
      remote.endTrial()
      Task(executorPreference: remote.loop) { [trial = remote.record.trial] in await remote.confirm(trial) }
    }
  }

  /// - Parameter trial: What has proved itself; another may be on trial by now.
  private func confirm(_ trial: JSON?) async {
    guard record.trial != nil, record.trial == trial else { return }
    record.confirm()
    await save()
    log.notice("the remote configuration has proved itself: the server is reached with it")
    report()
  }

  private func timeIsOver() {
    guard record.trial != nil else { return }
    endTrial()
    Task(executorPreference: loop) { [trial = record.trial] in await self.rollBack(trial) }
  }

  private func rollBack(_ trial: JSON?) async {
    guard record.trial != nil, record.trial == trial else { return }
    let words = "the server was not reached within \(trialTime.forHumans) of its use"
    record.rollBack(words)
    await save()
    log.error("the remote configuration is taken back: \(words)")
    _ = await actions.apply(record.good)
    report()
  }

  private func endTrial() {
    usedSince = nil
    timer?.disarm()
  }

  /// The file has changed so that the overlay in use does not fit it any more.
  func dropCurrent(_ errors: [String]) async {
    guard let current = record.current else { return }
    endTrial()
    record.clear()
    record.refuse(current, errors.joined(separator: "\n"))
    await save()
    report()
  }

  /// The file has switched it off: a trial ends without a finding, and what was proved waits for the day it is on again.
  func switchOff() async {
    endTrial()
    guard record.trial != nil else { return }
    record.dropTrial()
    await save()
  }

  func stop() async {
    isOver = true
    endTrial()
    timer = nil
    await work?.value
  }

  // MARK: What is kept and told

  @discardableResult
  private func save() async -> Bool {
    let bytes = record.bytes
    let error = await disk.run { [file] () -> SystemError? in
      do throws(SystemError) { try file.replace(with: bytes) } catch { return error }
      return nil
    }
    guard let error else { return true }
    log.error("\(error): the remote configuration's state is not kept for the next start")
    return false
  }

  /// Says how it is; only what has changed is sent.
  func report() {
    let values = [(Self.stateKey, record.state.rawValue), (Self.errorKey, record.error)]
    actions.publish(values.compactMap { name, text in (try? Key(name)).map { Reading($0, .string(text)) } })
  }

  /// For `baudgate status`.
  var status: JSON {
    var members = [JSON.Member("state", .string(record.state.rawValue))]
    if !record.error.isEmpty { members.append(.init("last_error", .string(record.error))) }
    if let current = record.current { members.append(.init("overlay", current)) }
    return .object(members)
  }
}
