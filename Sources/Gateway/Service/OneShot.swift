public import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
public import Telemetry
internal import ThingsBoard

/// What the command line asks the server where no daemon runs.
public enum OneShot {
  /// How long a credential that is not there yet is asked for.
  static let patience = Duration.seconds(40)

  /// The configuration a daemon runs with where its file cannot be used: the last good one.
  ///
  /// - Returns: `nil` where there is none, or where this user may not read it.
  public static func lastGoodConfiguration(_ path: String) -> GatewayConfiguration? {
    var surroundings = Surroundings.process
    surroundings.readsTokens = false
    return ConfigurationSource(path: path, in: surroundings).lastGood()?.configuration
  }

  /// Carries out a request as the daemon's control socket takes it. Holds the state directory meanwhile, as a daemon does.
  ///
  /// - Parameters:
  ///   - request: A JSON object with the member `request`.
  ///   - configurationPath: The configuration file.
  /// - Returns: `{"result":…}`, or `{"error":"…"}` with words for a person.
  public static func perform(_ request: JSON, configurationPath: String) -> JSON {
    let answer: ControlAnswer
    if let request = ControlRequest(request.text) {
      answer = run(request, configurationPath)
    } else {
      answer = .failure("unknown request")
    }
    switch answer {
    case .document(let document): return document
    case .failure(let words): return .object([.init("error", .string(words))])
    }
  }

  private static func run(_ request: ControlRequest, _ path: String) -> ControlAnswer {
    switch GatewayConfiguration.load(path: path) {
    case .failure(let errors): return .failure("\(path) is not valid: \(errors.lines.first ?? "")")
    case .success(let configuration):
      let lock: StateLock
      do throws(StateLock.Failure) { lock = try StateLock(configuration.stateDirectory) } catch {
        switch error {
        case .held(let holder):
          let who = holder.map { " (process \($0))" } ?? ""
          return .failure("a daemon runs\(who), but nobody answers at \(configuration.controlSocket ?? "its socket")")
        case .system(let error) where error.errno == EACCES || error.errno == EPERM:
          return .failure("\(error); ask as root or as the service's user: `sudo baudgate …`")
        case .system(let error):
          return .failure("\(error); the service makes its state directory when it starts")
        }
      }
      let answer = run(request, configuration)
      _ = consume lock
      return answer
    }
  }

  private static func run(_ request: ControlRequest, _ configuration: GatewayConfiguration) -> ControlAnswer {
    let sink = LogSink.fromEnvironment()
    defer { sink.flush() }
    let secrets = SecretRegistry(configuration.secrets)
    let handler = BaudgateLogHandler(sink, level: .warning, secrets: secrets)
    let log = Logger(label: "baudgate") { _ in handler }
    SignalSource.ignoreBrokenPipes()
    do {
      let loop = try EventLoop()
      let disk = BlockingPool(name: "disk", threads: 1)
      let access = try ServerAccess(on: loop, configuration.server)
      let identity = Identity(
        on: loop, configuration.device, access, directory: configuration.stateDirectory, disk: disk, secrets: secrets,
        log: log)
      return try loop.run { try await answer(request, configuration, identity, access, on: loop, disk, log) }
    } catch { return .failure("\(error)") }
  }

  private static func answer(
    _ request: ControlRequest, _ configuration: GatewayConfiguration, _ identity: Identity, _ access: ServerAccess,
    on loop: EventLoop, _ disk: BlockingPool, _ log: Logger
  ) async throws -> ControlAnswer {
    if case .provision(force: true) = request {
      switch await identity.provisionAnew() {
      case .failure(let failure): return .failure(failure.message)
      case .success:
        return .document(.object([.init("result", .string("the server has granted a new credential"))]))
      }
    }
    guard let token = await token(of: identity, on: loop) else {
      return .failure("no credential was granted within \(patience.forHumans); the daemon goes on trying by itself")
    }
    if case .provision = request {
      let words =
        if let requests = await identity.status?.requests {
          requests > 0 ? "the server has granted a credential" : "there is a credential; --force asks for another one"
        } else { "the token is given by the configuration" }
      return .document(.object([.init("result", .string(words))]))
    }
    var name = ""
    if configuration.server.transport == .httpIntegration, let template = configuration.device.name {
      name = try await disk.run { () throws(DeviceNameError) in try DeviceName.expand(template) }
    }
    let api = access.deviceAPI(token: token, deviceName: name)
    switch request {
    case .call(let method, let params): return await ServerCalls.call(method, params, api)
    case .claim(let secret, let duration):
      let claimer = Claimer(
        on: loop, api: api, options: configuration.claim ?? ClaimOptions(),
        server: configuration.server.url.description, log: log)
      return ControlAnswer(await claimer.claim(secret: secret, duration: duration))
    case .status, .provision, .reload: return .failure("no daemon runs; start it with `systemctl start baudgate`")
    }
  }

  private static func token(of identity: Identity, on loop: EventLoop) async -> Secret? {
    let asking = Task(executorPreference: loop) { await identity.token() }
    let limit = Task(executorPreference: loop) {
      try await loop.sleep(for: patience)
      asking.cancel()
    }
    defer { limit.cancel() }
    return await asking.value
  }
}
