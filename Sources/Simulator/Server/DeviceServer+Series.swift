internal import Synchronization

/// Stored telemetry over HTTP, for tests that are no Swift: `GET /api/plugins/telemetry/TOKEN/values/timeseries`.
extension DeviceServer {
  /// `{"key":[{"ts":1,"value":"21.5"}]}`: the newest value of each key in `keys` (of all keys without it), or, with
  /// `startTs` and `endTs`, those from the first time to before the second, newest first, `limit` of them at most. Values
  /// are text, as ThingsBoard gives them out where nobody asks for strict types.
  ///
  /// Source: ThingsBoard's TelemetryController, whose path names the device's type and id in the token's place.
  func series(_ request: DeviceRequest) -> ServerAnswer {
    let (route, token) = (request.route, request.route.token)
    let keys = route.keys(request.query, "keys") ?? self.keys(token: token)
    let bounds = ["startTs", "endTs"].map { route.query(request.query, $0).flatMap { Int64($0) } }
    let limit = route.query(request.query, "limit").flatMap { Int($0) } ?? Self.usualLimit
    let members = keys.compactMap { key -> LiteralJSON.Member? in
      var values = latest(of: key, token: token).map { [$0] } ?? []
      if let start = bounds[0], let end = bounds[1] {
        values = self.values(of: key, token: token).filter { $0.ts >= start && $0.ts < end }.reversed()
      }
      let list = values.prefix(max(0, limit)).map { value in
        LiteralJSON.object([
          .init(name: ExactText("ts"), value: .number("\(value.ts)")),
          .init(name: ExactText("value"), value: .string(value.text)),
        ])
      }
      return list.isEmpty ? nil : .init(name: ExactText(key), value: .array(list))
    }
    return .json(200, LiteralJSON.object(members).text)
  }

  /// ThingsBoard's own.
  private static let usualLimit = 100
}
