/// `POST /api/v1/integrations/http/{key}`, with the uplink converter of docs/thingsboard-library.md behind it. What it stores
/// stands under the integration's key, as if that were the device's token.
///
/// Source: ThingsBoard Professional Edition, HTTP integration.
extension DeviceServer {
  func integrate(_ request: DeviceRequest) async throws -> ServerAnswer {
    let key = request.route.token
    guard state.withLock({ $0.knows(key) }) else { return ServerAnswer(status: 404) }
    update { state, _ in
      state.note(IntegrationUplink(key: key, payload: String(decoding: request.body, as: UTF8.self)))
    }
    guard let document = try? LiteralJSON.parse(request.body).document else { return .failed }
    var answer = ServerAnswer.done
    for (name, kind) in [("telemetry", RequestKind.postTelemetry), ("attributes", .postAttributes)] {
      guard let part = document[name] else { continue }
      let stored = try await store(Array(part.text.utf8), as: kind, token: key, path: request.path)
      // A converter's mistake stays in the server's log: the device hears no more than that.
      guard stored.status == 200 else { return .failed }
      answer.messages += stored.messages
      answer.values += stored.values
    }
    return answer
  }
}
