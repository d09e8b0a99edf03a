internal import FlyingFox
internal import Foundation
internal import Synchronization

/// A request's way from its bytes to its answer.
extension DeviceServer {
  func respond(to request: HTTPRequest) async throws -> HTTPResponse {
    let start = ContinuousClock.now
    let time = Self.now
    let route = DeviceRoute(method: request.method.rawValue, path: request.target.path())
    var bodyCount = 0
    var answer = ServerAnswer.dropped
    // A request cut off half-way is entered as well.
    defer {
      finish(
        RequestRecord(
          number: 0, time: time, kind: route.kind, method: request.method.rawValue, path: route.maskedPath,
          status: answer.ending == .sent ? answer.status : nil, requestBytes: bodyCount,
          responseBytes: answer.body.count, messages: answer.messages, values: answer.values,
          duration: ContinuousClock.now - start))
    }
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    let limit = route.isBulk ? options.payloadLimit : options.smallPayloadLimit
    if length > limit {
      bodyCount = length
      answer = .json(413, "\"Payload size exceeds the limit\"")
    } else {
      let body = [UInt8](try await request.bodyData)
      bodyCount = body.count
      update { state, _ in state.underWay += 1 }
      defer { state.withLock { $0.underWay -= 1 } }
      answer = try await self.answer(
        DeviceRequest(
          route: route, path: request.target.path(), query: request.target.query(), body: body,
          range: request.headers[.range], ifRange: request.headers[HTTPHeader("If-Range")]))
    }
    guard answer.ending == .sent else {
      end(request, answer)
      throw CancellationError()
    }
    var headers = HTTPHeaders(answer.headers.reduce(into: [:]) { $0[HTTPHeader($1.key)] = $1.value })
    if let type = answer.contentType { headers[.contentType] = type }
    // The real server sends no reason phrase either.
    return HTTPResponse(
      statusCode: HTTPStatusCode(answer.status, phrase: ""), headers: headers, body: Data(answer.body))
  }

  /// The server's answer, and the faults before and after it.
  private func answer(_ request: DeviceRequest) async throws -> ServerAnswer {
    let kind = request.route.kind
    if kind == .control { return try await control(request) }
    if let fault = state.withLock({ $0.faults.next(kind, body: request.body) }) {
      if let answer = fault.answer { return answer }
      switch fault {
      case .hang(let time):
        try await Task.sleep(for: time)
        return .dropped
      case .slow(let time): try await Task.sleep(for: time)
      default: break
      }
    }
    let hook = state.withLock { $0.hook }
    hook?(kind, .before)
    var answer = try await handle(request)
    hook?(kind, .after)
    guard answer.status == 200 || answer.status == 206 else { return answer }
    switch state.withLock({ $0.faults.nextOfAnswer(kind) }) {
    case .storeThenDropConnection: answer.ending = .closed
    case .cutBody(let reset): answer.ending = .cut(reset: reset)
    case .longer(let count): answer.body += ServedPackage.noise(count)
    case .shorter(let count): answer.body.removeLast(min(max(0, count), answer.body.count))
    case .altered: if !answer.body.isEmpty { answer.body[answer.body.count / 2] ^= 1 }
    default: break
    }
    return answer
  }

  private func handle(_ request: DeviceRequest) async throws -> ServerAnswer {
    let route = request.route
    switch route.kind {
    case .unknown, .control: return .spring(404, "Not Found", path: request.path)
    case .wrongMethod: return .spring(405, "Method Not Allowed", path: request.path)
    case .provision: return provision(request)
    case .getFile: return file(request)
    case .integration: return try await integrate(request)
    default: break
    }
    if !state.withLock({ $0.knows(route.token) }) { return ServerAnswer(status: 401) }
    switch route.kind {
    case .postTelemetry, .postAttributes: return try await store(request)
    case .getAttributes: return attributes(request)
    case .pollAttributes, .pollCommands: return await poll(request)
    case .postReply: return reply(request)
    case .call: return try await call(request)
    case .claim: return claim(request)
    case .getPackage: return package(request)
    case .getFile, .unknown, .wrongMethod, .provision, .integration, .control:
      return .spring(404, "Not Found", path: request.path)
    }
  }

  private func store(_ request: DeviceRequest) async throws -> ServerAnswer {
    if request.body.isEmpty { return .spring(400, "Bad Request", path: request.path) }
    return try await store(
      request.body, as: request.route.kind, token: request.route.token, path: request.path)
  }

  func store(_ body: [UInt8], as kind: RequestKind, token: String, path: String) async throws -> ServerAnswer {
    let isTelemetry = kind == .postTelemetry
    let outcome =
      isTelemetry
      ? options.converter.telemetry(body, now: Self.now)
      : options.converter.attributes(body, now: Self.now)
    switch outcome {
    case .accepted:
      let (messages, values) = state.withLock { state in
        isTelemetry ? state.store(outcome, token: token) : state.storeAttributes(outcome, token: token)
      }
      var answer = ServerAnswer.done
      answer.messages = messages
      answer.values = values
      return answer
    case .refused(let text): return .text(500, text)
    case .failed: return .failed
    case .unanswered:
      try await Task.sleep(for: options.asyncLimit)
      return .spring(503, "Service Unavailable", path: path)
    }
  }

  private func attributes(_ request: DeviceRequest) -> ServerAnswer {
    let route = request.route
    let memory = state.withLock { $0.devices[route.token]?.attributes } ?? AttributeStore()
    let document = memory.document(
      clientKeys: route.keys(request.query, "clientKeys"), sharedKeys: route.keys(request.query, "sharedKeys"))
    return .json(200, document.text)
  }

  /// Ends the connection as the answer says.
  private func end(_ request: HTTPRequest, _ answer: ServerAnswer) {
    guard let port, case .ip4(_, let peerPort)? = request.remoteAddress else { return }
    let sockets = ServerSockets(port: port)
    switch answer.ending {
    case .sent: break
    case .closed: sockets.shutDownConnection(from: peerPort)
    case .reset: sockets.resetConnection(from: peerPort)
    case .cut(let reset):
      sockets.send(answer.firstHalf, to: peerPort)
      if reset { sockets.resetConnection(from: peerPort) } else { sockets.shutDownConnection(from: peerPort) }
    }
  }

  private func finish(_ record: RequestRecord) {
    update { state, _ in
      state.counters.requests += 1
      state.counters.bytesReceived += record.requestBytes
      var record = record
      record.number = state.counters.requests
      state.finish(record, logLimit: options.logLimit)
    }
  }

  /// Milliseconds since 1970-01-01 UTC.
  static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}

/// A request whose body was read.
struct DeviceRequest {
  var route: DeviceRoute
  /// As it was sent, token included.
  var path: String
  /// Percent-encoded.
  var query: String
  var body: [UInt8]
  /// Headers of a request for a part.
  var range: String?
  var ifRange: String?
}
