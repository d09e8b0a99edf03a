import Simulator
import Testing

@Suite struct AttributeUpdateTests {
  static let updates = "attributes/updates"

  @Test("A change reaches every open poll flat, and ends it")
  func change() async throws {
    try await ServerBench.run { bench in
      let polls = [try await bench.openPoll(Self.updates), try await bench.openPoll(Self.updates)]
      bench.server.setSharedAttribute("x", type: .double, text: "10000000.0", token: "T")
      for poll in polls { #expect(try await poll.receive().body == #"{"x":1.0E7}"#) }
    }
  }

  @Test("Several attributes set together are one change, with the server's value rules")
  func several() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll(Self.updates)
      #expect(bench.server.setSharedAttributes(#"{"a":0.0001,"b":"7","c":{"d":null},"e":1e22}"#, token: "T"))
      // A document of the second parse has lost its nulls; a huge number comes as text.
      #expect(try await poll.receive().body == #"{"a":1.0E-4,"b":7,"c":{},"e":"10000000000000000000000"}"#)
      #expect(!bench.server.setSharedAttributes("[1]", token: "T"))
      #expect(!bench.server.setSharedAttributes("{}", token: "T"))
    }
  }

  @Test("A deletion comes as a list, and only for what was there")
  func deletion() async throws {
    try await ServerBench.run { bench in
      bench.server.setSharedAttributes(#"{"a":1,"b":2}"#, token: "T")
      let poll = try await bench.openPoll(Self.updates)
      #expect(!bench.server.deleteSharedAttribute("z", token: "T"))
      #expect(bench.server.deleteSharedAttribute("a", token: "T"))
      #expect(try await poll.receive().body == #"{"deleted":["a"]}"#)
      #expect(Array(bench.server.sharedAttributes(token: "T").keys) == ["b"])
    }
  }

  @Test("A change between two polls is never replayed")
  func gap() async throws {
    try await ServerBench.run { bench async throws in
      #expect(try await bench.get("/api/v1/T/attributes/updates?timeout=1").status == 408)
      bench.server.setSharedAttribute("x", type: .long, text: "1", token: "T")
      #expect(try await bench.get("/api/v1/T/attributes/updates?timeout=1").status == 408)
      #expect(try await bench.get("/api/v1/T/attributes?sharedKeys=x").body == #"{"shared":{"x":1}}"#)
    }
  }

  @Test("Client attributes and other devices' changes reach no poll")
  func others() async throws {
    try await ServerBench.run(ServerOptions(tokens: ["T", "U"])) { bench in
      let poll = try await bench.openPoll(Self.updates)
      _ = try await bench.post("/api/v1/T/attributes", #"{"x":1}"#)
      bench.server.setSharedAttribute("x", type: .long, text: "2", token: "U")
      bench.server.setSharedAttribute("x", type: .long, text: "3", token: "T")
      #expect(try await poll.receive().body == #"{"x":3}"#)
    }
  }

  @Test(arguments: [
    ("clientKeys=a%20b", #"{"client":{"a b":1}}"#), ("clientKeys=%C3%A4", #"{"client":{"ä":2}}"#),
    ("clientKeys=a%20b,%C3%A4&sharedKeys=s", #"{"client":{"a b":1,"ä":2},"shared":{"s":true}}"#),
    ("sharedKeys=", #"{"client":{"a b":1,"c,d":3,"ä":2},"shared":{"s":true}}"#),
    // A comma cannot be asked for.
    ("clientKeys=c%2Cd", "{}"), ("clientKeys=s&sharedKeys=a%20b", "{}"),
  ])
  func keysAreDecoded(_ query: String, _ body: String) async throws {
    try await ServerBench.run { bench in
      _ = try await bench.post("/api/v1/T/attributes", #"{"a b":1,"ä":2,"c,d":3}"#)
      bench.server.setSharedAttribute("s", type: .boolean, text: "true", token: "T")
      #expect(try await bench.get("/api/v1/T/attributes?" + query).body == body)
    }
  }
}
