import EventLoop
import Telemetry
import Testing

@testable import ThingsBoard

/// Long polls against a server, and a way to it, that misbehave: contract.md §3, §4 and §9.
@Suite struct PollTests {
  typealias Reply = ScriptedServer.Reply

  /// Longer than a poll has to be open; the server waits it out, so that no slow machine makes a difference.
  static let waited = Duration.milliseconds(30)
  static let quick = Timing(
    shortest: .milliseconds(20), longest: .milliseconds(60), gatewayLimit: .milliseconds(20),
    margin: .milliseconds(100))
  /// So patient that whatever comes has come at once.
  static let patient = Timing(shortest: .seconds(120), longest: .seconds(240), gatewayLimit: .seconds(120))

  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var reply: Reply
    var timing: Timing
    /// `nil` for the poll's end.
    var expected: DeviceAPIError.Code?

    static func waited(_ text: String, _ reply: Reply, _ expected: DeviceAPIError.Code?) -> Row {
      Row(testDescription: text, reply: .after(PollTests.waited, reply), timing: PollTests.quick, expected: expected)
    }
    static func atOnce(_ text: String, _ reply: Reply, _ expected: DeviceAPIError.Code?) -> Row {
      Row(testDescription: text, reply: reply, timing: PollTests.patient, expected: expected)
    }
  }

  static let page = "<html><h1>504 Gateway Time-out</h1></html>"

  /// What is the same for commands and attributes.
  static let rows = [
    Row.waited("408 ends a poll", .status(408), nil),
    .atOnce("408 at once is a proxy that does not wait", .status(408), .unavailable),
    .waited("503 at the servlet's limit ends a poll", .status(503, body: #"{"status":503}"#), nil),
    .atOnce("503 at once is an outage", .status(503), .unavailable),
    .waited("502 at a proxy's limit ends a poll", .status(502, body: page), nil),
    .waited("504 at a proxy's limit ends a poll", .status(504, body: page), nil),
    .atOnce("504 at once is an outage", .status(504, body: page), .unavailable),
    .waited("503 with a Retry-After is an outage", .status(503, body: "", headers: ["Retry-After: 9"]), .unavailable),
    .waited("a connection closed under a poll ends it", .bytesThenClose(""), nil),
    .waited("a connection reset under a poll ends it", .reset, nil),
    .atOnce("a connection closed at once is an outage", .bytesThenClose(""), .unreachable),
    .atOnce("a connection reset at once is an outage", .reset, .unreachable),
    .waited("a headline cut off has lost something", .bytesThenClose("HTTP/1.1 200 OK\r\nConte"), .unreachable),
    .waited(
      "a body cut off has lost something",
      .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\":1,\"method\":\"a\"}"), .unreachable),
    .waited(
      "a reset within the body has lost something",
      .bytesThenReset("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\":1,"), .unreachable),
    .waited(
      "a chunked body cut off has lost something",
      .bytesThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"id\":1}\n\r\n"), .unreachable),
    Row(
      testDescription: "a half-dead server is left at this side's own limit, and whatever it had to say is lost",
      reply: .hang, timing: quick, expected: .unreachable),
    .waited("403 is a deleted device", .status(403, body: "Device was deleted!"), .deviceDeleted),
    .waited("401 is the token", .status(401), .unauthorized),
    .waited("404 is a wrong path", .status(404), .notFound),
    .waited("500 is the server's", .status(500), .serverError),
    .waited("500 with a text is the server's, too", .status(500, body: "Can't parse value"), .serverError),
    .waited("302 is not followed", .status(302, body: "", headers: ["Location: http://127.0.0.1:1/"]), .redirected),
    .waited("an empty 200 is nobody's answer", .status(200), .notThingsBoard),
    .waited("204 is nobody's answer", .bytes("HTTP/1.1 204 No Content\r\n\r\n"), .notThingsBoard),
    .waited("a login page is a captive portal's", .status(200, body: "<html>Log in</html>"), .notThingsBoard),
    .waited("no JSON", .status(200, body: "OK"), .notThingsBoard),
    .waited("half a document", .status(200, body: #"{"id":1,"method""#), .notThingsBoard),
    .waited("an array", .status(200, body: "[]"), .notThingsBoard),
    .waited("a bare value", .status(200, body: "null"), .notThingsBoard),
  ]

  @Test(arguments: rows) func aCommandPoll(_ row: Row) throws {
    let bench = try Bench([row.reply])
    let outcome = try bench.run(timing: row.timing) { api, _ in
      await Outcome<ServerCommand?> { () async throws(DeviceAPIError) in try await api.pollCommand(for: .seconds(25)) }
    }
    // Half a command whose id can be read is answered, so that it does not come again and again.
    let expected = row.testDescription == "half a document" ? .poison : row.expected
    #expect(outcome == expected.map { .failure($0) } ?? .value(nil))
  }

  @Test(arguments: rows) func anAttributePoll(_ row: Row) throws {
    let bench = try Bench([row.reply])
    let outcome = try bench.run(timing: row.timing) { api, _ in
      await Outcome<AttributeUpdate?> { () async throws(DeviceAPIError) in
        try await api.pollAttributes(for: .seconds(25))
      }
    }
    #expect(outcome == row.expected.map { .failure($0) } ?? .value(nil))
  }

  /// libcurl sends a request again by itself where a connection that stood open is closed without an answer. A poll would
  /// begin anew then, and nobody would read what has changed in between.
  @Test func aPollIsNotSentAgainInSilence() throws {
    // The first poll leaves its connection open, the second is closed after a while, and a third would hang.
    let bench = try Bench([.status(408), .after(.milliseconds(400), .bytesThenClose(""))], otherwise: .hang)
    let timing = Timing(shortest: .milliseconds(1), longest: .seconds(20))
    let outcome = try bench.run(timing: timing) { api, _ in
      _ = try? await api.pollAttributes(for: .seconds(25))
      return await Outcome<AttributeUpdate?> { () async throws(DeviceAPIError) in
        try await api.pollAttributes(for: .seconds(25))
      }
    }
    #expect(outcome == .value(nil), "its end, seen at once")
    #expect(bench.server.requests.count == 2)
    #expect(Set(bench.server.requests.map(\.connection)) == [0], "both on one connection")
  }

  // MARK: Commands

  static let commands: [(String, ServerCommand)] = [
    (
      #"{"id":7,"method":"setGpio","params":{"pin":"23","value":1}}"#,
      ServerCommand(
        id: CommandID(7), method: "setGpio",
        params: .object([.init("pin", .string("23")), .init("value", .integer(1))]))
    ),
    (#"{"id":"7","method":"m","params":true}"#, ServerCommand(id: CommandID(7), method: "m", params: .bool(true))),
    (#"{"id":0,"method":"m","params":null}"#, ServerCommand(id: CommandID(0), method: "m", params: .null)),
    (#"{"id":0,"method":"m"}"#, ServerCommand(id: CommandID(0), method: "m", params: .null)),
    (
      #"{"id":2147483647,"method":"","params":"on"}"#,
      ServerCommand(id: CommandID(2_147_483_647), method: "", params: .string("on"))
    ),
    (#"{"method":"m","params":1.0E7,"id":-1}"#, ServerCommand(id: CommandID(-1), method: "m", params: .double(1e7))),
    (
      #"{"id":1.0E1,"method":"m","params":[1,[]]}"#,
      ServerCommand(id: CommandID(10), method: "m", params: .array([.integer(1), .array([])]))
    ),
  ]

  @Test(arguments: commands) func aCommandIsRead(_ body: String, _ expected: ServerCommand) throws {
    let bench = try Bench([.status(200, body: body)])
    let command = try bench.run { api, _ in try await api.pollCommand(for: .seconds(25)) }
    #expect(command == expected)
    #expect(bench.resources == ["rpc?timeout=25000"])
  }

  @Test func aMethodTooLongIsNoOtherMethod() throws {
    let long = String(repeating: "é", count: 200)
    let bench = try Bench([.status(200, body: #"{"id":1,"method":"\#(long)"}"#)])
    let method = try bench.run { api, _ in try await api.pollCommand(for: .seconds(25))?.method }
    #expect((method?.utf8.count ?? 0) < ServerCommand.longestMethod + 10)
    #expect(method?.hasSuffix("…") == true)
  }

  static let unreadable: [(String, CommandID?)] = [
    (#"{"id":5,"method":7}"#, CommandID(5)),
    (#"{"id":"5","params":{}}"#, CommandID(5)),
    (#" { "id" : -5 , "method":"m","params":"# + String(repeating: "[", count: 300), CommandID(-5)),
    (#"{"id":5,"method":"m","params":""# + String(repeating: "x", count: 1 << 20) + "\"}", CommandID(5)),
    (#"{"id":5,"method":"m","params":nope}"#, CommandID(5)),
    (#"{"id":5.5,"method":"m"}"#, nil),
    (#"{"id":99999999999999999999,"method":"m"}"#, nil),
    (#"{"id":{},"method":"m"}"#, nil),
    (#"{"id":"","method":"m"}"#, nil),
    (#"{"id":"5 ","method":"m"}"#, CommandID(5)),
    (#"{"method":"m"}"#, nil),
    (#"{"id":5"#, nil),
    (#"{"id":"#, nil),
    (String(repeating: "[", count: 1 << 15), nil),
    (String(repeating: #"{"id":"#, count: 1 << 12), nil),
    (#"{"id":1,"id":2,"method":"m"}"#, CommandID(1)),
  ]

  /// It would be handed over to each poll again, and hold up all behind it.
  @Test(arguments: unreadable) func aCommandThatCannotBeReadIsAnsweredIfItCanBe(_ body: String, _ id: CommandID?) throws
  {
    let bench = try Bench([.status(200, body: body)])
    let outcome = try bench.run { api, _ in
      await Outcome<ServerCommand?> { () async throws(DeviceAPIError) in try await api.pollCommand(for: .seconds(25)) }
    }
    #expect(outcome == .failure(id == nil ? .notThingsBoard : .poison))
    #expect(bench.resources.dropFirst() == id.map { ["rpc/\($0)"] } ?? [])
    if id != nil {
      #expect(bench.server.requests.last?.body == #"{"error":{"code":"bad_params","message":"cannot be read"}}"#)
    }
  }

  // MARK: Attributes

  static let updates: [(String, AttributeUpdate)] = [
    (#"{"a":1,"b":"x"}"#, AttributeUpdate(changed: [.init("a", .integer(1)), .init("b", .string("x"))])),
    (#"{"a":1.0E7,"b":1.0E-4}"#, AttributeUpdate(changed: [.init("a", .double(1e7)), .init("b", .double(1e-4))])),
    (#"{"deleted":["a","b"]}"#, AttributeUpdate(deleted: ["a", "b"])),
    (#"{"a":null,"deleted":["b"]}"#, AttributeUpdate(changed: [.init("a", .null)], deleted: ["b"])),
    (#"{"deleted":true}"#, AttributeUpdate(changed: [.init("deleted", .bool(true))])),
    (#"{"deleted":[1]}"#, AttributeUpdate(changed: [.init("deleted", .array([.integer(1)]))])),
    // As the public reference would have it; the server does not, so these are attributes with such names.
    (#"{"shared":{"a":1}}"#, AttributeUpdate(changed: [.init("shared", .object([.init("a", .integer(1))]))])),
  ]

  @Test(arguments: updates) func aChangeIsRead(_ body: String, _ expected: AttributeUpdate) throws {
    let bench = try Bench([.status(200, body: body)])
    let update = try bench.run { api, _ in try await api.pollAttributes(for: .seconds(60)) }
    #expect(update == expected)
    #expect(bench.resources == ["attributes/updates?timeout=25000"])
  }

  @Test func anEmptyChangeAtOnceIsNoReasonToPollAgainAtOnce() throws {
    let bench = try Bench([.status(200, body: "{}"), .after(Self.waited, .status(200, body: #"{"deleted":[]}"#))])
    let atOnce = try bench.run(timing: Self.patient) { api, _ in
      await Outcome { () async throws(DeviceAPIError) in try await api.pollAttributes(for: .seconds(25)) }
    }
    #expect(atOnce == .failure(.unavailable))
    let later = try Bench([.after(Self.waited, .status(200, body: #"{"deleted":[]}"#))]).run(timing: Self.quick) {
      api, _ in
      await Outcome { () async throws(DeviceAPIError) in try await api.pollAttributes(for: .seconds(25)) }
    }
    #expect(later == .value(nil))
  }

  // MARK: Beside posts

  /// Polls wait for half a minute: what goes up must not wait with them.
  @Test func aPollHoldsUpNoPost() throws {
    let bench = try Bench([.hang])
    let (polled, traffic) = try bench.run { api, loop in
      let poll = Task(executorPreference: loop) {
        await Outcome<ServerCommand?> { () async throws(DeviceAPIError) in try await api.pollCommand(for: .seconds(25))
        }
      }
      while bench.server.requests.isEmpty { try await loop.sleep(for: .milliseconds(1)) }
      for _ in 0..<3 { try await api.postAttributes([Reading(Key("a"), .bool(true))]) }
      let traffic = await api.traffic()
      poll.cancel()
      return (await poll.value, traffic)
    }
    #expect(polled == .failure(.cancelled))
    #expect(bench.server.requests.map(\.connection) == [0, 1, 1, 1])
    #expect(traffic.requests == 4)
    #expect(traffic.connections == 2)
  }

  /// The first poll of a connection that died while nobody used it is repeated by libcurl on a new one.
  @Test func aConnectionThatDiedBetweenPollsCostsNothing() throws {
    let bench = try Bench([
      .status(200, body: #"{"id":1,"method":"a"}"#), .reset, .status(200, body: #"{"id":2,"method":"b"}"#),
    ])
    let ids = try bench.run(timing: Self.patient) { api, _ in
      [
        try await api.pollCommand(for: .seconds(25))?.id.number,
        try await api.pollCommand(for: .seconds(25))?.id.number,
      ]
    }
    #expect(ids == [1, 2])
    #expect(bench.server.requests.map(\.connection) == [0, 0, 1])
  }

  @Test func aPollAsksForWhatAServerCanWait() {
    let timing = Timing()
    #expect(timing.asked(.seconds(300)) == .seconds(25))
    #expect(timing.asked(.zero) == .seconds(1))
    #expect(timing.asked(.seconds(5)) == .seconds(5))
    // The shortest poll's own end is told from an answer at once.
    #expect(timing.wasWaited(.milliseconds(990), asked: timing.asked(.zero)))
    #expect(!timing.wasWaited(.milliseconds(990), asked: .seconds(25)))
  }
}
