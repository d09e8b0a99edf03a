import EventLoop
import Testing

@testable import ThingsBoard

/// Provisioning: contract.md §7.
@Suite struct ProvisioningTests {
  static let request = ProvisionRequest(
    deviceName: "greenhouse", key: Secret("KEY_K1"), secret: Secret("SEC\"RET_S1"), token: Secret("PROPOSED_T1"))
  static let secrets = ["KEY_K1", "SEC\"RET_S1", "SEC\\\"RET_S1", "PROPOSED_T1"]

  private func provision(
    _ reply: ScriptedServer.Reply, _ request: ProvisionRequest = Self.request
  ) throws -> (ScriptedServer, Result<ProvisionAnswer, DeviceAPIError>) {
    try with(reply) { api in
      do throws(DeviceAPIError) { return .success(try await api.provision(request)) } catch { return .failure(error) }
    }
  }

  private func with<Answer: Sendable>(
    _ reply: ScriptedServer.Reply, _ body: @escaping @Sendable (HTTPProvisioningAPI) async throws -> Answer
  ) throws -> (ScriptedServer, Answer) {
    let server = ScriptedServer([reply])
    defer { server.stop() }
    let loop = try EventLoop()
    let options = ServerOptions(url: try ServerURL(server.url))
    return (server, try loop.run { try await body(HTTPProvisioningAPI(on: loop, server: options)) })
  }

