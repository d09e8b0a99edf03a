import EventLoop
import Telemetry
import Testing

@testable import ThingsBoard

/// Whatever answers, on whatever endpoint: an error within bounds, no secret in it, and a client that works on.
@Suite struct HostileAnswerTests {
  enum Endpoint: String, CaseIterable {
    case telemetry, attributes, snapshot, updates, command, reply, call, claim, provision, proof, integration
  }

  struct Hostility: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var reply: ScriptedServer.Reply
  }

  private static func status(_ text: String, _ body: String, type: String? = nil) -> Hostility {
    Hostility(
      testDescription: text,
      reply: .status(200, body: body, headers: type.map { ["Content-Type: \($0)"] } ?? []))
  }

  static let hostilities = [
    status("a login page", "<!DOCTYPE html><form action=/login><input value=A1_TEST_TOKEN>"),
    status("a page that only its type tells", "Log in, A1_TEST_TOKEN", type: "text/html"),
    status("a page without an end", "<html>" + String(repeating: "A1_TEST_TOKEN", count: 1 << 18)),
    status("a document without an end", #"{"id":"# + String(repeating: "A1_TEST_TOKEN", count: 1 << 18)),
    status("arrays in arrays", String(repeating: "[", count: 1 << 20)),
    status("objects in objects", String(repeating: #"{"client":"#, count: 1 << 17)),
    Hostility(
      testDescription: "a million small values",
      reply: .status(200, body: "[" + String(repeating: "0,", count: 1 << 20))),
    Hostility(
      testDescription: "a length that is never reached",
      reply: .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}")),
    Hostility(
      testDescription: "a chunk that is never reached",
      reply: .bytesThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n{}")),
    Hostility(
      testDescription: "chunks that are none",
      reply: .bytesThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}")),
    Hostility(
      testDescription: "a negative length", reply: .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{")),
    Hostility(testDescription: "no HTTP", reply: .bytesThenClose("\u{0}\u{1}A1_TEST_TOKEN\r\n\r\n")),
    Hostility(testDescription: "a status of letters", reply: .bytesThenClose("HTTP/1.1 OK OK\r\n\r\n")),
    Hostility(
      testDescription: "a status out of range",
      reply: .bytesThenClose("HTTP/1.1 999 A1_TEST_TOKEN\r\nContent-Length: 0\r\n\r\n")),
    Hostility(
      testDescription: "a header without an end",
      reply: .bytesThenClose("HTTP/1.1 200 OK\r\nX: " + String(repeating: "A1_TEST_TOKEN", count: 1 << 16))),
    Hostility(
      testDescription: "a redirect to itself",
      reply: .status(307, body: "", headers: ["Location: /api/v1/A1_TEST_TOKEN/telemetry"])),
    Hostility(
      testDescription: "a body that is to be decompressed",
      reply: .bytesThenClose("HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1F}\u{8}A1")),
    Hostility(
      testDescription: "a Retry-After beyond all numbers",
      reply: .status(503, body: "A1_TEST_TOKEN\u{1B}[2J", headers: ["Retry-After: 99999999999999999999999"])),
    Hostility(
      testDescription: "another protocol",
      reply: .bytesThenClose("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nA1_TEST_TOKEN")),
  ]

  @Test(arguments: Endpoint.allCases, hostilities) func anAnswer(_ endpoint: Endpoint, _ hostility: Hostility) throws {
    try check(endpoint, hostility.reply)
  }

  /// Shapes only those endpoints can be troubled by that read documents.
  static let shapes: [[UInt8]] = [
    [0xFF, 0xFE, 0x00], Array("\u{FEFF}{}".utf8), Array(#"{"a":"\#u{7}"}"#.utf8),
    [0x7B, 0x22, 0xC3, 0x28, 0x22, 0x3A, 0x31, 0x7D],
    Array(#"{"a":1,}"#.utf8), Array("{'a':1}".utf8), Array(#"{"a":NaN}"#.utf8), Array(#"{"a":"\ud800"}"#.utf8),
    Array(#"{"a":1}{"b":2}"#.utf8), Array(("{\"a\":" + String(repeating: "9", count: 5000) + "}").utf8),
    Array("OK".utf8), Array("\"".utf8), Array("-".utf8),
  ]

  @Test(
    arguments: [
      Endpoint.snapshot, .updates, .command, .call, .provision, .proof, .telemetry, .attributes, .reply, .claim,
    ], shapes)
  func aDocument(_ endpoint: Endpoint, _ body: [UInt8]) throws { try check(endpoint, .body(body)) }

  private func check(_ endpoint: Endpoint, _ reply: ScriptedServer.Reply) throws {
    let server = ScriptedServer([reply])
    defer { server.stop() }
    let loop = try EventLoop()
    let options = ServerOptions(url: try ServerURL(server.url))
    // Nothing here is waited for: no end of a poll.
    let timing = PollTests.patient
    let key = try Key("a")
    let (first, second) = try loop.run { () -> (DeviceAPIError?, DeviceAPIError?) in
      let api = try HTTPDeviceAPI(on: loop, server: options, token: Secret(Bench.token), timing: timing)
      let provisioning = try HTTPProvisioningAPI(on: loop, server: options)
      let integration = try HTTPIntegrationAPI(on: loop, server: options, key: Secret(Bench.token), deviceName: "d")
      let error = await failure { () async throws(DeviceAPIError) in
        switch endpoint {
        case .telemetry: try await api.postTelemetry(HTTPDeviceAPITests.batch)
        case .attributes: try await api.postAttributes([Reading(key, .bool(true))])
        case .snapshot: _ = try await api.attributes(client: nil, shared: nil)
        case .updates: _ = try await api.pollAttributes(for: .seconds(25))
        case .command: _ = try await api.pollCommand(for: .seconds(25))
        case .reply: try await api.reply(.null, to: CommandID(1))
        case .call: _ = try await api.call("m", params: .null)
        case .claim: try await api.claim(secret: nil, duration: nil)
        case .provision:
          _ = try await provisioning.provision(
            ProvisionRequest(deviceName: nil, key: Secret("k"), secret: Secret("s"), token: Secret(Bench.token)))
        case .proof: _ = try await provisioning.isKnown(Secret(Bench.token))
        case .integration: try await integration.postTelemetry(HTTPDeviceAPITests.batch)
        }
      }
      return (
        error,
        await failure { () async throws(DeviceAPIError) in
          try await api.postTelemetry(HTTPDeviceAPITests.batch)
        }
      )
    }
    let message = first?.message
    #expect(message?.contains("A1_TEST") == false)
    #expect(message?.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } == true)
    #expect((message?.count ?? 1000) < 600)
    #expect(first?.code != .unauthorized && first?.code != .deviceDeleted)
    #expect((first?.retryAfter ?? .zero) <= Duration.seconds(86_400))
    #expect(second == nil)
  }
}
