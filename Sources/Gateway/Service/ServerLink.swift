internal import Configuration
internal import EventLoop
internal import Logging
internal import Queue
internal import Telemetry
internal import ThingsBoard

/// Everything between one device and the platform: readings and attributes up, commands and attributes down.
///
/// Made when there is a credential. A new one is taken in place: nothing on the way is lost. What a device does not use
/// is not made: of a thousand that only send, none has polls or a memory of commands.
actor ServerLink {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Time for commands under way at a stop; `CommandDesk.lastReplies` come after it.
  static let commandLimit = Duration.seconds(3)
  /// Time for the last delivery at a stop.
  static let flushLimit = Duration.seconds(5)

  /// What takes commands.
  private struct Commands {
    let desk: CommandDesk
    let polls: CommandPolls
  }

  private let loop: EventLoop
  nonisolated let api: any DeviceAPI
  private let admission: AdmissionWatch
  private let server: String
  private let ledger: CommandLedger
  private let recorder: Recorder
  private let outages: OutageBoard
  private let log: Logger
  private let events: Device.Events
  private let uplink: Uplink
  private let clientAttributes: ClientAttributes
  private var profile: DeviceProfile
  private var router: CommandRouter
  private var commands: Commands?
  private var sharedAttributes: SharedAttributes?
  private var calls: ScheduledCalls?
  private var claimer: Claimer?
  private var isStopping = false

  /// - Parameters:
  ///   - api: Speaks for this device.
  ///   - server: The server's URL, for log lines.
  ///   - router: What carries out commands.
  ///   - ledger: The memory of commands.
  ///   - outages: What this device's ways tell of together.
  init(
    on loop: EventLoop, _ profile: DeviceProfile, api: any DeviceAPI, server: String, queue: TelemetryQueue,
    recorder: Recorder, router: CommandRouter, ledger: CommandLedger, outages: OutageBoard, log: Logger,
    events: Device.Events
  ) {
    self.loop = loop
    self.profile = profile
    self.server = server
    self.recorder = recorder
    self.router = router
    self.ledger = ledger
    self.outages = outages
    self.log = log
    self.events = events
    let api = AdmissionWatch(api)
    admission = api
    self.api = api
    uplink = Uplink(
      on: loop, queue: queue, api: api, options: Self.uplinkOptions(profile, server), log: log, outages: outages)
    clientAttributes = ClientAttributes(on: loop, api: api, log: log, outages: outages)
  }

  private static func uplinkOptions(_ profile: DeviceProfile, _ server: String) -> Uplink.Options {
    Uplink.Options(
      interval: profile.upload.interval, maxBatch: profile.upload.maxBatch, maxBytes: profile.upload.maxBytes,
      server: server)
  }

  // MARK: Life

  /// How long a start waits before its first requests, so that those of many devices do not come together.
  struct Start: Sendable {
    var uplink = Duration.zero
    var downlink = Duration.zero
  }

  /// - Throws: `SystemError` without a timer to be had.
  func start(_ start: Start = Start()) async throws(SystemError) {
    admission.onReturn { [weak self, loop] in
      Task(executorPreference: loop) { await self?.admittedAgain() }
    }
    admission.onContact(events.contact)
    admission.onDelivery(events.delivered)
    try await uplink.start(after: start.uplink)
    try await clientAttributes.start()
    try await startCommands(after: start.downlink)
    try await startSharedAttributes(after: start.downlink)
    try await startCalls()
    await startClaimer()
  }

  private func startCommands(after delay: Duration = .zero) async throws(SystemError) {
    guard commands == nil, profile.downlink.rpc != .off, api.hasDownlink else { return }
    let desk = CommandDesk(on: loop, api: api, router: router, ledger: ledger, log: log)
    let polls = CommandPolls(on: loop, api: api, mode: profile.downlink.rpc, log: log, outages: outages) {
      command, openedAt in await desk.received(command, pollOpenedAt: openedAt)
    }
    commands = Commands(desk: desk, polls: polls)
    try await desk.start()
    // The desk has read from the card, which may have taken until a stop: a poll opened now would take commands that
    // nobody carries out.
    if isStopping { return }
    try await polls.start(after: delay)
  }

  private func startSharedAttributes(after delay: Duration = .zero) async throws(SystemError) {
    guard sharedAttributes == nil, profile.downlink.sharedAttributes != .off, api.hasDownlink, !isStopping else {
      return
    }
    let shared = SharedAttributes(
      on: loop, api: api, mode: profile.downlink.sharedAttributes, log: log, outages: outages
    ) { [weak self] _ in self?.assumeIsolated { $0.tellSharedAttributes() } }
    sharedAttributes = shared
    try await shared.start(after: delay)
  }

  private func tellSharedAttributes() {
    // A part would look as if the rest had been withdrawn.
    guard let sharedAttributes, sharedAttributes.assumeIsolated({ $0.isRead }) else { return }
    events.sharedAttributes(sharedAttributes.assumeIsolated { $0.values })
  }

  private func startCalls() async throws(SystemError) {
    guard calls == nil, !profile.rpc.calls.isEmpty, !isStopping else { return }
    let calls = ScheduledCalls(on: loop, api: api, calls: profile.rpc.calls, log: log) { [recorder] sample in
      recorder.assumeIsolated { _ = $0.record([(sensor: 0, sample: sample)]) }
    }
    self.calls = calls
    try await calls.start()
  }

  private func startClaimer() async {
    guard claimer == nil, profile.isOwn, !isStopping else { return }
    let claimer = Claimer(on: loop, api: api, options: profile.claim ?? ClaimOptions(), server: server, log: log)
    self.claimer = claimer
    await claimer.start()
  }

  /// Ends what comes down: no command arrives afterwards, and those under way are over or given up.
  func stopDownlink() async {
    isStopping = true
    await claimer?.stop()
    await calls?.stop()
    await commands?.polls.stop()
    await sharedAttributes?.stop()
    await commands?.desk.stop(within: Self.commandLimit)
  }

  /// Delivers what can be delivered in time.
  func stopUplink() async {
    async let attributes: Void = clientAttributes.stop(within: Self.flushLimit)
    await uplink.stop(within: Self.flushLimit)
    await attributes
  }

  /// Takes a new token in the place of the one before.
  func use(_ token: Secret) async {
    api.use(token)
    await uplink.tryNow()
    await clientAttributes.resendAll()
    await commands?.polls.restart()
    await sharedAttributes?.restart()
  }

  /// Takes what the configuration says of the device now; what does not differ goes on undisturbed.
  func use(_ profile: DeviceProfile, _ router: CommandRouter) async throws(SystemError) {
    let before = self.profile
    self.profile = profile
    self.router = router
    guard !isStopping else { return }
    await uplink.use(Self.uplinkOptions(profile, server))
    if let commands {
      await commands.desk.use(router)
      try await commands.polls.use(profile.downlink.rpc)
    } else {
      try await startCommands()
    }
    if let sharedAttributes {
      try await sharedAttributes.use(profile.downlink.sharedAttributes)
    } else {
      try await startSharedAttributes()
    }
    if let calls { try await calls.use(profile.rpc.calls) } else { try await startCalls() }
    await claimer?.use(profile.claim)
    guard before.attributes != profile.attributes else { return }
    // A device cannot delete what it has set: what is gone stays on the server as it is.
    let wanted = Set(profile.attributes.map(\.key))
    await clientAttributes.forget(keys: before.attributes.map(\.key).filter { !wanted.contains($0) })
    await clientAttributes.set(profile.attributes)
  }

  /// The server knows the device again, which may be another one by the same token.
  private func admittedAgain() async {
    await uplink.tryNow()
    await clientAttributes.resendAll()
    if let polls = commands?.polls, await polls.status.isFailing { await polls.restart() }
    if let sharedAttributes, await sharedAttributes.status.polls.isFailing { await sharedAttributes.restart() }
  }

  // MARK: What others use

  /// The queue has taken records; called on the loop for every append.
  nonisolated func recordsArrived() { uplink.recordsArrived() }

  /// Wants these client attributes; called on the loop.
  nonisolated func publish(_ attributes: [Reading]) {
    clientAttributes.assumeIsolated { $0.set(attributes) }
  }

  /// The button for claiming was pressed; called on the loop.
  nonisolated func claimButtonPressed() { assumeIsolated { $0.claimer?.assumeIsolated { $0.buttonPressed() } } }

  func claim(secret: Secret?, duration: Duration?) async -> Result<String, DeviceAPIError> {
    guard let claimer else { return .failure(.unsupported) }
    return await claimer.claim(secret: secret, duration: duration)
  }

  /// The shared attributes as they are known; `nil` while none have been read.
  var sharedValues: [(String, JSON)]? {
    get async {
      guard let sharedAttributes, await sharedAttributes.isRead else { return nil }
      return await sharedAttributes.values
    }
  }

  // MARK: Status

  var uplinkStatus: Uplink.Status { get async { await uplink.status } }

  nonisolated var isFailing: Bool { uplink.assumeIsolated { $0.status.isFailing } }

  /// Whether the server is asked for commands in vain.
  nonisolated var commandsFail: Bool {
    assumeIsolated { $0.commands?.polls.assumeIsolated { $0.isFailing } ?? false }
  }

  /// Why commands with lasting effect are refused, while they are.
  nonisolated var commandProblem: String? {
    assumeIsolated { $0.commands?.desk.assumeIsolated { $0.status.problem } }
  }

  /// How long the disk has been at a command's record; `nil` while it is idle.
  nonisolated var longestDiskCall: Duration? { ledger.longestCall }

  /// What comes down and what is called, for `baudgate status`.
  var downlinkStatus: DownlinkStatus {
    get async {
      DownlinkStatus(
        commandPolls: await commands?.polls.status ?? offStatus(profile.downlink.rpc),
        commands: await commands?.desk.status ?? CommandDesk.Status(),
        sharedAttributes: await sharedAttributes?.status
          ?? SharedAttributes.Status(
            polls: offStatus(profile.downlink.sharedAttributes), keys: 0, lastReading: nil, refused: 0),
        values: await sharedAttributes?.values ?? [], clientAttributes: await clientAttributes.status,
        calls: await calls?.status ?? [], lastClaim: await claimer?.lastClaim)
    }
  }

  private func offStatus(_ mode: DownlinkOptions.Mode) -> PollStatus {
    var status = PollStatus()
    status.state = mode == .off ? .off : .unsupported
    return status
  }
}
