internal import Configuration
internal import EventLoop
internal import Logging
internal import Telemetry
internal import ThingsBoard

/// Comes by a credential at the first start and keeps it in the state directory.
///
/// What to do is `ProvisioningStateMachine`'s business; this does it, waits, and tells.
actor Provisioner {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// How long `provisionAnew` goes on without a definite answer.
  static let patience = Duration.seconds(30)
  /// How often one and the same trouble is told of.
  static let logInterval = Duration.seconds(600)

  struct Status: Sendable {
    enum State: String, Sendable {
      case none, pending, provisioned
    }
    var state = State.none
    /// The name that was asked for; `nil` before, and where the server makes one up.
    var device: String?
    /// Requests for a device since the start.
    var requests: UInt64 = 0
    /// The last trouble since the state changed.
    var lastError: (message: String, at: CaptureTime)?
  }

  private enum Outcome: Sendable {
    case granted(Secret)
    case failed(ProvisioningTrouble)
    /// No definite answer in time; the last trouble.
    case undecided(ProvisioningTrouble)
    case cancelled
  }

  private let loop: EventLoop
  private let api: any ProvisioningAPI
  private let options: ProvisionOptions
  private let deviceName: String?
  private let server: String
  private let file: CredentialFile
  private let disk: BlockingPool
  private let log: Logger
  private let pace: RetryPace
  private let tree: SystemTree
  private var generator = SystemRandomNumberGenerator()
  private var limiter = LogLimiter<String>(every: Provisioner.logInterval)

  private var granted: StoredToken?
  /// What the server was asked with last.
  private var proposed: Secret?
  private var running: Task<Outcome, Never>?
  private var writer: Task<Void, Never>?

  private(set) var status = Status()

  /// - Parameters:
  ///   - deviceName: `device.name` with its placeholders; `nil` lets the server make one up.
  ///   - server: The server's URL, as log lines and the file have it.
  ///   - disk: Where files are read and written.
  ///   - tree: Where the machine tells about itself.
  init(
    on loop: EventLoop, api: any ProvisioningAPI, options: ProvisionOptions, deviceName: String?, server: String,
    file: CredentialFile, disk: BlockingPool, log: Logger, pace: RetryPace = RetryPace(),
    tree: SystemTree = SystemTree()
  ) {
    self.loop = loop
    self.api = api
    self.options = options
    self.deviceName = deviceName
    self.server = server
    self.file = file
    self.disk = disk
    self.log = log
    self.pace = pace
    self.tree = tree
  }

  deinit {
    running?.cancel()
    writer?.cancel()
  }

  // MARK: What others ask for

  /// The credential, as soon as there is one; at once where the state directory has it.
  ///
  /// - Returns: `nil` only when the calling task was cancelled.
  func credential() async -> Secret? {
    // Whoever comes second waits for the attempt under way, and makes one of its own where that came to nothing.
    while let running, !Task.isCancelled {
      if case .granted(let token) = await running.value { return token }
    }
    if let granted { return granted.token }
    guard case .granted(let token) = await attempt(.forever, until: nil) else { return nil }
    return token
  }

  /// Asks for a new credential beside the one in use, which stays until the server has granted the new one.
  ///
  /// Ends at the first definite answer, or about `patience` after the start. Without one the new token stays pending in
  /// the file, since the server may have taken it, and is proved first at the next attempt.
  func provisionAnew() async -> Result<Secret, ProvisioningFailure> {
    if running != nil {
      let trouble = status.lastError.map { ": \($0.message)" } ?? ""
      return .failure(
        ProvisioningFailure(message: "provisioning is under way already and goes on by itself\(trouble)"))
    }
    writer?.cancel()
    switch await attempt(.once, until: Uptime.monotonic + Self.patience) {
    case .granted(let token): return .success(token)
    case .failed(let trouble):
      return .failure(ProvisioningFailure(message: "\(words(trouble)); \(whatStays)"))
    case .undecided(let trouble):
      let message = "\(words(trouble)); no definite answer within \(Self.patience.forHumans), try again; \(whatStays)"
      return .failure(ProvisioningFailure(message: message))
    case .cancelled: return .failure(ProvisioningFailure(message: "given up before the server answered; \(whatStays)"))
    }
  }

  private var whatStays: String {
    status.state == .provisioned ? "the credential in use stays" : "there is no credential yet"
  }

  // MARK: The attempt

  private func attempt(_ mode: ProvisioningStateMachine.Mode, until deadline: Duration?) async -> Outcome {
    let task = Task(executorPreference: loop) { await self.run(mode, until: deadline) }
    running = task
    return await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
  }

  private func run(_ mode: ProvisioningStateMachine.Mode, until deadline: Duration?) async -> Outcome {
    defer { running = nil }
    var machine = ProvisioningStateMachine(mode: mode, server: server, current: granted, pace: pace)
    var action = machine.action
    while !Task.isCancelled {
      let event: ProvisioningStateMachine.Event
      switch action {
      case .load: event = await load()
      case .prepare: event = await prepare()
      case .save(let credentials): event = await save(credentials)
      case .prove(let pending): event = await prove(pending)
      case .ask(let pending): event = await ask(pending)
      case .wait(let delay, let trouble):
        if let deadline, Uptime.monotonic + delay > deadline { return .undecided(trouble) }
        tell(trouble, next: delay)
        do { try await loop.sleep(for: delay) } catch { return .cancelled }
        event = .rested
      case .done(let token, let unwritten):
        finish(token, unwritten)
        return .granted(token.token)
      case .fail(let trouble): return .failed(trouble)
      }
      action = machine.handle(event, using: &generator)
    }
    return .cancelled
  }

  private func load() async -> ProvisioningStateMachine.Event {
    do throws(CredentialFileError) {
      let loaded = try await disk.run { [file] () throws(CredentialFileError) in try file.load() }
      for complaint in loaded.complaints { log.log(level: complaint.level, "\(complaint.message)") }
      let found = loaded.credentials
      note(found)
      if let current = found.current, granted == nil, current.server != server {
        log.warning(
          """
          \(file.path) holds a credential of \(current.server), and server.url is \(server): it is used all the same; \
          where that server does not know it, run baudgate provision --force
          """)
      }
      return .loaded(found)
    } catch { return .failed(.file(error)) }
  }

  /// Away from the loop: files are read, and the kernel's generator may block early in a board's first start.
  private func prepare() async -> ProvisioningStateMachine.Event {
    do throws(DeviceNameError) {
      let (device, token) = try await disk.run {
        [deviceName, tree] () throws(DeviceNameError) -> (String?, Secret) in
        guard let deviceName else { return (nil, AccessToken.random()) }
        return (try DeviceName.expand(deviceName, tree: tree), AccessToken.random())
      }
      status.device = device
      return .prepared(device: device, token: token)
    } catch { return .failed(.name(error)) }
  }

  private func save(_ credentials: StoredCredentials) async -> ProvisioningStateMachine.Event {
    do throws(CredentialFileError) {
      try await disk.run { [file] () throws(CredentialFileError) in try file.save(credentials) }
      note(credentials)
      return .saved
    } catch { return .failed(.file(error)) }
  }

  private func prove(_ pending: StoredToken) async -> ProvisioningStateMachine.Event {
    do throws(DeviceAPIError) {
      return .proved(isKnown: try await api.isKnown(pending.token))
    } catch { return .failed(.request(error)) }
  }

  private func ask(_ pending: StoredToken) async -> ProvisioningStateMachine.Event {
    status.requests &+= 1
    proposed = pending.token
    let request = ProvisionRequest(
      deviceName: pending.device, key: options.key, secret: options.secret, token: pending.token)
    do throws(DeviceAPIError) {
      return .answered(try await api.provision(request))
    } catch { return .failed(.request(error)) }
  }

  // MARK: The end

  private func finish(_ token: StoredToken, _ unwritten: CredentialFileError?) {
    let isNew = status.requests > 0 || status.state != .provisioned
    granted = token
    status.state = .provisioned
    status.device = token.device
    status.lastError = nil
    if isNew {
      log.notice("\(server) has provisioned \(token.device.map { "device \"\($0)\"" } ?? "this device")")
    }
    guard let unwritten else { return }
    status.lastError = (unwritten.message, .now())
    log.error("\(unwritten); the credential is used and works, writing it is tried again")
    keepWriting(token)
  }

  /// The token is good and stays pending in the file until it can be written as the current one.
  private func keepWriting(_ token: StoredToken) {
    writer?.cancel()
    writer = Task(executorPreference: loop) { [weak self, loop, pace] in
      var pace = pace
      var generator = SystemRandomNumberGenerator()
      while !Task.isCancelled {
        let delay = pace.next(needsPerson: false, using: &generator)
        guard (try? await loop.sleep(for: delay)) != nil, let self, await !self.write(token) else { return }
      }
    }
  }

  /// - Returns: Whether it is written now.
  private func write(_ token: StoredToken) async -> Bool {
    guard case .saved = await save(StoredCredentials(current: token)) else { return false }
    status.lastError = nil
    log.notice("\(file.path) is written")
    return true
  }

  // MARK: What is told

  private func note(_ credentials: StoredCredentials) {
    if granted != nil || credentials.current != nil {
      status.state = .provisioned
    } else {
      status.state = credentials.pending == nil ? .none : .pending
    }
    if let device = (credentials.current ?? credentials.pending)?.device { status.device = device }
  }

  private func tell(_ trouble: ProvisioningTrouble, next delay: Duration) {
    if case .request(let error) = trouble, error.code == .cancelled { return }
    let words = words(trouble)
    status.lastError = (words, .now())
    guard let suppressed = limiter.admit(trouble.cause) else { return }
    log.log(
      level: trouble.needsPerson ? .error : .warning,
      """
      \(words); readings are kept meanwhile, next try in \(delay.forHumans)\(LogLimiter<String>.note(suppressed))
      """)
  }

  /// Secrets are masked wherever a server repeats them.
  private func words(_ trouble: ProvisioningTrouble) -> String {
    let secrets = [options.key, options.secret] + [proposed].compactMap { $0 }
    return secrets.reduce(trouble.words(server: server, device: status.device)) { $1.masked(in: $0) }
  }
}
