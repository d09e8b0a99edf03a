import EventLoop
import Telemetry
import Testing

@testable import ThingsBoard

/// Attributes, replies, client-side RPC and claiming: contract.md §3–§6.
@Suite struct DeviceCallsTests {
  // MARK: Attributes

  @Test func attributesFollowTelemetrysRules() throws {
    let bench = try Bench()
    try bench.run { api, _ in
      try await api.postAttributes([
        Reading(Key("double"), .double(42)), Reading(Key("nan"), .double(.nan)), Reading(Key("huge"), .double(1e300)),
        Reading(Key("tiny"), .double(5e-16)), Reading(Key("text"), .string("a\"b")), Reading(Key("json"), .json(.null)),
        Reading(Key("ts"), .long(1)), Reading(Key("values"), .long(2)),
      ])
      // Nothing that could be sent: an object without members is no message.
      try await api.postAttributes([Reading(Key("nan"), .double(.nan))])
      try await api.postAttributes([])
    }
    #expect(bench.resources == ["attributes"])
    #expect(bench.server.requests[0].body == #"{"double":42.0,"tiny":0.000000000000001,"text":"a\"b","ts":1}"#)
  }

  static let snapshots: [(String, AttributeSnapshot)] = [
    ("{}", AttributeSnapshot()),
    (#"{"shared":{"a":1.0E7}}"#, AttributeSnapshot(shared: [.init("a", .double(1e7))])),
    (
      #"{"client":{"a":"9223372036854775808"},"shared":{}}"#,
      AttributeSnapshot(client: [.init("a", .string("9223372036854775808"))])
    ),
    (
      #"{"client":{"a":null},"shared":{"b":{"c":[]}},"other":1}"#,
      AttributeSnapshot(client: [.init("a", .null)], shared: [.init("b", .object([.init("c", .array([]))]))])
    ),
  ]

  @Test(arguments: snapshots) func attributesAreRead(_ body: String, _ expected: AttributeSnapshot) throws {
    let bench = try Bench([.status(200, body: body)])
    let snapshot = try bench.run { api, _ in try await api.attributes(client: nil, shared: nil) }
    #expect(snapshot == expected)
    #expect(bench.resources == ["attributes"])
  }

  static let queries: [([String]?, [String]?, [String])] = [
    (nil, nil, [""]),
    (["a", "b"], ["c"], ["?clientKeys=a,b&sharedKeys=c"]),
    (nil, ["a b", "ä", "x&y=z", "%"], ["?sharedKeys=a%20b,%C3%A4,x%26y%3Dz,%25"]),
    // A comma cannot be asked for, and no name at all must not become "everything".
    (["a,b", "c"], nil, ["?clientKeys=c"]),
    (["a,b", ""], [], []),
    ([], nil, []),
    // 12 bytes a query here.
    (
      ["aaaaa", "bbbbb", "c"], ["ddddd", "eeeeeeeeeeeeeeee"],
      [
        "?clientKeys=aaaaa,bbbbb", "?clientKeys=c&sharedKeys=ddddd", "?sharedKeys=eeeeeeeeeeeeeeee",
      ]
    ),
  ]

  @Test(arguments: queries) func namesBecomeQueries(_ client: [String]?, _ shared: [String]?, _ expected: [String]) {
    #expect(
      AttributeQuery.make(client: client, shared: shared, longest: client?.first == "aaaaa" ? 12 : 4000) == expected)
  }