  @Test func theRequestIsTheServers() throws {
    let (server, answer) = try provision(
      .status(200, body: #"{"status":"SUCCESS","credentialsType":"ACCESS_TOKEN","credentialsValue":"PROPOSED_T1"}"#))
    #expect(try answer.get() == .success(Secret("PROPOSED_T1")))
    #expect(server.requests[0].head.hasPrefix("POST /api/v1/provision HTTP/1.1\r\n"))
    #expect(
      server.requests[0].body == """
        {"deviceName":"greenhouse","provisionDeviceKey":"KEY_K1","provisionDeviceSecret":"SEC\\"RET_S1",\
        "credentialsType":"ACCESS_TOKEN","token":"PROPOSED_T1"}
        """)
  }

  /// A member with null would be a 500.
  @Test func aNameThatIsNotGivenIsLeftOut() throws {
    var request = Self.request
    request.deviceName = nil
    let (server, _) = try provision(.status(200, body: #"{"status":"FAILURE"}"#), request)
    #expect(server.requests[0].body.hasPrefix(#"{"provisionDeviceKey":"#))
  }

  static let answers: [(String, ProvisionAnswer)] = [
    // "Check pre-provisioned" gives the device's own token and ignores the proposal.
    (#"{"status":"SUCCESS","credentialsType":"ACCESS_TOKEN","credentialsValue":"theirs"}"#, .success(Secret("theirs"))),
    (#"{"credentialsValue":"theirs","status":"SUCCESS"}"#, .success(Secret("theirs"))),
    (
      #"{"status":"SUCCESS","credentialsType":"MQTT_BASIC","credentialsValue":{"clientId":"a","password":"b"}}"#,
      .unusable(credentialsType: "MQTT_BASIC")
    ),
    (
      #"{"status":"SUCCESS","credentialsType":"X509_CERTIFICATE","credentialsValue":"MII…"}"#,
      .unusable(credentialsType: "X509_CERTIFICATE")
    ),
    (#"{"status":"NOT_FOUND","errorMsg":"Provision data was not found!"}"#, .notFound("Provision data was not found!")),
    (#"{"status":"FAILURE","errorMsg":"Failed to provision device!"}"#, .failure("Failed to provision device!")),
    (#"{"status":"FAILURE"}"#, .failure("")),
    (#"{"status":"FAILURE","errorMsg":"no SEC\"RET_S1 with KEY_K1\n"}"#, .failure("no ‹secret› with ‹secret› ")),
  ]

  @Test(arguments: answers) func anAnswerIsRead(_ body: String, _ expected: ProvisionAnswer) throws {
    #expect(try provision(.status(200, body: body)).1.get() == expected)
  }

  static let repeated =
    #"{"deviceName":"greenhouse","provisionDeviceKey":"KEY_K1","provisionDeviceSecret":"SEC\"RET_S1"}"#

  static let refusals: [(ScriptedServer.Reply, DeviceAPIError.Code)] = [
    // The server's own words for a missing field repeat the whole request.
    (.status(500, body: "Failed to parse request: \(repeated)"), .serverError),
    (.status(500, body: "Failed to parse token=PROPOSED_T1 S E C R E T"), .serverError),
    (.status(500), .serverError),
    (.status(400, body: repeated), .serverError),
    (.status(401, body: repeated), .notThingsBoard),
    (.status(403, body: "<html>\(repeated)"), .notThingsBoard),
    (.status(404, body: repeated), .notFound),
    (.status(429, body: repeated), .unavailable),
    (.status(503, body: repeated), .unavailable),
    (.status(302, body: "", headers: ["Location: http://KEY_K1/?PROPOSED_T1"]), .redirected),
    (.status(200), .notThingsBoard),
    (.status(200, body: "<html>\(repeated)"), .notThingsBoard),
    (.status(200, body: repeated), .notThingsBoard),
    (.status(200, body: "[\(repeated)"), .notThingsBoard),
    (.status(200, body: #"{"status":7}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"MAYBE","errorMsg":"PROPOSED_T1"}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"SUCCESS"}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"SUCCESS","credentialsType":5,"credentialsValue":"x"}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"SUCCESS","credentialsValue":{"token":"PROPOSED_T1"}}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"SUCCESS","credentialsValue":"PROPOSED_T1/.."}"#), .notThingsBoard),
    (.status(200, body: #"{"status":"SUCCESS","credentialsValue":""}"#), .notThingsBoard),
    (.reset, .unreachable),
    (.bytesThenReset("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"status\":\"SUCCESS\""), .unreachable),
  ]

  /// Neither as it is nor as the server may write it.
  @Test(arguments: refusals) func noErrorHoldsASecret(_ reply: ScriptedServer.Reply, _ code: DeviceAPIError.Code) throws
  {
    let (_, answer) = try provision(reply)
    guard case .failure(let error) = answer else {
      Issue.record("taken for an answer: \(answer)")
      return
    }
    #expect(error.code == code)
    for secret in Self.secrets + ["S E C"] { #expect(!error.message.contains(secret)) }
  }

  // MARK: Proof

  static let proofs: [(ScriptedServer.Reply, Outcome<Bool>)] = [
    (.status(200, body: "{}"), .value(true)),
    (.status(200, body: #"{"client":{"a":1}}"#), .value(true)),
    (.status(401), .value(false)),
    // A wrong "no" would make a second device, a wrong "yes" would lose the first one.
    (.status(401, body: "<html>Log in"), .failure(.notThingsBoard)),
    (.status(403, body: "<html>Forbidden"), .failure(.notThingsBoard)),
    (.status(200), .failure(.notThingsBoard)),
    (.status(200, body: "<html>Log in"), .failure(.notThingsBoard)),
    (.status(200, body: "[]"), .failure(.notThingsBoard)),
    (.status(200, body: #"{"client":5}"#), .failure(.notThingsBoard)),
    (.status(404), .failure(.notFound)),
    (.status(500), .failure(.serverError)),
    (.status(503), .failure(.unavailable)),
    (.reset, .failure(.unreachable)),
  ]

  @Test(arguments: proofs) func aTokenIsKnownOrNotOrItCannotBeTold(
    _ reply: ScriptedServer.Reply, _ expected: Outcome<Bool>
  ) throws {
    let (server, outcome) = try with(reply) { api in
      await Outcome { () async throws(DeviceAPIError) in try await api.isKnown(Secret("T/1")) }
    }
    #expect(outcome == expected)
    #expect(server.requests[0].head.hasPrefix("GET /api/v1/T%2F1/attributes"))
  }
}
