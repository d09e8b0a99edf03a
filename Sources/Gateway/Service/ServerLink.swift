internal import Configuration
internal import EventLoop
internal import Logging
internal import Queue
internal import Telemetry
internal import ThingsBoard

/// Everything between this gateway and its platform: readings and attributes up, commands and attributes down.
///
/// Made when there is a credential. A new one is taken in place: nothing on the way is lost.
actor ServerLink {
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// Time for commands under way at a stop; `CommandDesk.lastReplies` come after it.
  static let commandLimit = Duration.seconds(3)
  /// Time for the last delivery at a stop.
  static let flushLimit = Duration.seconds(5)

  private let loop: EventLoop
  nonisolated let api: any DeviceAPI
  private let admission: AdmissionWatch
  private let uplink: Uplink
  private let desk: CommandDesk
  private let commandPolls: CommandPolls
  private let sharedAttributes: SharedAttributes
  private let clientAttributes: ClientAttributes
  private let calls: ScheduledCalls
  private let claimer: Claimer
  private var isStopping = false

  /// - Parameters:
  ///   - api: Speaks for this device.
  ///   - router: What carries out commands.
  ///   - ledger: The memory of commands, opened.
  init(
    on loop: EventLoop, _ configuration: GatewayConfiguration, api: any DeviceAPI, queue: TelemetryQueue,
    recorder: Recorder, router: CommandRouter, ledger: CommandLedger, log: Logger
  ) {
    self.loop = loop
    let server = configuration.server.url.description
    let api = AdmissionWatch(api)
    admission = api
    self.api = api
    let outages = OutageBoard()
    uplink = Uplink(
      on: loop, queue: queue, api: api,
      options: Uplink.Options(
        interval: configuration.upload.interval, maxBatch: configuration.upload.maxBatch,
        maxBytes: configuration.upload.maxBytes, server: server),
      log: log, outages: outages)
    let desk = CommandDesk(on: loop, api: api, router: router, ledger: ledger, log: log)
    self.desk = desk
    commandPolls = CommandPolls(
      on: loop, api: api, mode: configuration.downlink.rpc, log: log, outages: outages
    ) { command, openedAt in
      await desk.received(command, pollOpenedAt: openedAt)
    }
    // What it tells is logged and shown; remote configuration and updates will act upon it.
    sharedAttributes = SharedAttributes(
      on: loop, api: api, mode: configuration.downlink.sharedAttributes, log: log, outages: outages,
      onChange: { _ in })
    clientAttributes = ClientAttributes(on: loop, api: api, log: log, outages: outages)
    calls = ScheduledCalls(on: loop, api: api, calls: configuration.rpc.calls, log: log) { sample in
      recorder.assumeIsolated { _ = $0.record([(sensor: 0, sample: sample)]) }
    }
    claimer = Claimer(
      on: loop, api: api, options: configuration.claim ?? ClaimOptions(), server: server, log: log)
  }

  // MARK: Life

  /// - Throws: `SystemError` without a timer to be had.
  func start() async throws(SystemError) {
    admission.onReturn { [weak self, loop] in
      Task(executorPreference: loop) { await self?.admittedAgain() }
    }
    try await uplink.start()
    try await clientAttributes.start()
    try await desk.start()
    // The desk has read from the card, which may have taken until a stop: a poll opened now would take commands that
    // nobody carries out.
    if isStopping { return }
    try await commandPolls.start()
    try await sharedAttributes.start()
    try await calls.start()
    await claimer.start()
  }

  /// Ends what comes down: no command arrives afterwards, and those under way are over or given up.
  func stopDownlink() async {
    isStopping = true
    await claimer.stop()
    await calls.stop()
    await commandPolls.stop()
    await sharedAttributes.stop()
    await desk.stop(within: Self.commandLimit)
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
    await commandPolls.restart()
    await sharedAttributes.restart()
  }

  /// The server knows the device again, which may be another one by the same token.
  private func admittedAgain() async {
    await uplink.tryNow()
    await clientAttributes.resendAll()
    if await commandPolls.status.isFailing { await commandPolls.restart() }
    if await sharedAttributes.status.polls.isFailing { await sharedAttributes.restart() }
  }

  // MARK: What others use

  /// The queue has taken records; called on the loop for every append.
  nonisolated func recordsArrived() { uplink.recordsArrived() }

  /// Wants these client attributes; called on the loop.
  nonisolated func publish(_ attributes: [Reading]) {
    clientAttributes.assumeIsolated { $0.set(attributes) }
  }

  /// The button for claiming was pressed; called on the loop.
  nonisolated func claimButtonPressed() { claimer.assumeIsolated { $0.buttonPressed() } }

  func claim(secret: Secret?, duration: Duration?) async -> Result<String, DeviceAPIError> {
    await claimer.claim(secret: secret, duration: duration)
  }

  // MARK: Status

  var uplinkStatus: Uplink.Status { get async { await uplink.status } }

  nonisolated var isFailing: Bool { uplink.assumeIsolated { $0.status.isFailing } }

  /// Whether the server is asked for commands in vain.
  nonisolated var commandsFail: Bool { commandPolls.assumeIsolated { $0.isFailing } }

  /// Why commands with lasting effect are refused, while they are.
  nonisolated var commandProblem: String? { desk.assumeIsolated { $0.status.problem } }

  /// How long the disk has been at a command's record; `nil` while it is idle.
  nonisolated var longestDiskCall: Duration? { desk.longestDiskCall }

  /// What comes down and what is called, for `baudgate status`.
  var downlinkStatus: DownlinkStatus {
    get async {
      DownlinkStatus(
        commandPolls: await commandPolls.status, commands: await desk.status,
        sharedAttributes: await sharedAttributes.status, values: await sharedAttributes.values,
        clientAttributes: await clientAttributes.status, calls: await calls.status,
        lastClaim: await claimer.lastClaim)
    }
  }
}
