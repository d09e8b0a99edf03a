internal import FlyingFox
internal import Foundation
internal import Synchronization

/// An answer under way. `status` is `nil` where the connection is closed instead.
struct ServerAnswer {
  var status: Int?
  var body = ""
  var contentType: String?
  var headers: [String: String] = [:]
  var messages = 0
  var values = 0

  static let done = ServerAnswer(status: 200)
  static let dropped = ServerAnswer(status: nil)

  static func json(_ status: Int, _ body: String) -> ServerAnswer {
    ServerAnswer(status: status, body: body, contentType: "application/json")
  }

  /// The JSON body Spring makes for what no controller answered. It repeats the path, token included.
  static func spring(_ status: Int, _ error: String, path: String) -> ServerAnswer {
    let time = ISO8601DateFormatter().string(from: Date())
    let document = LiteralJSON.object([
      .init(name: ExactText("timestamp"), value: .string(time)),
      .init(name: ExactText("status"), value: .number("\(status)")),
      .init(name: ExactText("error"), value: .string(error)),
      .init(name: ExactText("path"), value: .string(path)),
    ])
    return json(status, document.text)
  }
}

extension DeviceServer {
  func respond(to request: HTTPRequest) async throws -> HTTPResponse {
    let start = ContinuousClock.now
    let time = Self.now
    let path = request.target.path()
    let route = DeviceRoute(method: request.method.rawValue, path: path)
    var bodyCount = 0
    var answer = ServerAnswer.dropped
    // A request cut off half-way is entered as well.
    defer {
      finish(
        RequestRecord(
          number: 0, time: time, method: request.method.rawValue, path: route.maskedPath, status: answer.status,
          requestBytes: bodyCount, responseBytes: answer.body.utf8.count, messages: answer.messages,
          values: answer.values, duration: ContinuousClock.now - start))
    }
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    let limit = route.isBulk ? options.payloadLimit : options.smallPayloadLimit
    if length > limit {
      bodyCount = length
      answer = .json(413, "\"Payload size exceeds the limit\"")
    } else {
      let body = [UInt8](try await request.bodyData)
      bodyCount = body.count
      begin()
      defer { state.withLock { $0.underWay -= 1 } }
      answer = try await self.answer(route, request: request, body: body)
    }
    guard let status = answer.status else {
      drop(request)
      throw CancellationError()
    }
    var headers = HTTPHeaders(answer.headers.reduce(into: [:]) { $0[HTTPHeader($1.key)] = $1.value })
    if let type = answer.contentType { headers[.contentType] = type }
    // The real server sends no reason phrase either.
    return HTTPResponse(
      statusCode: HTTPStatusCode(status, phrase: ""), headers: headers, body: Data(answer.body.utf8))
  }

  private func answer(_ route: DeviceRoute, request: HTTPRequest, body: [UInt8]) async throws -> ServerAnswer {
    let fault = state.withLock { $0.faults.next(isTelemetry: route.kind == .postTelemetry, body: body) }
    switch fault {
    case .status(let status, let body, let contentType, let headers):
      return ServerAnswer(status: status, body: body, contentType: contentType, headers: headers)
    case .emptyServerError: return ServerAnswer(status: 500)
    case .captivePortal:
      let page = "<!DOCTYPE html><html><head><title>Login</title></head><body>Please log in.</body></html>"
      return ServerAnswer(status: 200, body: page, contentType: "text/html;charset=UTF-8")
    case .hang(let time):
      try await Task.sleep(for: time)
      return .dropped
    case .dropConnection: return .dropped
    case .storeThenDropConnection:
      var answer = try await handle(route, request: request, body: body)
      answer.status = nil
      return answer
    case .slow(let time):
      try await Task.sleep(for: time)
      return try await handle(route, request: request, body: body)
    case .poison(_, let answer): return ServerAnswer(status: 500, body: answer, contentType: "text/plain;charset=UTF-8")
    case nil: return try await handle(route, request: request, body: body)
    }
  }

  private func handle(_ route: DeviceRoute, request: HTTPRequest, body: [UInt8]) async throws -> ServerAnswer {
    let path = request.target.path()
    switch route.kind {
    case .unknown: return .spring(404, "Not Found", path: path)
    case .wrongMethod: return .spring(405, "Method Not Allowed", path: path)
    default: break
    }
    if let tokens = options.tokens, !tokens.contains(route.token) { return ServerAnswer(status: 401) }
    switch route.kind {
    case .postTelemetry, .postAttributes:
      if body.isEmpty { return .spring(400, "Bad Request", path: path) }
      return try await store(route, body: body, path: path)
    case .getAttributes:
      let names = { (parameter: String) in route.query(request.target.query(), parameter).map(Self.splitKeys) }
      let document = state.withLock { state in
        (state.attributes[route.token] ?? AttributeStore()).document(
          clientKeys: names("clientKeys"), sharedKeys: names("sharedKeys"))
      }
      return .json(200, document.text)
    case .pollAttributes, .pollCommands:
      let asked = route.query(request.target.query(), "timeout").flatMap { Int64($0) } ?? 0
      return try await poll(asked > 0 ? .milliseconds(asked) : options.defaultPollTimeout, path: path)
    case .postReply: return .done
    case .unknown, .wrongMethod: return .spring(404, "Not Found", path: path)
    }
  }

  private func store(_ route: DeviceRoute, body: [UInt8], path: String) async throws -> ServerAnswer {
    let isTelemetry = route.kind == .postTelemetry
    let outcome =
      isTelemetry
      ? options.converter.telemetry(body, now: Self.now) : options.converter.attributes(body, now: Self.now)
    switch outcome {
    case .accepted:
      let (messages, values) = state.withLock { state in
        isTelemetry
          ? state.store(outcome, token: route.token) : state.storeAttributes(outcome, token: route.token)
      }
      return ServerAnswer(status: 200, messages: messages, values: values)
    case .refused(let text): return ServerAnswer(status: 500, body: text, contentType: "text/plain;charset=UTF-8")
    case .failed: return ServerAnswer(status: 500)
    case .unanswered:
      try await Task.sleep(for: options.asyncLimit)
      return .spring(503, "Service Unavailable", path: path)
    }
  }

  /// A long poll nothing comes through: 408 at its end, or the servlet's 503 where that is sooner.
  private func poll(_ timeout: Duration, path: String) async throws -> ServerAnswer {
    try await Task.sleep(for: min(timeout, options.asyncLimit))
    return timeout < options.asyncLimit
      ? ServerAnswer(status: 408) : .spring(503, "Service Unavailable", path: path)
  }

  private func drop(_ request: HTTPRequest) {
    guard let port, case .ip4(_, let peerPort)? = request.remoteAddress else { return }
    ServerSockets(port: port).shutDownConnection(from: peerPort)
  }

  private func begin() {
    let waiters = state.withLock { state in
      state.underWay += 1
      return state.announceChange()
    }
    for waiter in waiters { waiter.resume() }
  }

  private func finish(_ record: RequestRecord) {
    let waiters = state.withLock { state in
      state.counters.requests += 1
      state.counters.bytesReceived += record.requestBytes
      var record = record
      record.number = state.counters.requests
      return state.finish(record, logLimit: options.logLimit)
    }
    for waiter in waiters { waiter.resume() }
  }

  private static func splitKeys(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

  /// Milliseconds since 1970-01-01 UTC.
  static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
