internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Decides how an assignment becomes a running version, without a file, a socket or a clock.
///
/// There is one step at a time; its owner does it and answers with an event. What is told to the server is told before it
/// is written down, so that a kill between the two says a thing twice rather than never. What is written down is true
/// before it is: bytes are durable, a verification has ended. And the installer is asked only once the record says so.
///
/// Source: contract.md §8, docs/updates.md.
struct UpdateStateMachine: Sendable {
  /// What the owner does next.
  enum Step: Sendable, Equatable {
    case load
    case readVersion
    case save(UpdateRecord)
    /// Cut the package file to `length`, and look for room for the rest.
    case prepare(length: Int64, size: Int64?, copies: Int64)
    case fetch(offset: Int64, limit: Int)
    /// Write what was fetched.
    case append(offset: Int64)
    case synchronize
    case verify(UpdatePackage, size: Int64)
    case request(InstallRequest)
    case startInstaller
    /// Look for the installer's result and the running version, after a while.
    case look(after: Duration)
    /// Take the request back.
    case withdraw
    case confirm(id: String)
    /// Start Baudgate anew in place of this process. Without an answer but a failure.
    case reexecute
    case cleanUp
    /// Read the assignment from the server; the answer is `assign` and `attributesRead`.
    case readAssignment
    case wait(Duration)
    /// Nothing to do until the assignment changes.
    case rest
  }

  enum Event: Sendable, Equatable {
    case loaded(UpdateRecord?)
    case versionRead(String?)
    case saved
    /// With the file's length.
    case prepared(Int64)
    case arrived(count: Int, total: Int64?, validator: String? = nil)
    /// The source does not go on; everything is to be fetched again.
    case begunAnew
    case fetchFailed(DeviceAPIError)
    case appended
    case synchronized(Int64)
    case verified
    case objected(PackageObjection)
    case requested
    case installerStarted
    case installerFailed(String)
    case looked(UpdateFiles.Look, version: String?)
    case withdrawn(UpdateFiles.Look)
    case confirmed
    case reexecutionFailed(String)
    case cleanedUp
    case attributesRead
    case rested
    case noRoom(needed: Int64, PackageFile.Space)
    case diskFailed(String)
  }

  /// What others are to know, in order.
  enum Told: Sendable, Equatable {
    /// `fw_state`, and `fw_error` where there is one; the empty one clears it.
    case state(UpdateState, error: String?)
    /// `current_fw_title`, `current_fw_version`.
    case current(title: String?, version: String)
    case line(Logger.Level, String)
    /// A line that repeats while a trouble lasts.
    case trouble(String, cause: String)
  }

  /// What does not change while it works, but by a reload.
  struct Settings: Sendable, Equatable {
    var kind: PackageKind
    var chunkSize: Int
    var maxSize: Int64
    var timeLimit: Duration
    var confirmWithin: Duration
    var hasRollback: Bool
    var publicKey: [UInt8]?
    /// Whether Baudgate itself is what is updated.
    var isOwn: Bool
    /// Whether the daemon starts the installer itself.
    var startsInstaller: Bool
    /// The machine's start.
    var boot: String
    var timing = UpdateTiming.standard
  }

  indirect enum State: Sendable, Equatable {
    case loading
    /// The running version is read at the start.
    case settingOut
    /// What an earlier life has asked the installer for.
    case lookingBack
    case idle
    case settling
    /// Whether what is assigned runs already.
    case comparing
    case saving(then: State)
    case preparing
    case fetching
    case appending(count: Int, isLast: Bool)
    case synchronizing(isLast: Bool)
    case verifying
    /// The version that is to be replaced.
    case readingOld
    case requesting
    case starting
    case watching(isFirst: Bool)
    case withdrawing(String)
    case confirming
    case reexecuting
    case cleaning
    case rereading(String)
    case resting(Duration, before: State)
  }

  var settings: Settings
  let objection: @Sendable (UpdatePackage, [UInt8]?) -> PackageObjection?
  var pace: RetryPace
  private(set) var state = State.loading
  /// Counts states, so that an answer to an earlier one can be told.
  private(set) var serial: UInt64 = 0
  private var told: [Told] = []