  @Test func manyNamesTakeSeveralRequests() throws {
    let names = (0..<600).map { "attribute.\($0)" }
    let bench = try Bench(
      [.status(200, body: #"{"shared":{"a":1}}"#)], otherwise: .status(200, body: #"{"shared":{"b":2}}"#))
    let snapshot = try bench.run { api, _ in try await api.attributes(client: nil, shared: names) }
    #expect(bench.resources.count == 3)
    #expect(bench.resources.allSatisfy { $0.utf8.count < 4100 })
    #expect(snapshot.shared == [.init("a", .integer(1)), .init("b", .integer(2)), .init("b", .integer(2))])
  }

  @Test func noNameToAskForAsksNothing() throws {
    let bench = try Bench()
    let snapshot = try bench.run { api, _ in try await api.attributes(client: [], shared: ["a,b"]) }
    #expect(snapshot == AttributeSnapshot())
    #expect(bench.server.requests.isEmpty)
  }

  /// Far more than other answers may have, and still bounded.
  @Test func manyAttributesAreRead() throws {
    let text = String(repeating: "x", count: 500_000)
    let bench = try Bench([
      .status(200, body: #"{"shared":{"a":"\#(text)"}}"#),
      .status(200, body: #"{"shared":{"a":"\#(text)\#(text)\#(text)"}}"#),
    ])
    let (first, second) = try bench.run { api, _ in
      (
        try await api.attributes(client: nil, shared: nil),
        await failure { () async throws(DeviceAPIError) in
          _ = try await api.attributes(client: nil, shared: nil)
        }
      )
    }
    #expect(first.shared == [.init("a", .string(text))])
    #expect(second?.code == .notThingsBoard)
    #expect((second?.message.count ?? 1000) < 400)
  }

  // MARK: RPC

  static let replies: [(JSON, String)] = [
    (.null, "null"), (.bool(true), "true"), (.double(21), "21.0"), (.string("a\n"), #""a\n""#), (.double(.nan), "null"),
    (.object([.init("1", .bool(true))]), #"{"1":true}"#),
  ]

  @Test(arguments: replies) func anyJSONIsAReply(_ reply: JSON, _ body: String) throws {
    let bench = try Bench()
    try bench.run { api, _ in try await api.reply(reply, to: CommandID(12)) }
    #expect(bench.resources == ["rpc/12"])
    #expect(bench.server.requests[0].body == body)
  }

  /// The server would refuse it after it has travelled.
  @Test func whatIsTooLargeForAnRPCIsNotSent() throws {
    let text = JSON.string(String(repeating: "x", count: HTTPDeviceAPI.longestMessage))
    let bench = try Bench()
    let codes = try bench.run { api, _ in
      [
        await failure { () async throws(DeviceAPIError) in try await api.reply(text, to: CommandID(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.call("m", params: text) }?.code,
      ]
    }
    #expect(codes == [.tooLarge, .tooLarge])
    #expect(bench.server.requests.isEmpty)
  }

  /// A lost acknowledgement of a reply is an error: the caller sends it again, the server takes it twice.
  @Test(arguments: [
    ScriptedServer.Reply.reset, .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), .status(503),
  ])
  func aReplyIsOutOnlyWhenTheServerHasIt(_ reply: ScriptedServer.Reply) throws {
    let bench = try Bench([reply])
    let codes = try bench.run { api, _ in
      [
        await failure { () async throws(DeviceAPIError) in try await api.reply(.null, to: CommandID(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.reply(.null, to: CommandID(1)) }?.code,
      ]
    }
    #expect(codes[0] == .unreachable || codes[0] == .unavailable)
    #expect(codes[1] == nil)
  }

  static let calls: [(ScriptedServer.Reply, Outcome<JSON>)] = [
    (.status(200, body: "42.0"), .value(.double(42))),
    (.status(200, body: #"{"error":"no"}"#), .value(.object([.init("error", .string("no"))]))),
    (.status(200, body: "null"), .value(.null)),
    (.status(200), .value(.null)),
    (.status(408), .failure(.noAnswer)),
    (.after(PollTests.waited, .status(503, body: #"{"status":503}"#)), .failure(.noAnswer)),
    (.status(200, body: "<html>Log in"), .failure(.notThingsBoard)),
    (.status(200, body: "OK"), .failure(.notThingsBoard)),
    (.status(500), .failure(.serverError)),
    (.status(413, body: "\"Payload Too Large\""), .failure(.tooLarge)),
    (.status(401), .failure(.unauthorized)),
    (.bytesThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n"), .failure(.unreachable)),
  ]

  @Test(arguments: calls) func aCall(_ reply: ScriptedServer.Reply, _ expected: Outcome<JSON>) throws {
    let bench = try Bench([reply])
    let outcome = try bench.run(timing: PollTests.quick) { api, _ in
      await Outcome { () async throws(DeviceAPIError) in try await api.call("getTime", params: .null) }
    }
    #expect(outcome == expected)
    #expect(bench.resources == ["rpc"])
    // Without params the server would fail with an empty 500.
    #expect(bench.server.requests[0].body == #"{"method":"getTime","params":null}"#)
  }

  @Test func aServerThatIsBusyAtOnceIsNoMissingRule() throws {
    let outcome = try Bench([.status(503)]).run(timing: PollTests.patient) { api, _ in
      await Outcome { () async throws(DeviceAPIError) in try await api.call("m", params: .null) }
    }
    #expect(outcome == .failure(.unavailable))
  }

  // MARK: Claiming

  static let claims: [(Secret?, Duration?, String)] = [
    (nil, nil, "{}"), (Secret("a\"b"), nil, #"{"secretKey":"a\"b"}"#), (nil, .seconds(60), #"{"durationMs":60000}"#),
    (Secret("s"), .milliseconds(5), #"{"secretKey":"s","durationMs":5}"#),
  ]

  @Test(arguments: claims) func aClaimLeavesOutWhatIsNotGiven(_ secret: Secret?, _ duration: Duration?, _ body: String)
    throws
  {
    let bench = try Bench()
    try bench.run { api, _ in try await api.claim(secret: secret, duration: duration) }
    #expect(bench.resources == ["claim"])
    #expect(bench.server.requests[0].body == body)
  }

  @Test func aClaimsSecretIsNotRepeated() throws {
    let bench = try Bench([.status(500, body: #"Can't read {"secretKey":"HUSH\"HUSH"}"#)])
    let error = try bench.run { api, _ in
      await failure { () async throws(DeviceAPIError) in
        try await api.claim(secret: Secret("HUSH\"HUSH"), duration: nil)
      }
    }
    #expect(error?.message.contains("Can't read") == true)
    #expect(error?.message.contains("HUSH") == false)
  }

  // MARK: No answer at all

  /// A connection that stood open was closed meanwhile, so libcurl tries again on a new one by itself, and forgets the
  /// time limit (7.88): who accepts that one and says nothing would hold the request for ever.
  @Test func aRequestTriedAgainOnANewConnectionDoesNotWaitForEver() throws {
    let bench = try Bench([.status(200, body: "{}"), .bytesThenClose("")], otherwise: .hang)
    var timing = Timing()
    timing.answer = .milliseconds(30)
    let code = try bench.run(timing: timing) { api, _ in
      _ = try await api.attributes(client: nil, shared: nil)
      return await failure { () async throws(DeviceAPIError) in _ = try await api.attributes(client: nil, shared: nil)
      }?
      .code
    }
    #expect(code == .unreachable)
    #expect(bench.server.requests.count == 3)
  }

  /// As a server under a rate limit does with attributes, polls and RPC until its servlet gives up, and an empty batch
  /// for ever: each request has a time limit of its own.
  @Test func noRequestWaitsForEver() throws {
    let bench = try Bench([], otherwise: .hang)
    var timing = Timing()
    timing.answer = .milliseconds(30)
    timing.call = .milliseconds(30)
    let options = ServerOptions(url: try ServerURL(bench.server.url))
    let key = try Key("a")
    let codes = try bench.run(timing: timing) { api, loop in
      let provisioning = try HTTPProvisioningAPI(on: loop, server: options, timeLimit: .milliseconds(30))
      return [
        await failure { () async throws(DeviceAPIError) in try await api.postTelemetry(HTTPDeviceAPITests.batch) }?
          .code,
        await failure { () async throws(DeviceAPIError) in try await api.postAttributes([Reading(key, .bool(true))]) }?
          .code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.attributes(client: nil, shared: nil) }?
          .code,
        await failure { () async throws(DeviceAPIError) in try await api.reply(.null, to: CommandID(1)) }?.code,
        await failure { () async throws(DeviceAPIError) in _ = try await api.call("m", params: .null) }?.code,
        await failure { () async throws(DeviceAPIError) in try await api.claim(secret: nil, duration: nil) }?.code,
        await failure { () async throws(DeviceAPIError) in _ = try await provisioning.isKnown(Secret("t")) }?.code,
        await failure { () async throws(DeviceAPIError) in
          _ = try await provisioning.provision(ProvisioningTests.request)
        }?.code,
      ]
    }
    #expect(codes == Array(repeating: .unreachable, count: 8))
  }

  // MARK: The token

  @Test func anotherTokenServesFromTheNextRequestOn() throws {
    let bench = try Bench()
    try bench.run { api, _ in
      try await api.reply(.null, to: CommandID(1))
      api.use(Secret("B2/TOKEN"))
      try await api.reply(.null, to: CommandID(2))
    }
    #expect(bench.server.requests[1].head.hasPrefix("POST /api/v1/B2%2FTOKEN/rpc/2 HTTP"))
  }
}
