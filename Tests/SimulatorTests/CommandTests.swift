import Foundation
import Simulator
import Testing

/// Server-side RPC over HTTP; who gets what is in `CommandQueueTests`.
@Suite struct CommandTests {
  @Test("A command is handed to every open poll, and its reply reaches who waits")
  func deliversAndCollects() async throws {
    try await ServerBench.run { bench in
      let polls = [try await bench.openPoll(), try await bench.openPoll()]
      let id = bench.server.sendCommand("setGpio", params: #"{"pin":"23", "value":1.0}"#, token: "T")
      for poll in polls {
        let answer = try await poll.receive()
        #expect(answer.status == 200)
        #expect(answer.body == #"{"id":0,"method":"setGpio","params":{"pin":"23","value":1.0}}"#)
        #expect(answer.headers["content-type"] == "application/json")
      }
      #expect(bench.server.commandDeliveries(id: id, token: "T") == 2)
      #expect(bench.server.reply(to: id, token: "T") == nil)
      #expect(try await bench.post("/api/v1/T/rpc/0", #"{"ok":true}"#).status == 200)
      #expect(await bench.server.waitForReply(to: id, token: "T") == #"{"ok":true}"#)
      let outcome = try #require(bench.server.reply(to: id, token: "T"))
      #expect(outcome.isAnsweredInTime)
      #expect(outcome.sentAt <= outcome.handovers[0])
      #expect(outcome.handovers[0] <= outcome.replies[0].time)
      #expect(bench.server.pendingCommands(token: "T") == 0)
    }
  }

  @Test(arguments: [
    ("true", "true"), ("21.50", "21.50"), (#""s""#, #""s""#), ("null", "null"), ("", "null"), ("[1]", "[1]"),
    ("{broken", "{broken"),
  ])
  func paramsAreAnyJSON(_ params: String, _ sent: String) async throws {
    try await ServerBench.run { bench async throws in
      bench.server.sendCommand("m", params: params, token: "T")
      #expect(try await bench.get("/api/v1/T/rpc").body == #"{"id":0,"method":"m","params":\#(sent)}"#)
    }
  }

  @Test("A one-way command in the gap after an ended poll is lost, a two-way one comes with the next poll")
  func ghosts() async throws {
    try await ServerBench.run { bench in
      try await bench.endedPoll()
      let lost = bench.server.sendCommand("lost", token: "T", oneWay: true)
      #expect(bench.server.outcome(of: lost, token: "T")?.wentToGhost == true)
      try await bench.endedPoll()
      let kept = bench.server.sendCommand("kept", token: "T")
      #expect(try await bench.get("/api/v1/T/rpc?timeout=20000").body.contains(#""method":"kept""#))
      #expect(bench.server.commandDeliveries(id: lost, token: "T") == 0)
      #expect(bench.server.commandDeliveries(id: kept, token: "T") == 1)
    }
  }

  @Test("A poll whose client is gone counts as a delivery")
  func halfDead() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll()
      poll.hangUp()
      let id = bench.server.sendCommand("lost", token: "T", oneWay: true)
      #expect(bench.server.commandDeliveries(id: id, token: "T") == 1)
      try await bench.endedPoll()
    }
  }

  @Test("A poll ends with the client's 408 or the servlet's 503, whichever is sooner")
  func pollEnds() async throws {
    var options = ServerOptions(tokens: ["T"])
    options.asyncLimit = .milliseconds(40)
    try await ServerBench.run(options) { bench in
      for path in ["rpc", "attributes/updates"] {
        #expect(try await bench.get("/api/v1/T/\(path)?timeout=5") == .init(408, ""))
        let ended = try await bench.get("/api/v1/T/\(path)?timeout=20000")
        #expect(ended.status == 503)
        #expect(ended.headers["content-type"] == "application/json")
        #expect(ended.body.contains(#""status":503"#))
      }
      #expect(bench.server.openPolls(.pollCommands) == 0)
      #expect(bench.server.openPolls(.pollAttributes) == 0)
      // A call nobody answers meets the same limit before its own minute is over.
      #expect(try await bench.post("/api/v1/T/rpc", #"{"method":"m","params":1}"#).status == 503)
    }
  }

  @Test("The polls of a deleted device end with 403, and its token is unknown from then on")
  func deletedDevice() async throws {
    for tokens in [["T"], nil] as [Set<String>?] {
      try await ServerBench.run(ServerOptions(tokens: tokens)) { bench in
        let polls = [try await bench.openPoll(), try await bench.openPoll("attributes/updates")]
        bench.server.deleteDevice(token: "T")
        for poll in polls {
          let answer = try await poll.receive()
          #expect(answer.status == 403)
          #expect(answer.body == "Device was deleted!")
        }
        #expect(try await bench.get("/api/v1/T/attributes").status == 401)
        bench.server.addDevice(token: "T")
        #expect(try await bench.get("/api/v1/T/attributes").status == 200)
      }
    }
  }

  @Test("A cut-off server ends its polls; what was open leaves a ghost")
  func cutOff() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll()
      await bench.server.cutOff()
      await #expect(throws: RawClient.Failure.ended) { try await poll.receive() }
      let server = bench.server
      #expect(await server.wait(upTo: ServerBench.patience) { server.openPolls(.pollCommands) == 0 })
      try await bench.server.bringBack()
      let id = bench.server.sendCommand("lost", token: "T", oneWay: true)
      #expect(bench.server.outcome(of: id, token: "T")?.wentToGhost == true)
    }
  }

  @Test("A reply is any text, to any number; without a body or a number it is no reply")
  func replies() async throws {
    try await ServerBench.run { bench async throws in
      #expect(try await bench.post("/api/v1/T/rpc/41", "not json") == .init(200, ""))
      #expect(bench.server.reply(to: 41, token: "T")?.replies.map(\.text) == ["not json"])
      #expect(try await bench.post("/api/v1/T/rpc/41", "").status == 400)
      #expect(try await bench.post("/api/v1/T/rpc/x", "1").status == 404)
      #expect(try await bench.post("/api/v1/T/rpc/1", String(repeating: "1", count: 65_537)).status == 413)
    }
  }

  @Test("Nobody waits for a reply longer than allowed")
  func waitEnds() async throws {
    try await ServerBench.run { bench in
      let id = bench.server.sendCommand("m", token: "T")
      #expect(await bench.server.waitForReply(to: id, token: "T", within: .milliseconds(5)) == nil)
    }
  }
}

extension RawClient.Answer {
  /// Without any header of interest.
  init(_ status: Int, _ body: String) {
    self.init(status: status, headers: ["content-length": "\(body.utf8.count)"], body: body)
  }
}
