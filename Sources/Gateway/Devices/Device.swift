internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Queue
internal import Telemetry
internal import ThingsBoard

/// One device of the platform: its readings, its queue, its credential and its way to the server.
///
/// Devices share connections, disk and loop, and nothing else: one with a revoked token delays no other.
actor Device {
  nonisolated var unownedExecutor: UnownedSerialExecutor { resources.loop.asUnownedSerialExecutor() }

  /// How long a device name that cannot be had yet is waited for: a USB network adapter may appear late.
  static let nameRetry = Duration.seconds(30)

  /// What a device tells its owner, on the loop.
  struct Events: Sendable {
    /// There is a link, which has yet to be told of attributes.
    var connected: @Sendable () -> Void = {}
    /// Shared attributes were read for the first time, or have changed.
    var sharedAttributes: @Sendable ([(String, JSON)]) -> Void = { _ in }
    /// A request has ended that says something of the way to the server.
    var contact: @Sendable (ServerContact) -> Void = { _ in }
    /// The server has taken readings or attributes, by a request that began at this time of `Uptime.monotonic`.
    var delivered: @Sendable (Duration) -> Void = { _ in }
  }

  nonisolated let name: String
  nonisolated let queue: TelemetryQueue
  nonisolated let recorder: Recorder
  private let resources: DeviceResources
  private let log: Logger
  private let events: Events
  private(set) var profile: DeviceProfile
  private var router: CommandRouter?
  private(set) var identity: Identity?
  /// `nil` until there is a token.
  private(set) var link: ServerLink?
  /// Waits for the token where there was none at the start.
  private var linking: Task<Void, Never>?

  private init(
    _ profile: DeviceProfile, _ resources: DeviceResources, queue: TelemetryQueue, recorder: Recorder, log: Logger,
    events: Events
  ) {
    name = profile.name
    self.profile = profile
    self.resources = resources
    self.queue = queue
    self.recorder = recorder
    self.log = log
    self.events = events
  }

  /// Opens the device's queue: readings are accepted from now on.
  static func open(_ profile: DeviceProfile, _ resources: DeviceResources, events: Events) async -> Device {
    // Lines about another device than the gateway's own begin with its name.
    var log = resources.log
    if !profile.isOwn { log[metadataKey: "device"] = "\(profile.name)" }
    let queue = await TelemetryQueue.open(
      device: profile.name, hotDirectory: resources.hotDirectory, stateDirectory: resources.stateDirectory,
      options: profile.queue, loop: resources.loop, disk: resources.disk, log: resources.log)
    let recorder = Recorder(
      on: resources.loop, queue: queue, floor: await queue.status.newestTimestamp, log: log)
    return Device(profile, resources, queue: queue, recorder: recorder, log: log, events: events)
  }

  private nonisolated var loop: EventLoop { resources.loop }

  // MARK: The way to the server

  /// Connects now where the token is there, or as soon as it is.
  ///
  /// - Parameters:
  ///   - index: The device's place among `count`, which begin one after the other.
  /// - Throws: `SystemError` where the process itself is short of something.
  func connect(
    _ access: ServerAccess, router: CommandRouter, index: Int, of count: Int
  ) async throws(SystemError) {
    self.router = router
    let spread = ServerLink.Start(
      uplink: Spread.uploads(every: profile.upload.interval).offset(of: index, in: count),
      downlink: Spread.polls.offset(of: index, in: count))
    let directory = resources.stateDirectory(of: name)
    if !profile.isOwn { await makeDirectory(directory) }
    let identity = Identity(
      on: loop, profile.identity, access, directory: directory, disk: resources.disk, secrets: resources.secrets,
      log: log)
    self.identity = identity
    if !identity.isProvisioned, access.server.transport == .deviceAPI, let token = await identity.token() {
      return try await begin(access, token, deviceName: "", spread)
    }
    linking = Task(executorPreference: loop) { [loop] in
      if spread.downlink > .zero { try? await loop.sleep(for: spread.downlink) }
      guard let name = await self.deviceName(access.server), let token = await identity.token() else { return }
      do throws(SystemError) { try await self.begin(access, token, deviceName: name, .init()) } catch {
        self.log.critical("the way to the server cannot be set up: \(error); readings are kept; restart baudgated")
      }
    }
  }

  /// What the integration calls this device; the device API needs no name.
  private func deviceName(_ server: ServerOptions) async -> String? {
    guard server.transport == .httpIntegration, let template = profile.identity.name else { return "" }
    var isTold = false
    while !Task.isCancelled {
      do throws(DeviceNameError) {
        return try await resources.disk.run { () throws(DeviceNameError) in try DeviceName.expand(template) }
      } catch {
        if !isTold { log.error("\(error); readings are kept, looked at again every \(Self.nameRetry.forHumans)") }
        isTold = true
        try? await loop.sleep(for: Self.nameRetry)
      }
    }
    return nil
  }

  private func begin(
    _ access: ServerAccess, _ token: Secret, deviceName: String, _ start: ServerLink.Start
  ) async throws(SystemError) {
    guard let router, !Task.isCancelled else { return }
    let api = access.deviceAPI(token: token, deviceName: deviceName)
    let ledger = CommandLedger(
      stateDirectory: resources.stateDirectory(of: name), pool: resources.commands, loader: resources.disk)
    let link = ServerLink(
      on: loop, profile, api: api, server: access.server.url.description, queue: queue, recorder: recorder,
      router: router, ledger: ledger, outages: OutageBoard(server: resources.outages), log: log, events: events)
    self.link = link
    await queue.setOnAppend { link.recordsArrived() }
    link.publish(profile.attributes)
    try await link.start(start)
    events.connected()
  }

  private func makeDirectory(_ path: String) async {
    let error = await resources.disk.run { [parent = resources.stateDirectory] () -> SystemError? in
      for directory in ["\(parent)/devices", path] where mkdir(directory, 0o700) != 0 && errno != EEXIST {
        return SystemError("mkdir \(directory)")
      }
      return nil
    }
    if let error { log.error("\(error): what has to outlive a restart cannot be kept") }
  }

  /// Ends what comes down: no command arrives afterwards.
  func stopDownlink() async {
    linking?.cancel()
    await link?.stopDownlink()
  }

  /// Delivers what can be delivered in time.
  func stopUplink() async { await link?.stopUplink() }

  /// Gives the link up; what is not delivered yet stays in the queue.
  func disconnect() async {
    linking?.cancel()
    // A link that is just being made must not begin to deliver beside the next one.
    await linking?.value
    await stopDownlink()
    await stopUplink()
    await queue.setOnAppend(nil)
    linking = nil
    link = nil
    identity = nil
  }

  /// Writes out what the server has not got. Nothing is accepted afterwards.
  func close() async { await queue.close() }

  // MARK: What others use

  /// Wants these client attributes. A configured one of the same name goes before them.
  func publish(_ attributes: [Reading]) {
    guard let link else { return }
    let configured = Set(profile.attributes.map(\.key))
    link.publish(attributes.filter { !configured.contains($0.key) })
  }

  /// Keeps a sample of the gateway itself, such as a line's level.
  func record(_ readings: [Reading], at time: CaptureTime) {
    recorder.assumeIsolated { _ = $0.record([(sensor: 0, sample: Sample(time: time, readings: readings))]) }
  }

  /// Asks the server for another credential, and takes it.
  func provision(force: Bool) async -> ControlAnswer {
    guard let identity else { return .failure("starting") }
    if !force, let words = await ServerCalls.whyNotToProvision(identity, hasLink: link != nil) { return words }
    switch await identity.provisionAnew() {
    case .failure(let failure): return .failure(failure.message)
    case .success(let token):
      await link?.use(token)
      return .document(.object([.init("result", .string("the server has granted a new credential, which is in use"))]))
    }
  }

  /// Takes what the configuration says now. The credential is not looked at: another one needs `disconnect` before.
  func use(_ profile: DeviceProfile, router: CommandRouter) async throws(SystemError) {
    self.router = router
    self.profile = profile
    _ = await queue.use(profile.queue)
    try await link?.use(profile, router)
  }
}
