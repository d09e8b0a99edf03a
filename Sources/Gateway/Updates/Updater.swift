internal import Configuration
internal import EventLoop
internal import Logging
internal import Queue
internal import Telemetry
internal import ThingsBoard

/// Brings what the server assigns onto the board: one for firmware, one for software.
///
/// What to do is `UpdateStateMachine`'s business; this does one step after the other, tells, and hands the file over. What
/// installs it is a process of its own.
///
/// Source: contract.md §8, docs/updates.md.
actor Updater {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Bytes of `fw_error`.
  static let errorLimit = 1000
  /// How often one and the same trouble is told of.
  static let logInterval = Duration.seconds(600)

  typealias Report = @Sendable ([Reading]) -> Void
  typealias URLSource = @Sendable (Secret) throws(DeviceAPIError) -> any PackageSource

  private let loop: EventLoop
  private let kind: PackageKind
  private let files: UpdateFiles
  private let pool: BlockingPool
  private let installer: InstallerStart
  private let verifier: any PackageVerifier
  private let urlSource: URLSource
  private let log: Logger
  private let report: Report
  private let onReexecute: (@Sendable () -> Void)?

  private var api: any DeviceAPI
  private var version: VersionSource
  private var machine: UpdateStateMachine
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: Updater.logInterval)
  private var isStarted = false
  private var running: Task<Void, Never>?
  /// Ends the step under way, where that can be.
  private var interrupt: (@Sendable () -> Void)?
  /// Kept for the whole download: a source may have a connection.
  private var source: (any PackageSource)?
  private var fetched: [UInt8] = []

  /// - Parameters:
  ///   - files: Those in `STATE/updates`.
  ///   - pool: Where files are read and written and packages verified; not the queue's, since that takes minutes.
  ///   - installer: How the installer learns of a request.
  ///   - urlSource: Where the bytes behind an external package's URL come from.
  ///   - boot: The machine's start.
  ///   - report: Takes telemetry; called on the loop.
  ///   - onReexecute: Stops the daemon in order and starts its program anew; called on the loop, once the new Baudgate
  ///     is installed and no service manager restarts it. `nil` where that cannot be.
  init(
    on loop: EventLoop, kind: PackageKind, options: PackageOptions, api: any DeviceAPI, files: UpdateFiles,
    pool: BlockingPool, installer: InstallerStart, verifier: any PackageVerifier, urlSource: @escaping URLSource,
    timing: UpdateTiming = .standard, pace: RetryPace = RetryPace(), boot: String = "\(BootID.current)", log: Logger,
    report: @escaping Report, onReexecute: (@Sendable () -> Void)? = nil
  ) {
    self.loop = loop
    self.kind = kind
    self.api = api
    self.files = files
    self.pool = pool
    self.installer = installer
    self.verifier = verifier
    self.urlSource = urlSource
    self.log = log
    self.report = report
    self.onReexecute = onReexecute
    version = VersionSource(options)
    let settings = UpdateStateMachine.Settings(options, kind, installer, boot: boot, timing: timing)
    machine = UpdateStateMachine(settings, pace: pace) { package, key in
      verifier.objection(to: package, publicKey: key)
    }
  }

  deinit { running?.cancel() }

  // MARK: Life

  /// Takes up what an earlier life has left. Nothing is downloaded before the first `assignmentMayHaveChanged`.
  func start() {
    isStarted = true
    pump()
  }

  /// Returns when nothing is told, fetched or written any more. An installation goes on without the daemon, and the next
  /// start takes up the rest.
  func stop() async {
    isStarted = false
    running?.cancel()
    interrupt?()
    await running?.value
  }

  var status: UpdateStatus { UpdateStatus(machine) }

  /// Whether there is nothing to do until the assignment changes.
  var isIdle: Bool { running == nil && machine.step == .rest }

  /// Whether the installer is at work, or the new version has yet to report itself.
  var isInstalling: Bool { machine.isInstalling }

  // MARK: What others tell

  /// Shared attributes have changed, or were read.
  ///
  /// - Parameter values: All there are. Not before they have been read once: a part of them would look like a withdrawal.
  func assignmentMayHaveChanged(values: [(String, JSON)]) {
    assign(PackageAssignment(kind, among: values))
    pump()
  }

  /// Takes another way to the server.
  func use(_ api: any DeviceAPI) {
    self.api = api
    source = nil
    hasten()
  }

  /// Takes other options from now on. A download under way keeps the size of its parts.
  func update(options: PackageOptions) {
    version = VersionSource(options)
    let old = machine.settings
    machine.settings = UpdateStateMachine.Settings(options, kind, installer, boot: old.boot, timing: old.timing)
    hasten()
  }

  private func hasten() { moving { machine.hasten() } }

  private func assign(_ assignment: PackageAssignment?) { moving { machine.assign(assignment) } }

  /// What moves the machine on ends the step it was at.
  private func moving(_ change: () -> Void) {
    let serial = machine.serial
    change()
    if machine.serial != serial { interrupt?() }
    pump()
  }

  // MARK: Step by step

  private func pump() {
    tell()
    guard isStarted, running == nil, machine.step != .rest else { return }
    running = Task(executorPreference: loop) { await self.run() }
  }

  private func run() async {
    while isStarted && machine.step != .rest {
      let serial = machine.serial
      let event = await perform(machine.step)
      guard isStarted else { break }
      // An answer to what is not asked any more is dropped.
      if let event, machine.serial == serial {
        machine.handle(event, at: Uptime.boottime, using: &generator)
      }
      tell()
    }
    running = nil
  }

  /// - Returns: `nil` where it was interrupted, or nothing is to follow.
  private func perform(_ step: UpdateStateMachine.Step) async -> UpdateStateMachine.Event? {
    switch step {
    case .load: return await load()
    case .readVersion:
      return .versionRead(await pool.run { [version] in version.read() })
    case .save(let record):
      return await onDisk { [files] () throws(SystemError) in
        try files.save(record)
        return .saved
      }
    case .prepare(let length, let size, let copies):
      source = nil
      return await onPackage { file throws(PackageFile.Failure) in
        .prepared(try file.prepare(length: length, size: size, copies: copies))
      }
    case .fetch(let offset, let limit): return await fetch(offset, limit)
    case .append(let offset):
      let bytes = fetched
      fetched = []
      return await onPackage { file throws(PackageFile.Failure) in
        try file.append(bytes, at: offset)
        return .appended
      }
    case .synchronize:
      return await onPackage { file throws(PackageFile.Failure) in .synchronized(try file.synchronize()) }
    case .verify(let package, let size):
      source = nil
      return await verify(package, size)
    case .request(let request):
      return await onDisk { [files] () throws(SystemError) in
        try files.write(request)
        return .requested
      }
    case .startInstaller: return await startInstaller()
    case .look(let delay):
      if delay > .zero, await wait(delay) == nil { return nil }
      return await onDisk { [files, version] () throws(SystemError) in
        .looked(try files.look(), version: version.read())
      }
    case .withdraw:
      return await onDisk { [files] () throws(SystemError) in .withdrawn(try files.withdraw()) }
    case .confirm(let id):
      return await onDisk { [files] () throws(SystemError) in
        try files.confirm(id)
        return .confirmed
      }
    case .reexecute:
      guard let onReexecute else { return .reexecutionFailed("this start of it cannot") }
      // What follows is the new process's.
      isStarted = false
      onReexecute()
      return nil
    case .cleanUp:
      return await onDisk { [files] () throws(SystemError) in
        try files.cleanUp()
        return .cleanedUp
      }
    case .readAssignment: return await readAssignment()
    case .wait(let delay): return await wait(delay)
    case .rest: return nil
    }
  }

  // MARK: The disk

  private func load() async -> UpdateStateMachine.Event {
    do throws(SystemError) {
      let found = try await pool.run { [files] () throws(SystemError) in try files.load() }
      if let complaint = found.complaint { log.error("\(kind.rawValue): \(complaint)") }
      return .loaded(found.record)
    } catch {
      return .diskFailed(words(error))
    }
  }

  private func onDisk(
    _ body: @escaping @Sendable () throws(SystemError) -> UpdateStateMachine.Event
  ) async -> UpdateStateMachine.Event {
    do throws(SystemError) { return try await pool.run(body) } catch { return .diskFailed(words(error)) }
  }

  private func onPackage(
    _ body: @escaping @Sendable (PackageFile) throws(PackageFile.Failure) -> UpdateStateMachine.Event
  ) async -> UpdateStateMachine.Event {
    do throws(PackageFile.Failure) {
      return try await pool.run { [files] () throws(PackageFile.Failure) in try body(files.package) }
    } catch {
      switch error {
      case .noRoom(let needed, let space): return .noRoom(needed: needed, space)
      case .disk(let error): return .diskFailed(words(error))
      }
    }
  }

  private func words(_ error: SystemError) -> String {
    "the update waits: \(error); make room in the state directory, or make it writable"
  }

  private func startInstaller() async -> UpdateStateMachine.Event {
    guard case .direct(let start) = installer else { return .installerStarted }
    do throws(SystemError) {
      try await pool.run(start)
      return .installerStarted
    } catch { return .installerFailed("\(error)") }
  }

  // MARK: What can be interrupted

  private func fetch(_ offset: Int64, _ limit: Int) async -> UpdateStateMachine.Event? {
    let part: PackagePart
    let validator = machine.record.validator
    do throws(DeviceAPIError) {
      let source = try currentSource()
      let result = await interruptibly { () -> Result<PackagePart, DeviceAPIError> in
        do throws(DeviceAPIError) {
          return .success(try await source.part(at: offset, atMost: limit, validator: validator))
        } catch {
          return .failure(error)
        }
      }
      guard let result else { return nil }
      part = try result.get()
    } catch { return .fetchFailed(error) }
    if part.isAnew { return .begunAnew }
    fetched = part.bytes
    return .arrived(count: part.bytes.count, total: part.total, validator: part.validator)
  }

  private func currentSource() throws(DeviceAPIError) -> any PackageSource {
    if let source { return source }
    let package = machine.package
    let made: any PackageSource
    if let url = machine.wanted?.url, package.urlMark != nil {
      made = try urlSource(url)
    } else {
      made = ServerPackage(api: api, kind: kind, title: package.title, version: package.version)
    }
    source = made
    return made
  }

  private func readAssignment() async -> UpdateStateMachine.Event? {
    let keys = PackageAssignment.keys(of: kind)
    let result = await interruptibly { [api] () -> Result<AttributeSnapshot, DeviceAPIError> in
      do throws(DeviceAPIError) { return .success(try await api.attributes(client: nil, shared: keys)) } catch {
        return .failure(error)
      }
    }
    switch result {
    case nil: return nil
    case .failure(let error): return .fetchFailed(error)
    case .success(let snapshot):
      machine.assign(PackageAssignment(kind, among: snapshot.shared.map { ($0.name, $0.value) }))
      return .attributesRead
    }
  }

  private func wait(_ delay: Duration) async -> UpdateStateMachine.Event? {
    await interruptibly { [loop] in
      do { try await loop.sleep(for: delay) } catch is CancellationError { return nil } catch {}
      return .rested
    } ?? nil
  }

  private func verify(_ package: UpdatePackage, _ size: Int64) async -> UpdateStateMachine.Event? {
    let (path, key) = (files.package.path, machine.settings.publicKey)
    return await interruptibly { [loop, pool, verifier] in
      // A large file takes minutes; who stops does not wait for that.
      await Abandonable<UpdateStateMachine.Event>(loop).result { answer in
        pool.submit {
          do throws(PackageObjection) {
            try verifier.verify(path: path, package, size: size, publicKey: key)
            answer(.verified)
          } catch { answer(.objected(error)) }
        }
      }
    } ?? nil
  }

  /// Runs `body` so that a change of the assignment, or a stop, cancels it.
  ///
  /// - Returns: `nil` where that has happened.
  private func interruptibly<Result: Sendable>(_ body: @escaping @Sendable () async -> Result) async -> Result? {
    let task = Task(executorPreference: loop) { await body() }
    interrupt = { task.cancel() }
    defer { interrupt = nil }
    let result = await task.value
    return task.isCancelled ? nil : result
  }

  // MARK: Telling

  private func tell() {
    for told in machine.takeTold() {
      switch told {
      case .state(let state, let error):
        var values = [("\(kind.prefix)_state", state.rawValue)]
        if let error { values.append(("\(kind.prefix)_error", String(error.prefix(Self.errorLimit)))) }
        send(values)
      case .current(let title, let version):
        var values = [("current_\(kind.prefix)_version", version)]
        if let title { values.append(("current_\(kind.prefix)_title", title)) }
        send(values)
      case .line(let level, let words): log.log(level: level, "\(kind.rawValue): \(words)")
      case .trouble(let words, let cause):
        guard let suppressed = limiter.admit(cause) else { continue }
        log.warning("\(kind.rawValue): \(words)\(LogLimiter<String>.note(suppressed))")
      }
    }
  }

  private func send(_ values: [(key: String, text: String)]) {
    report(
      values.compactMap { value in
        (try? Key(value.key)).map { Reading($0, .string(value.text)) }
      })
  }
}

extension VersionSource {
  init(_ options: PackageOptions) {
    self = options.versionFile.map { .file($0) } ?? .baudgate
  }
}

extension UpdateStateMachine.Settings {
  init(
    _ options: PackageOptions, _ kind: PackageKind, _ installer: InstallerStart, boot: String, timing: UpdateTiming
  ) {
    let isDirect = if case .direct = installer { true } else { false }
    self.init(
      kind: kind, chunkSize: options.chunkSize, maxSize: Int64(options.maxSize), timeLimit: options.timeLimit,
      confirmWithin: options.confirmWithin, hasRollback: options.rollback != nil, publicKey: options.publicKey,
      isOwn: options.versionFile == nil, startsInstaller: isDirect, boot: boot, timing: timing)
  }
}
