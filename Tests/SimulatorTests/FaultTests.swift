import Foundation
import Simulator
import Synchronization
import Testing

@Suite struct FaultTests {
  private static func options() -> ServerOptions {
    var options = ServerOptions(tokens: ["T"])
    options.provisioningProfiles = [ProvisioningProfile(key: "k", secret: "s")]
    return options
  }

  /// One request of each kind, all answered 200 by a server that is well.
  static let requests: [(RequestKind, String, String, String)] = [
    (.postTelemetry, "POST", "T/telemetry", #"{"a":1}"#), (.postAttributes, "POST", "T/attributes", #"{"a":1}"#),
    (.getAttributes, "GET", "T/attributes", ""), (.pollAttributes, "GET", "T/attributes/updates", ""),
    (.pollCommands, "GET", "T/rpc", ""), (.postReply, "POST", "T/rpc/0", "1"),
    (.call, "POST", "T/rpc", #"{"method":"m","params":1}"#), (.claim, "POST", "T/claim", ""),
    (.provision, "POST", "provision", #"{"provisionDeviceKey":"k","provisionDeviceSecret":"s"}"#),
    (.integration, "POST", "integrations/http/T", #"{"attributes":{"a":1}}"#),
    (.getPackage, "GET", "T/firmware?title=t&version=1", ""),
  ]

  @Test("A fault meets the kind of request it is for, and no other", arguments: requests.map(\.0))
  func scopes(_ kind: RequestKind) async throws {
    try await ServerBench.run(Self.options()) { bench in
      bench.server.assign(ServedPackage(.firmware, title: "t", version: "1", content: [1]), token: "T")
      bench.server.setFault(.status(599), scope: .only(kind))
      for (other, method, path, body) in Self.requests {
        // What would wait for news is told apart by its fault alone.
        if other != kind, [.pollAttributes, .pollCommands, .call].contains(other) { continue }
        let answer = try await RawClient.ask(bench.port, method, "/api/v1/" + path, body: body)
        #expect(answer.status == (other == kind ? 599 : 200), "\(other)")
      }
    }
  }

  @Test("Faults of several scopes are in force together; ending one leaves the others")
  func together() async throws {
    try await ServerBench.run { bench async throws in
      bench.server.setFault(.status(503), scope: .everything)
      bench.server.setFault(.status(429), scope: .only(.getAttributes))
      #expect(try await bench.get("/api/v1/T/attributes").status == 429)
      #expect(try await bench.post("/api/v1/T/telemetry", "{}").status == 503)
      bench.server.setFault(nil, scope: .everything)
      #expect(try await bench.post("/api/v1/T/telemetry", #"{"a":1}"#).status == 200)
      #expect(try await bench.get("/api/v1/T/attributes").status == 429)
      bench.server.setFault(nil)
      #expect(try await bench.get("/api/v1/T/attributes").status == 200)
    }
  }

  @Test("A reset is an RST, a drop is not")
  func resets() async throws {
    try await ServerBench.run { bench in
      bench.server.setFault(.reset, requests: 1)
      await #expect(throws: RawClient.Failure.reset) { try await bench.post("/api/v1/T/telemetry", #"{"a":1}"#) }
      bench.server.setFault(.dropConnection, requests: 1)
      await #expect(throws: RawClient.Failure.ended) { try await bench.post("/api/v1/T/telemetry", #"{"a":1}"#) }
      #expect(bench.server.storedCount == 0)
      #expect(bench.server.requests().map(\.status) == [nil, nil])
    }
  }

  @Test("An answer is cut in the middle of its body, after the work", arguments: [false, true])
  func cuts(reset: Bool) async throws {
    try await ServerBench.run { bench in
      bench.server.setSharedAttribute("name", type: .string, text: "value", token: "T")
      bench.server.setFault(.cutBody(reset: reset), requests: 1, scope: .everything)
      let client = try RawClient(port: bench.port)
      client.send("GET", "/api/v1/T/attributes")
      await #expect(throws: reset ? RawClient.Failure.reset : .ended) { try await client.receive() }
      #expect(client.received.hasSuffix("\r\n\r\n" + #"{"shared":{"n"#))
      bench.server.setFault(.cutBody(reset: reset), requests: 1)
      let other = try RawClient(port: bench.port)
      other.send("POST", "/api/v1/T/telemetry", body: #"{"a":1}"#)
      await #expect(throws: reset ? RawClient.Failure.reset : .ended) { try await other.receive() }
      #expect(other.received.hasPrefix("HTTP/1.1 200"))
      #expect(bench.server.storedCount == 1)
    }
  }

  @Test("A command's answer is lost although the poll was open before the fault; the server counts it as delivered")
  func losesCommands() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll()
      bench.server.setFault(.storeThenDropConnection, requests: 1, scope: .polls)
      // The end of a poll is no answer to lose.
      try await bench.endedPoll()
      let id = bench.server.sendCommand("m", token: "T", oneWay: true)
      await #expect(throws: RawClient.Failure.ended) { try await poll.receive() }
      #expect(bench.server.commandDeliveries(id: id, token: "T") == 1)
    }
  }

  @Test("A device is made although the answer is lost")
  func losesProvisioning() async throws {
    try await ServerBench.run(Self.options()) { bench async throws in
      bench.server.setFault(.storeThenDropConnection, requests: 1, scope: .only(.provision))
      let body = #"{"deviceName":"d","provisionDeviceKey":"k","provisionDeviceSecret":"s","token":"OWN"}"#
      await #expect(throws: RawClient.Failure.ended) { try await bench.post("/api/v1/provision", body) }
      #expect(try await bench.post("/api/v1/provision", body).body.contains("FAILURE"))
      #expect(try await bench.get("/api/v1/OWN/attributes").status == 200)
    }
  }

  @Test("Hostile bodies: garbage, huge, deeply nested, and a poll that ends at once")
  func bodies() async throws {
    try await ServerBench.run { bench in
      func ask(_ fault: Fault) async throws -> RawClient.Answer {
        bench.server.setFault(fault, requests: 1, scope: .polls)
        return try await bench.get("/api/v1/T/rpc?timeout=20000")
      }
      let garbage = try await ask(.garbage(bytes: 1000))
      #expect(garbage.headers["content-length"] == "1000")
      #expect(garbage.body.hasPrefix("\u{FFFD}"))
      let huge = try await ask(.hugeBody(bytes: 3_000_000))
      #expect(huge.body.utf8.count > 3_000_000)
      #expect(huge.body.hasSuffix("a\"}"))
      #expect(try await ask(.nested(depth: 3)).body == #"{"id":0,"method":"m","params":[[[]]]}"#)
      #expect(try await ask(.endPoll) == .init(408, ""))
    }
  }

  @Test("The hook is called before the work and after it, before the answer")
  func hooks() async throws {
    try await ServerBench.run { bench in
      let seen = Mutex<[String]>([])
      bench.server.onRequest { [server = bench.server] kind, phase in
        seen.withLock { $0.append("\(kind) \(phase) \(server.storedCount) \(server.requests().count)") }
      }
      _ = try await bench.post("/api/v1/T/telemetry", #"{"a":1}"#)
      #expect(seen.withLock { $0 } == ["postTelemetry before 0 0", "postTelemetry after 1 0"])
    }
  }

  @Test("A connection that the hook drops after the work leaves the work done")
  func hookDrops() async throws {
    try await ServerBench.run { bench in
      bench.server.onRequest { [server = bench.server] _, phase in
        if phase == .after { server.dropConnections() }
      }
      await #expect(throws: RawClient.Failure.self) { try await bench.post("/api/v1/T/telemetry", #"{"a":1}"#) }
      #expect(bench.server.storedCount == 1)
    }
  }
}