  /// As it is in the file, or is about to be.
  var record = UpdateRecord()
  /// What the server has assigned; `isKnown` once it has said so.
  private(set) var wanted: PackageAssignment?
  private(set) var isKnown = false
  var runningVersion: String?
  /// Bytes of the package file that are written.
  var position: Int64 = 0
  var oddParts = 0
  var refusals = 0
  /// From when the installer has its time, by boottime.
  var watchedSince = Duration.zero
  /// The last trouble, while it lasts.
  var trouble: String?
  var isRoomTold = false
  var isInstallingTold = false
  var progressTold: (tenth: Int64, at: Duration?) = (0, nil)

  /// - Parameter objection: What can be told of a package before its first byte.
  init(
    _ settings: Settings, pace: RetryPace = RetryPace(),
    objection: @escaping @Sendable (UpdatePackage, [UInt8]?) -> PackageObjection? = { _, _ in nil }
  ) {
    self.settings = settings
    self.pace = pace
    self.objection = objection
  }

  // MARK: What the owner asks

  /// What the state waits for.
  var step: Step {
    switch state {
    case .loading: .load
    case .settingOut, .comparing, .readingOld: .readVersion
    case .lookingBack: .look(after: .zero)
    case .idle: .rest
    case .settling: .wait(settings.timing.settle)
    case .saving: .save(record)
    case .preparing:
      // With a key the installer makes a copy that only root can write.
      .prepare(length: record.bytes, size: size, copies: settings.publicKey == nil ? 1 : 2)
    case .fetching: .fetch(offset: position, limit: record.chunkSize)
    case .appending: .append(offset: position)
    case .synchronizing: .synchronize
    case .verifying: .verify(package, size: record.bytes)
    case .requesting:
      .request(InstallRequest(id: id, package: package, size: record.bytes, fromVersion: record.fromVersion))
    case .starting: .startInstaller
    case .watching(let isFirst): .look(after: isFirst ? .zero : settings.timing.look)
    case .withdrawing: .withdraw
    case .confirming: .confirm(id: id)
    case .reexecuting: .reexecute
    case .cleaning: .cleanUp
    case .rereading: .readAssignment
    case .resting(let delay, _): .wait(delay)
    }
  }

  mutating func takeTold() -> [Told] {
    defer { told = [] }
    return told
  }

  /// Whether an installation is under way, which nothing supersedes.
  var isInstalling: Bool { record.phase == .updating && !isAboutToAsk(state) }

  private func isAboutToAsk(_ state: State) -> Bool {
    switch state {
    case .saving(then: .requesting): true
    case .resting(_, before: let next): isAboutToAsk(next)
    default: false
    }
  }

  /// What is assigned, where it is to come after what is installed now.
  var next: UpdatePackage? {
    guard let wanted, record.phase == .updating else { return nil }
    let next = UpdatePackage(wanted)
    return record.package?.isSame(as: next) == true ? nil : next
  }

  // MARK: Events

  /// The server has said what is assigned, if anything.
  mutating func assign(_ assignment: PackageAssignment?) {
    guard !isKnown || assignment != wanted else { return }
    isKnown = true
    wanted = assignment
    switch state {
    case .loading, .settingOut, .lookingBack, .cleaning: return
    case .idle, .settling, .comparing: if hasNews || state != .idle { enter(.settling) }
    default:
      if isInstalling {
        if let next { line(.notice, "\(next.name) is assigned; it waits until the installation has ended") }
        return
      }
      switch record.phase {
      // Written down and cleaned up first.
      case .idle, .updated, .failed: return
      case .downloading, .downloaded, .verified, .updating:
        if let assignment, UpdatePackage(assignment).isSame(as: package) { return }
        line(.notice, "\(package.name) is not assigned any more; what was downloaded of it is dropped")
        if record.phase == .updating { record.phase = .verified }
        enter(.settling)
      }
    }
  }

  /// Something has changed that may help: a pause ends.
  mutating func hasten() {
    if case .resting(_, let next) = state { enter(next) }
  }

