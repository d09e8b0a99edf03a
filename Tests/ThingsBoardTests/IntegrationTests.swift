import EventLoop
import Telemetry
import Testing

@testable import ThingsBoard

/// The second transport, and the choice between the two.
@Suite struct IntegrationTests {
  private func run<Result: Sendable>(
    _ script: [ScriptedServer.Reply], name: String? = "green\"house",
    _ body: @escaping @Sendable (any DeviceAPI) async throws -> Result
  ) throws -> (ScriptedServer, Result) {
    let server = ScriptedServer(script)
    defer { server.stop() }
    let loop = try EventLoop()
    var options = ServerOptions(url: try ServerURL(server.url))
    options.transport = .httpIntegration
    return (
      server,
      try loop.run { [options] in
        try await body(options.deviceAPI(on: loop, token: Secret("KEY/1"), deviceName: name))
      }
    )
  }

  @Test func thePayloadIsItsOwn() throws {
    let (server, _) = try run([]) { api in
      try await api.postTelemetry(HTTPDeviceAPITests.batch)
      try await api.postAttributes([Reading(Key("a"), .double(1))])
      try await api.postTelemetry(TelemetryBatch([]))
      try await api.postAttributes([])
    }
    #expect(
      server.requests.map { $0.head.split(separator: " ")[1] }
        == Array(repeating: "/api/v1/integrations/http/KEY%2F1", count: 2))
    #expect(
      server.requests.map(\.body) == [
        #"{"deviceName":"green\"house","telemetry":[{"ts":1700000000000,"values":{"t":21.5}}]}"#,
        #"{"deviceName":"green\"house","attributes":{"a":1.0}}"#,
      ])
  }

  @Test func withoutANameTheConverterHasToKnow() throws {
    let (server, _) = try run([], name: nil) { try await $0.postAttributes([Reading(Key("a"), .bool(true))]) }
    #expect(server.requests[0].body == #"{"attributes":{"a":true}}"#)
  }

  static let answers: [(ScriptedServer.Reply, DeviceAPIError.Code?)] = [
    (.status(200), nil), (.bytes("HTTP/1.1 204 No Content\r\n\r\n"), nil), (.status(200, body: #"{"ok":true}"#), nil),
    (.status(200, body: "thanks"), nil), (.status(200, body: "<html>Log in"), .notThingsBoard),
    (.status(200, body: String(repeating: "x", count: 1 << 20)), .notThingsBoard), (.status(404), .notFound),
    (.status(401), .unauthorized), (.status(413), .tooLarge), (.status(500), .serverError),
    (.status(429), .unavailable),
    (.reset, .unreachable), (.bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthanks"), .unreachable),
  ]

  @Test(arguments: answers) func anAnswer(_ reply: ScriptedServer.Reply, _ expected: DeviceAPIError.Code?) throws {
    let (_, error) = try run([reply]) { api in
      await failure { () async throws(DeviceAPIError) in try await api.postTelemetry(HTTPDeviceAPITests.batch) }
    }
    #expect(error?.code == expected)
    #expect(error?.message.contains("KEY") != true || error?.code == .notFound)
    #expect(error?.message.contains("KEY/1") != true)
  }

  @Test func nothingComesDown() throws {
    let (server, codes) = try run([]) { api -> [DeviceAPIError.Code?] in
      [
        await failure { () async throws(DeviceAPIError) in _ = try await api.pollCommand(for: .seconds(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.pollAttributes(for: .seconds(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.attributes(client: nil, shared: nil) }?
          .code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.call("m", params: .null) }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.reply(.null, to: CommandID(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.claim(secret: nil, duration: nil) }?.code,
        api.hasDownlink ? nil : .unsupported,
      ]
    }
    #expect(codes == Array(repeating: .unsupported, count: 7))
    #expect(server.requests.isEmpty)
  }

  /// The key is in the configuration: what provisioning grants is none.
  @Test func aTokenDoesNotReplaceTheKey() throws {
    let (server, _) = try run([]) { api in
      api.use(Secret("ANOTHER"))
      try await api.postTelemetry(HTTPDeviceAPITests.batch)
    }
    #expect(server.requests[0].head.hasPrefix("POST /api/v1/integrations/http/KEY%2F1 "))
  }

  @Test func theConfigurationChooses() throws {
    let loop = try EventLoop()
    var options = ServerOptions(url: try ServerURL("http://127.0.0.1:1"))
    #expect(try options.deviceAPI(on: loop, token: Secret("t"), deviceName: nil) is HTTPDeviceAPI)
    options.transport = .httpIntegration
    #expect(try options.deviceAPI(on: loop, token: Secret("t"), deviceName: nil) is HTTPIntegrationAPI)
  }
}
