import Foundation
import Simulator
import Testing

@Suite struct DeviceServerTests {
  static let telemetry = "/api/v1/T/telemetry"

  @Test("Telemetry is stored with its type and time, and answered 200 with an empty body")
  func storesTelemetry() async throws {
    try await withServer { server, port in
      let answer = try await RawClient.ask(
        port, "POST", Self.telemetry, body: #"[{"ts":7,"values":{"t":21.5,"n":3}},{"ts":5,"values":{"t":20.0}}]"#)
      #expect(answer.status == 200)
      #expect(answer.body.isEmpty)
      #expect(
        server.values(of: "t", token: "T") == [
          StoredValue(ts: 5, type: .double, text: "20.0"), StoredValue(ts: 7, type: .double, text: "21.5"),
        ])
      #expect(server.latest(of: "n")?.type == .long)
      #expect(server.counters.acceptedTelemetry == 1)
    }
  }

  @Test("The same sample twice is one value; another value of the same millisecond replaces it and is counted")
  func countsRepeats() async throws {
    try await withServer { server, port in
      for text in ["1.0", "1.0", "2.0"] {
        _ = try await RawClient.ask(port, "POST", Self.telemetry, body: #"{"ts":7,"values":{"t":\#(text)}}"#)
      }
      #expect(server.values(of: "t").map(\.text) == ["2.0"])
      #expect(server.counters.repeats == 1)
      #expect(server.counters.replacements == 1)
    }
  }

  @Test("The HTTP integration stores under its key what its converter finds, and keeps the payloads")
  func integration() async throws {
    try await withServer { server, port in
      let path = "/api/v1/integrations/http/T"
      let payload = #"{"deviceName":"d","telemetry":[{"ts":7,"values":{"t":21.5}}],"attributes":{"site":"north"}}"#
      let answer = try await RawClient.ask(port, "POST", path, body: payload)
      #expect(answer.status == 200)
      #expect(server.values(of: "t", token: "T") == [StoredValue(ts: 7, type: .double, text: "21.5")])
      #expect(server.clientAttributes(token: "T")["site"]?.text == "north")
      #expect(server.uplinks.map(\.payload) == [payload] && server.uplinks.first?.key == "T")
      #expect(server.requests().map(\.path) == ["/api/v1/integrations/http/***"])
      let refused = [
        try await RawClient.ask(port, "POST", path, body: #"{"telemetry":[1]}"#),
        try await RawClient.ask(port, "POST", path, body: "no JSON"),
        try await RawClient.ask(port, "POST", "/api/v1/integrations/http/X", body: payload),
        try await RawClient.ask(port, "GET", path),
      ]
      #expect(refused.map(\.status) == [500, 500, 404, 405])
      #expect(server.uplinks.count == 3)
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var sentence: String
    var method = "POST"
    var path = telemetry
    var body = ""
    var status: Int
    var answer: String?
    var testDescription: String { sentence }
  }

  @Test(arguments: [
    Row(
      sentence: "An unknown token gets 401 without a body", path: "/api/v1/X/telemetry", body: "{}", status: 401,
      answer: ""),
    Row(sentence: "An unknown path gets 404", path: "/api/v1/T/telemetri", body: "{}", status: 404),
    Row(sentence: "A wrong method gets 405", method: "GET", status: 405),
    Row(sentence: "An empty body gets Spring's 400", status: 400),
    Row(
      sentence: "A broken document gets 500 with the parser's words", body: "[1]", status: 500,
      answer: "Can't parse value: 1"),
    Row(
      sentence: "A bad time stamp gets 500 without a word", body: #"{"ts":"x","values":{"a":1}}"#, status: 500,
      answer: ""),
    Row(
      sentence: "A body over the limit gets 413 and a JSON string", body: String(repeating: " ", count: 2000),
      status: 413,
      answer: "\"Payload size exceeds the limit\""),
    Row(sentence: "An empty array is not answered until the servlet's limit", body: "[]", status: 503),
    Row(
      sentence: "A long poll without news ends with 408", method: "GET", path: "/api/v1/T/rpc?timeout=10", status: 408,
      answer: ""),
    Row(
      sentence: "A long poll beyond the servlet's limit ends with 503", method: "GET",
      path: "/api/v1/T/attributes/updates?timeout=20000", status: 503),
    Row(sentence: "A reply to a command gets 200", path: "/api/v1/T/rpc/3", body: "{}", status: 200, answer: ""),
  ])
  func answers(_ row: Row) async throws {
    try await withServer { _, port in
      let answer = try await RawClient.ask(port, row.method, row.path, body: row.body)
      #expect(answer.status == row.status)
      if let text = row.answer { #expect(answer.body == text) }
    }
  }

  @Test("Attributes are stored, and given by name or all together; a scope without a match is absent")
  func attributes() async throws {
    try await withServer { server, port in
      let path = "/api/v1/T/attributes"
      let posted = try await RawClient.ask(port, "POST", path, body: #"{"a":1,"b c":1.0E-4,"d":{"x":[1,2.50]}}"#)
      #expect(posted.status == 200)
      server.setSharedAttribute("s", type: .boolean, text: "true", token: "T")
      let all = try await RawClient.ask(port, "GET", path)
      #expect(all.body == #"{"client":{"a":1,"b c":1.0E-4,"d":{"x":[1,2.50]}},"shared":{"s":true}}"#)
      let some = try await RawClient.ask(port, "GET", path + "?clientKeys=b%20c,z&sharedKeys=z")
      #expect(some.body == #"{"client":{"b c":1.0E-4}}"#)
      let none = try await RawClient.ask(port, "GET", path + "?sharedKeys=z")
      #expect(none.body == "{}")
    }
  }

  @Test("A connection serves many requests, also after a refused one")
  func keepsConnections() async throws {
    try await withServer { server, port in
      let client = try RawClient(port: port)
      for body in ["{\"a\":1}", String(repeating: " ", count: 3000), "{\"a\":2}"] {
        client.send("POST", Self.telemetry, body: body)
      }
      #expect(try await client.receive().status == 200)
      #expect(try await client.receive().status == 413)
      #expect(try await client.receive().status == 200)
    }
  }

  @Test("A server that is cut off drops its connections and refuses new ones until it is brought back on its port")
  func cutsOff() async throws {
    try await withServer { server, port in
      let idle = try RawClient(port: port)
      idle.send("POST", Self.telemetry, body: "{\"a\":1}")
      #expect(try await idle.receive().status == 200)
      let waiting = try RawClient(port: port)
      server.setFault(.hang(.seconds(600)))
      waiting.send("POST", Self.telemetry, body: "{\"a\":2}")
      #expect(await server.wait(upTo: .seconds(10)) { server.requestsUnderWay == 1 })
      await server.cutOff()
      await #expect(throws: RawClient.Failure.ended) { try await waiting.receive() }
      await #expect(throws: RawClient.Failure.ended) { try await idle.receive() }
      #expect(throws: RawClient.Failure.refused(ECONNREFUSED)) { try RawClient(port: port) }
      server.setFault(nil)
      try await server.bringBack()
      #expect(server.port == port)
      #expect(try await RawClient.ask(port, "POST", Self.telemetry, body: "{\"a\":3}").status == 200)
      #expect(server.count(of: "a") == 2)
    }
  }

  @Test("Faults meet as many requests as asked, then the server is well again")
  func faults() async throws {
    try await withServer { server, port in
      func ask(_ body: String = "{\"a\":1}") async throws -> RawClient.Answer {
        try await RawClient.ask(port, "POST", Self.telemetry, body: body)
      }
      server.setFault(.status(429, headers: ["Retry-After": "7"]), requests: 1)
      let limited = try await ask()
      #expect(limited.status == 429)
      #expect(limited.headers["retry-after"] == "7")
      server.setFault(.captivePortal, requests: 1)
      #expect(try await ask().body.contains("<html>"))
      server.setFault(.emptyServerError, requests: 1)
      #expect(try await ask() == RawClient.Answer(status: 500, headers: ["content-length": "0"], body: ""))
      server.setFault(.dropConnection, requests: 1)
      await #expect(throws: RawClient.Failure.ended) { try await ask() }
      #expect(server.storedCount == 0)
      server.setFault(.storeThenDropConnection, requests: 1)
      await #expect(throws: RawClient.Failure.ended) { try await ask() }
      #expect(server.storedCount == 1)
      server.setFault(.poison(text: "666", answer: "Can't parse value: 666"))
      #expect(try await ask("{\"a\":666}").body == "Can't parse value: 666")
      #expect(try await ask("{\"a\":66}").status == 200)
      server.setFault(nil)
      #expect(try await ask("{\"a\":666}").status == 200)
      #expect(server.counters.failures == 5)
    }
  }

  @Test("The log has every request with its fate, and no token")
  func logs() async throws {
    try await withServer { server, port in
      _ = try await RawClient.ask(port, "POST", Self.telemetry, body: #"[{"a":1},{"b":2,"c":3}]"#)
      _ = try await RawClient.ask(port, "GET", "/api/v1/SECRET/attributes?x=SECRET")
      _ = try await RawClient.ask(port, "GET", "/other/SECRET/thing")
      let log = server.requests()
      #expect(log.map(\.status) == [200, 401, 404])
      #expect(log.map(\.path) == ["/api/v1/***/telemetry", "/api/v1/***/attributes", "/***"])
      #expect(log.first.map { [$0.messages, $0.values, $0.requestBytes] } == [2, 3, 23])
      #expect(server.requests(after: 2).map(\.number) == [3])
      #expect(server.counters.requests == 3)
    }
  }

  @Test("Two servers on one port: the second says so")
  func portTaken() async throws {
    try await withServer { _, port in
      await #expect(throws: ServerError.self) { try await DeviceServer().start(port: port) }
    }
  }

  private func withServer(_ body: (DeviceServer, UInt16) async throws -> Void) async throws {
    var options = ServerOptions(tokens: ["T"])
    options.payloadLimit = 1024
    options.asyncLimit = .milliseconds(50)
    let server = DeviceServer(options)
    let port = try await server.start()
    do { try await body(server, port) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }
}