  /// What was to be done has been done, or could not be. An answer to what is not asked any more does nothing.
  ///
  /// - Parameter now: By boottime.
  mutating func handle(_ event: Event, at now: Duration, using generator: inout some RandomNumberGenerator) {
    switch (state, event) {
    case (.loading, .loaded(let found)):
      if let found { record = found }
      enter(.settingOut)
    case (.settingOut, .versionRead(let version)): setOut(version, at: now)
    case (.lookingBack, .looked(let look, _)): lookBack(look, at: now)
    case (.settling, .rested): decide()
    case (.comparing, .versionRead(let version)): compare(version)
    case (.saving(let next), .saved):
      trouble = nil
      pace.succeeded()
      enter(next)
    case (.cleaning, .cleanedUp), (.cleaning, .diskFailed): enter(.idle)
    case (.resting(_, let next), .rested): enter(next)
    case (_, .diskFailed(let words)): wait(words, cause: "disk", needsPerson: false, using: &generator)

    case (.preparing, _), (.fetching, _), (.appending, _), (.synchronizing, _), (.verifying, _), (.rereading, _):
      handleDownload(event, at: now, using: &generator)
    case (.readingOld, _), (.requesting, _), (.starting, _), (.watching, _), (.withdrawing, _), (.confirming, _),
      (.reexecuting, _):
      handleInstallation(event, at: now, using: &generator)

    // An answer to nothing that was asked.
    case (.loading, _), (.settingOut, _), (.lookingBack, _), (.idle, _), (.settling, _), (.comparing, _),
      (.saving, _), (.cleaning, _), (.resting, _):
      return
    }
  }

  // MARK: Starting

  private mutating func setOut(_ version: String?, at now: Duration) {
    runningVersion = version
    if let version { told.append(.current(title: knownTitle, version: version)) }
    let isOtherBoot = record.boot != settings.boot
    // The last words may have been lost with the power.
    if isOtherBoot, let state = UpdateState(record.phase) { told.append(.state(state, error: record.error)) }
    if record.phase == .updating { return enter(.lookingBack) }
    // What is over may not have been cleaned up; what is not waits for the server to say that it is assigned still.
    let next: State =
      switch record.phase {
      case .idle, .updating, .updated, .failed: .cleaning
      case .downloading, .downloaded, .verified: .idle
      }
    guard isOtherBoot, record.phase != .idle else { return enter(next) }
    record.boot = settings.boot
    enter(.saving(then: next))
  }

  private mutating func lookBack(_ look: UpdateFiles.Look, at now: Duration) {
    watchedSince = now
    let result = look.result.flatMap { $0.id == record.id ? $0 : nil }
    if result == nil && look.request != record.id {
      // The installer was never asked: what is assigned by now decides.
      record.phase = .verified
      return enter(.saving(then: .idle))
    }
    let isOtherBoot = record.boot != settings.boot
    let isOver = result.map { $0.state == .failed || $0.state == .rolledBack } ?? false
    // One that the daemon has started itself went down with the machine, or was never started.
    let starts = settings.startsInstaller && !isOver && (isOtherBoot || result == nil)
    let next: State = starts ? .starting : .watching(isFirst: true)
    guard isOtherBoot else { return enter(next) }
    if record.boot != nil { record.boots += 1 }
    record.boot = settings.boot
    record.confirmFrom = now.wholeMilliseconds
    enter(.saving(then: next))
  }

  // MARK: What to do

  /// Whether what is assigned asks for something to be done.
  private var hasNews: Bool {
    guard isKnown else { return false }
    switch record.phase {
    case .downloading, .downloaded, .verified: return true
    case .idle, .updating, .updated, .failed:
      guard let wanted, let known = record.package else { return (wanted == nil) != (record.package == nil) }
      return !UpdatePackage(wanted).isSame(as: known)
    }
  }

  private mutating func decide() {
    guard hasNews else { return enter(.idle) }
    guard let wanted else {
      if let package = record.package { line(.info, "\(package.name) is not assigned any more") }
      record = fresh(.idle, nil)
      return enter(.saving(then: .cleaning))
    }
    guard record.package?.isSame(as: UpdatePackage(wanted)) == true else { return enter(.comparing) }
    switch record.phase {
    case .idle, .updating, .updated, .failed: enter(.idle)
    case .downloading: enter(.preparing)
    case .downloaded: enter(.verifying)
    case .verified: enter(.readingOld)
    }
  }

  /// A new assignment.
  private mutating func compare(_ version: String?) {
    runningVersion = version
    guard let wanted else { return enter(.idle) }
    let package = UpdatePackage(wanted)
    let title = knownTitle
    if let version, version == package.version, title == nil || title == package.title {
      line(.info, "\(package.name) is assigned and runs already")
      record = fresh(.updated, package)
      record.running = UpdateRecord.Running(title: package.title, version: version)
      told += [.state(.updated, error: ""), .current(title: package.title, version: version)]
      return enter(.saving(then: .cleaning))
    }
    record = fresh(.downloading, package)
    record.chunkSize = settings.chunkSize
    record.attempt = 1
    if let words = refusal(of: wanted, package) { return fail(words) }
    let bytes = package.size.map { ", \($0) bytes" } ?? ""
    line(.notice, "\(package.name) is assigned and is downloaded\(bytes)")
    told.append(.state(.downloading, error: ""))
    enter(.saving(then: .preparing))
  }

