public import EventLoop
internal import Synchronization
public import Telemetry

/// ThingsBoard's HTTP device API over libcurl.
///
/// Polls and posts have connections apart, so that no poll holds up a post. Over https both speak HTTP/2 where the
/// server offers it, and polls share one connection. Several devices of one server share both: `ServerConnections`.
/// Every request has a time limit of its own: a server under a rate
/// limit answers some of them never. Certificates are verified, redirects not followed, and no error holds the token.
///
/// Source: contract.md §1–§6, §9.
public final class HTTPDeviceAPI: DeviceAPI {
  /// Bytes of a reply or a client-side RPC; the server refuses more.
  public static let longestMessage = 64 << 10
  /// Bytes of an answer that holds attributes, or what a rule chain made up.
  public static let longestDocument = 1 << 20
  /// Bytes of a package that are asked for at once; each part stands in memory.
  public static let longestPackageChunk = 16 << 20
  private let posts: Exchange
  /// The same connections; what hangs here leaves places for the others.
  private let calls: Exchange
  private let polls: Exchange
  private let timing: Timing
  private let token: Mutex<Secret>

  /// - Parameters:
  ///   - loop: Where everything runs; `EventLoop` says how tasks get there.
  ///   - server: Where ThingsBoard is and how it is spoken to.
  ///   - token: The device's access token.
  ///   - userAgent: The product and version the server's log shows.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public convenience init(
    on loop: EventLoop, server: ServerOptions, token: Secret, userAgent: String = "baudgate"
  ) throws(DeviceAPIError) {
    try self.init(on: loop, server: server, token: token, userAgent: userAgent, timing: Timing())
  }

  convenience init(
    on loop: EventLoop, server: ServerOptions, token: Secret, userAgent: String = "baudgate", timing: Timing
  ) throws(DeviceAPIError) {
    let connections = try ServerConnections(on: loop, server: server, userAgent: userAgent, timeLimit: timing.answer)
    self.init(over: connections, token: token, timing: timing)
  }

  /// One device of several.
  init(over connections: ServerConnections, token: Secret, timing: Timing = Timing()) {
    posts = connections.posts.forAnotherOwner
    calls = connections.posts.forAnotherOwner
    polls = connections.polls
    self.timing = timing
    self.token = Mutex(token)
  }

  public var hasDownlink: Bool { true }

  public func use(_ token: Secret) { self.token.withLock { $0 = token } }

  public func traffic() async -> Traffic { await posts.client.traffic + polls.client.traffic }

  // MARK: Upward

  public func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    guard let body = TelemetryBody.make(batch) else { return }
    try await post(body, to: "telemetry")
  }

  public func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {
    var body: [UInt8] = []
    guard appendValues(attributes, to: &body, refused: { _, _ in }) > 0 else { return }
    try await post(body, to: "attributes")
  }

  public func claim(secret: Secret?, duration: Duration?) async throws(DeviceAPIError) {
    // A member with null would be a 500: what is not given is left out.
    var members: [JSON.Member] = []
    if let secret { members.append(.init("secretKey", .string(secret.reveal()))) }
    if let duration { members.append(.init("durationMs", .integer(duration.wholeMilliseconds))) }
    try await post(JSON.object(members).bytes, to: "claim", secrets: secret.map { [$0] } ?? [])
  }

  /// - Throws: `DeviceAPIError`, `.tooLarge` where the reply is longer than `longestMessage`, which is not sent.
  public func reply(_ reply: JSON, to id: CommandID) async throws(DeviceAPIError) {
    try await post(try Self.message(reply), to: "rpc/\(id)")
  }

  public func call(_ method: String, params: JSON) async throws(DeviceAPIError) -> JSON {
    // Without params the server fails with an empty 500; null will do.
    let body = try Self.message(.object([.init("method", .string(method)), .init("params", params)]))
    var question = question(.post, "rpc", body)
    question.timeLimit = timing.call
    question.bodyLimit = Self.longestDocument
    let answer = try await calls.ask(question)
    let response = answer.response
    if response.status == 408 || response.status == 503 && response.openFor >= timing.gatewayLimit {
      throw answer.error(.noAnswer, "has no rule that answers \"\(answer.clipped(method))\" in time")
    }
    return try answer.document() ?? .null
  }

  // MARK: Downward

  /// Reads attributes. Names with a comma, which the server cannot be asked for, are left out; many names take several
  /// requests.
  public func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot {
    var snapshot = AttributeSnapshot()
    for query in AttributeQuery.make(client: client, shared: shared) {
      var question = question(.get, "attributes\(query)")
      question.bodyLimit = Self.longestDocument
      let answer = try await posts.ask(question)
      guard let document = try answer.document(), let part = AttributeSnapshot(document) else {
        throw answer.misshapen("attributes")
      }
      snapshot.client += part.client
      snapshot.shared += part.shared
    }
    return snapshot
  }

  /// Waits for a change of shared attributes. A connection that ends under the poll is its end, too: what changed before
  /// the next poll is open has to be read.
  public func pollAttributes(for timeout: Duration) async throws(DeviceAPIError) -> AttributeUpdate? {
    let asked = timing.asked(timeout)
    guard let answer = try await poll("attributes/updates", asked, bodyLimit: Self.longestDocument) else { return nil }
    guard let document = try answer.document(), let update = AttributeUpdate(document) else {
      throw answer.misshapen("changed attributes")
    }
    guard update.isEmpty else { return update }
    if timing.wasWaited(answer.response.openFor, asked: asked) { return nil }
    throw timing.atOnce(answer, "an empty change")
  }

  /// Waits for a server-side RPC. A command nobody can read, too large or nested too deeply, would be handed over again
  /// by each poll and hold up all behind it: it is answered with the error `bad_params` here, and thrown as `.poison`.
  public func pollCommand(for timeout: Duration) async throws(DeviceAPIError) -> ServerCommand? {
    guard let answer = try await poll("rpc", timing.asked(timeout)) else { return nil }
    do throws(DeviceAPIError) {
      guard let document = try answer.document(), let command = ServerCommand(document) else {
        throw answer.misshapen("a command")
      }
      return command
    } catch {
      guard answer.refusal == nil, !answer.isPage, let id = CommandID(leading: answer.response.body) else {
        throw error
      }
      throw await refuse(id, because: error)
    }
  }

  private func refuse(_ id: CommandID, because error: DeviceAPIError) async -> DeviceAPIError {
    let words = JSON.object([
      .init("error", .object([.init("code", .string("bad_params")), .init("message", .string("cannot be read"))]))
    ])
    var outcome = "it was answered with an error"
    // Where this fails the command comes again, and so does this.
    do throws(DeviceAPIError) { try await reply(words, to: id) } catch let failure {
      outcome = "the error it deserves could not be sent (\(failure.message))"
    }
    return DeviceAPIError(
      .poison, "sent command \(id), which cannot be read; \(outcome): \(error.message)", status: error.status)
  }

  public func packageChunk(
    _ kind: PackageKind, title: String, version: String, chunk: Int, size: Int
  ) async throws(DeviceAPIError) -> [UInt8] {
    let size = min(max(size, 1), Self.longestPackageChunk)
    let query = "title=\(percentEncoded(title))&version=\(percentEncoded(version))&size=\(size)&chunk=\(max(chunk, 0))"
    var question = question(.get, "\(kind.rawValue)?\(query)")
    question.cargo = .package
    question.accept = .file
    // One more tells a server that does not know parts.
    question.bodyLimit = size + 1
    question.timeLimit = timing.package(size)
    return try await posts.ask(question).file()
  }

  // MARK: Requests

  private func post(_ body: [UInt8], to resource: String, secrets: [Secret] = []) async throws(DeviceAPIError) {
    var question = question(.post, resource, body)
    question.secrets += secrets
    try await posts.ask(question).acknowledged()
  }

  // Inlined: each async call that waits keeps a kilobyte and more while a poll is open.
  @inline(__always)
  private func poll(
    _ resource: String, _ asked: Duration, bodyLimit: Int = HTTPResponse.bodyLimit
  ) async throws(DeviceAPIError) -> ServerAnswer? {
    var question = question(.get, "\(resource)?timeout=\(asked.wholeMilliseconds)")
    question.timeLimit = asked + timing.margin
    question.bodyLimit = bodyLimit
    return try await polls.poll(question, asked: asked, timing: timing)
  }

  private func question(
    _ method: HTTPRequest.Method, _ resource: String, _ body: [UInt8] = []
  ) -> Exchange.Question {
    let token = self.token.withLock { $0 }
    return Exchange.Question(
      method: method, resource: "\(percentEncoded(token.reveal()))/\(resource)", body: body,
      cargo: method == .post ? .payload : .nothing, secrets: [token])
  }

  private static func message(_ json: JSON) throws(DeviceAPIError) -> [UInt8] {
    let bytes = json.bytes
    guard bytes.count <= longestMessage else {
      throw DeviceAPIError(
        .tooLarge, "takes \(longestMessage) bytes of an RPC at most, and this one has \(bytes.count): nothing was sent")
    }
    return bytes
  }
}

extension JSON {
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    write(into: &bytes)
    return bytes
  }
}
