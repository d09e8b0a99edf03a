internal import Foundation
internal import Synchronization

/// What people and benchmarks steer the server with, after ThingsBoard's own REST paths. The server listens on loopback
/// only, so it asks for no log-in. See docs/simulator.md.
extension DeviceServer {
  func control(_ request: DeviceRequest) async throws -> ServerAnswer {
    let token = request.route.token
    switch request.route.control {
    case .status?: return .json(200, statusText)
    case .addDevices?: return addDevices(request)
    case .offerFile, .removeFile:
      let isOffer = request.route.control == .offerFile
      offer(isOffer ? ServedFile(request.body) : nil, as: request.route.fileName ?? "")
      return .done
    default: break
    }
    guard state.withLock({ $0.knows(token) }) else { return Self.error(404, "Device not found") }
    switch request.route.control {
    case .command(let isOneWay): return try await command(request, isOneWay: isOneWay)
    case .setShared:
      let text = String(decoding: request.body, as: UTF8.self)
      return setSharedAttributes(text, token: token) ? .done : Self.error(400, "The body is no object of attributes")
    case .deleteShared:
      guard let keys = request.route.keys(request.query, "keys") else { return Self.error(400, "keys is missing") }
      deleteSharedAttributes(keys, token: token)
      return .done
    case .attributes: return .json(200, attributeList(token))
    case .series: return series(request)
    case .assignPackage:
      return assign(request) ?? Self.error(400, "A package needs title and version")
    case .unassignPackage:
      if let kind = request.route.packageKind { unassign(kind, token: token) }
      return .done
    case .offerFile, .removeFile, .status, .addDevices, nil: return .spring(404, "Not Found", path: request.path)
    }
  }

  /// Makes devices with the tokens `PREFIX0` to `PREFIX(COUNT-1)`.
  private func addDevices(_ request: DeviceRequest) -> ServerAnswer {
    guard let document = try? LiteralJSON.parse(request.body).document, let prefix = document["prefix"]?.asText,
      let count = document["count"]?.asText.flatMap({ Int($0) }), (1...Self.mostDevices).contains(count)
    else { return Self.error(400, "The body needs a prefix and a count from 1 to \(Self.mostDevices)") }
    addDevices(prefix: prefix, count: count)
    return .done
  }

  /// One-way: 200 once it is handed over. Two-way: 200 with the device's reply. 408 at the time-out.
  private func command(_ request: DeviceRequest, isOneWay: Bool) async throws -> ServerAnswer {
    let token = request.route.token
    guard let document = try? LiteralJSON.parse(request.body).document, let method = document["method"]?.asText else {
      return Self.error(400, "The body needs a method")
    }
    let asked = document["timeout"]?.asText.flatMap { Int64($0) } ?? 0
    let timeout: Duration = asked > 0 ? .milliseconds(asked) : Self.commandTimeout
    var isPersistent = false
    if case .bool(let value)? = document["persistent"] { isPersistent = value }
    let params = (document["params"] ?? .null).text
    let id = sendCommand(
      method, params: params, token: token, oneWay: isOneWay, lifetime: timeout, persistent: isPersistent)
    let isDone = await wait(upTo: timeout) {
      guard let outcome = self.outcome(of: id, token: token) else { return false }
      return isOneWay ? outcome.wentToGhost || !outcome.handovers.isEmpty : !outcome.replies.isEmpty
    }
    let outcome = outcome(of: id, token: token)
    var answer = ServerAnswer(status: isDone ? 200 : 408)
    if isDone, let text = outcome?.replies.first?.text, !isOneWay {
      answer =
        LiteralJSON.isDocument(text)
        ? .json(200, text) : Self.error(406, "Failed to decode the device's reply: \(text)")
    }
    // Nanoseconds of CLOCK_MONOTONIC, for benchmarks.
    answer.headers["X-Command-Id"] = "\(id)"
    if let time = outcome?.handovers.first { answer.headers["X-Handed-Over"] = "\(time)" }
    if let time = outcome?.replies.first?.time { answer.headers["X-Replied"] = "\(time)" }
    return answer
  }

  /// All attributes a person can see, as ThingsBoard lists them.
  private func attributeList(_ token: String) -> String {
    let memory = state.withLock { $0.devices[token]?.attributes } ?? AttributeStore()
    let entries = [("CLIENT_SCOPE", memory.client), ("SHARED_SCOPE", memory.shared)].flatMap { scope, values in
      values.sorted { $0.key.text < $1.key.text }.map { key, value in
        LiteralJSON.object([
          .init(name: ExactText("lastUpdateTs"), value: .number("\(value.ts)")),
          .init(name: ExactText("key"), value: .string(key.text)),
          .init(name: ExactText("value"), value: value.document),
          .init(name: ExactText("scope"), value: .string(scope)),
        ])
      }
    }
    return LiteralJSON.array(entries).text
  }

  private var statusText: String {
    let connections = connections
    let numbers = state.withLock { state in
      [
        ("requests", state.counters.requests), ("failures", state.counters.failures),
        ("values", state.counters.values), ("lost", state.counters.lost), ("under_way", state.underWay),
        ("command_polls", state.openPolls(.pollCommands, token: nil)),
        ("attribute_polls", state.openPolls(.pollAttributes, token: nil)),
        ("pending_commands", state.devices.values.reduce(0) { $0 + $1.commands.pendingCount(at: MonotonicClock.now) }),
        ("provisioned_devices", state.registry.devices.count), ("claims", state.claims.count),
        ("calls", state.calls.count), ("connections_accepted", connections.accepted),
        ("connections_open", connections.open),
      ]
    }
    return LiteralJSON.object(numbers.map { .init(name: ExactText($0), value: .number("\($1)")) }).text
  }

  private static func error(_ status: Int, _ message: String) -> ServerAnswer {
    .json(status, "{\"status\":\(status),\"message\":\(LiteralJSON.string(message).text)}")
  }

  /// Made by one request.
  private static let mostDevices = 10_000

  /// ThingsBoard's own default.
  private static let commandTimeout: Duration = .seconds(10)
}