  private func fresh(_ phase: UpdateRecord.Phase, _ package: UpdatePackage?) -> UpdateRecord {
    var fresh = UpdateRecord()
    fresh.phase = phase
    fresh.package = package
    fresh.boot = settings.boot
    fresh.running = record.running
    return fresh
  }

  /// Why a package is not even downloaded.
  private func refusal(of wanted: PackageAssignment, _ package: UpdatePackage) -> String? {
    let (section, prefix) = ("ota.\(settings.kind.rawValue)", settings.kind.prefix)
    if !package.isPlain {
      return """
        the title, version, checksum or signature holds control characters or more than \(UpdatePackage.textLimit) \
        bytes; upload the package under another name
        """
    }
    if let size = package.size, !(1...settings.maxSize).contains(size) {
      return size < 1
        ? "the package is assigned with \(size) bytes; upload it again"
        : "the package has \(size) bytes, and \(section).max_size is \(settings.maxSize)"
    }
    if let url = wanted.url?.reveal() {
      let scheme = url.prefix { $0 != ":" }.lowercased()
      guard scheme == "https" || scheme == "http" else { return "the package's URL is neither https nor http" }
      if scheme == "http" && package.checksum == nil && settings.publicKey == nil {
        return """
          an external package over http without a checksum could be anybody's; give \(prefix)_checksum and \
          \(prefix)_checksum_algorithm, or sign it and set \(section).public_key, or use https
          """
      }
    } else if package.checksum == nil && settings.publicKey == nil {
      return "the package is assigned without \(prefix)_checksum; upload it again, with a checksum"
    }
    switch objection(package, settings.publicKey) {
    case .damaged(let words), .refused(let words): return words
    case nil: return nil
    }
  }

  /// The title of what runs, where an update has brought it.
  var knownTitle: String? {
    guard let running = record.running, running.version == runningVersion else { return nil }
    return running.title
  }

  // MARK: Moving on

  var package: UpdatePackage { record.package ?? UpdatePackage(title: "", version: "") }
  var id: String { record.id ?? "" }
  /// Bytes of the whole package, as far as anybody has said.
  var size: Int64? { package.size ?? record.size }

  mutating func enter(_ next: State) {
    serial &+= 1
    if next == .fetching && state == .preparing { progressTold.tenth = tenth }
    // What came meanwhile.
    state = next == .idle && state != .idle && hasNews ? .settling : next
  }

  /// Tenths of the package that are there.
  var tenth: Int64 {
    guard let size, size > 0 else { return 0 }
    return Int64(Double(position) / Double(size) * 10)
  }

  mutating func tell(_ what: Told) { told.append(what) }
  mutating func line(_ level: Logger.Level, _ words: String) { told.append(.line(level, words)) }

  /// The end of this assignment, until another comes.
  mutating func fail(_ words: String) {
    record.phase = .failed
    record.error = oneLine(words)
    trouble = nil
    told.append(.state(.failed, error: record.error))
    line(.error, "\(package.name) failed: \(oneLine(words)); it is not tried again until it is assigned anew")
    enter(.saving(then: .cleaning))
  }

  /// Tries the same again, later.
  mutating func wait(
    _ words: String, cause: String, needsPerson: Bool, using generator: inout some RandomNumberGenerator
  ) {
    rest(for: pace.next(needsPerson: needsPerson, using: &generator), words, cause: cause, before: state)
  }

  mutating func rest(for delay: Duration, _ words: String, cause: String, before next: State) {
    trouble = words
    told.append(.trouble("\(words); next try in \(delay.forHumans)", cause: cause))
    enter(.resting(delay, before: next))
  }
}

/// What the dashboards read under `fw_state` and `sw_state`. Source: contract.md §8.
enum UpdateState: String, Sendable {
  case downloading = "DOWNLOADING"
  case downloaded = "DOWNLOADED"
  case verified = "VERIFIED"
  case updating = "UPDATING"
  case updated = "UPDATED"
  case failed = "FAILED"

  /// - Returns: `nil` where nothing is assigned.
  init?(_ phase: UpdateRecord.Phase) {
    switch phase {
    case .idle: return nil
    case .downloading: self = .downloading
    case .downloaded: self = .downloaded
    case .verified: self = .verified
    case .updating: self = .updating
    case .updated: self = .updated
    case .failed: self = .failed
    }
  }
}
