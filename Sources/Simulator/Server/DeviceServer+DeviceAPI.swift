internal import Foundation
internal import Synchronization

/// The device API beyond telemetry and attributes: polls, replies, calls, claims, provisioning.
extension DeviceServer {
  /// A long poll: what comes through it, or 408 at its end, or the servlet's 503 where that is sooner.
  func poll(_ request: DeviceRequest) async -> ServerAnswer {
    let asked = request.route.query(request.query, "timeout").flatMap { Int64($0) } ?? 0
    let timeout: Duration = asked > 0 ? .milliseconds(asked) : options.defaultPollTimeout
    switch await wait(
      for: request.route.kind, token: request.route.token, atMost: min(timeout, options.asyncLimit))
    {
    case .news(let body): return .json(200, body)
    case .deviceDeleted: return .text(403, "Device was deleted!")
    case .expired:
      return timeout < options.asyncLimit
        ? ServerAnswer(status: 408) : .spring(503, "Service Unavailable", path: request.path)
    }
  }

  private func wait(for kind: RequestKind, token: String, atMost limit: Duration) async -> PollEnd {
    let deadline = ContinuousClock.now + limit
    let id = state.withLock { $0.makePollID() }
    // Ends with the poll, whichever comes first.
    let timer = Task { [self] in
      try await Task.sleep(until: deadline)
      end(id, with: .expired)
    }
    defer { timer.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let end = update { state, _ -> PollEnd? in
          let poll = OpenPoll(kind: kind, token: token, continuation: continuation)
          return state.open(id, poll, at: MonotonicClock.now)
        }
        if let end { return continuation.resume(returning: end) }
        // Before this the timer and the cancellation found nothing to end.
        if Task.isCancelled || ContinuousClock.now >= deadline { self.end(id, with: .expired) }
      }
    } onCancel: {
      end(id, with: .expired)
    }
  }

  private func end(_ poll: UInt64, with end: PollEnd) {
    update { state, wakeups in state.end(poll, with: end, &wakeups) }
  }

  func reply(_ request: DeviceRequest) -> ServerAnswer {
    if request.body.isEmpty { return .spring(400, "Bad Request", path: request.path) }
    let token = request.route.token
    let text = String(decoding: request.body, as: UTF8.self)
    guard let id = request.route.commandID else { return .spring(404, "Not Found", path: request.path) }
    update { state, _ in
      guard state.hasRoom(for: token) else { return }
      state.devices[token, default: DeviceMemory()].commands.reply(text, to: id, at: MonotonicClock.now)
    }
    return .done
  }

  /// A client-side RPC. Without a rule that answers it hangs until its own limit, or the servlet's where that is sooner.
  func call(_ request: DeviceRequest) async throws -> ServerAnswer {
    if request.body.isEmpty { return .spring(400, "Bad Request", path: request.path) }
    let document: LiteralJSON
    do throws(LiteralJSON.SyntaxError) { document = try LiteralJSON.parse(request.body).document } catch {
      return .text(500, error.message)
    }
    guard let method = document["method"]?.asText, let params = document["params"] else { return .failed }
    let call = ClientCall(token: request.route.token, method: method, params: params.text)
    let handler = update { state, _ in
      state.note(call)
      return state.callHandler
    }
    if let answer = handler?(call.method, call.params) { return .json(200, answer.isEmpty ? "null" : answer) }
    try await Task.sleep(for: min(options.callTimeout, options.asyncLimit))
    return options.callTimeout < options.asyncLimit
      ? ServerAnswer(status: 408) : .spring(503, "Service Unavailable", path: request.path)
  }

  func claim(_ request: DeviceRequest) -> ServerAnswer {
    var claim = ClaimRequest(token: request.route.token, secret: "", duration: 0)
    if !request.body.isEmpty {
      let document: LiteralJSON
      do throws(LiteralJSON.SyntaxError) { document = try LiteralJSON.parse(request.body).document } catch {
        return .text(500, error.message)
      }
      guard case .object = document else { return .text(500, "Can't parse value: \(document.text)") }
      if let secret = document["secretKey"] {
        guard let text = secret.asText else { return .failed }
        claim.secret = text
      }
      if let duration = document["durationMs"] {
        guard let milliseconds = duration.asText.flatMap(Self.wholeNumber) else { return .failed }
        claim.duration = milliseconds
      }
    }
    let received = claim
    update { state, _ in state.note(received) }
    return .done
  }

  /// Java's `getAsLong` of a number in its usual spellings.
  private static func wholeNumber(_ text: String) -> Int64? {
    Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.towardZero)) }
  }

  func provision(_ request: DeviceRequest) -> ServerAnswer {
    if request.body.isEmpty { return .spring(400, "Bad Request", path: request.path) }
    let fields: ProvisionRequest
    do throws(ProvisionRequest.Fault) { fields = try ProvisionRequest(request.body) } catch {
      switch error {
      case .refused(let text): return .text(500, text)
      case .missing(let message):
        return .spring(500, "Internal Server Error", message: message, path: request.path)
      case .failed: return .failed
      }
    }
    let answer = update { state, _ in
      let answer = state.registry.provision(fields, isTokenTaken: state.isRegistered(fields.token))
      if case .success(.accessToken, _) = answer, let token = state.registry.devices.last?.token {
        state.addDevice(token)
      }
      return answer
    }
    return .json(200, answer.text)
  }
}
