import Foundation
import Simulator
import Testing

/// What people drive with curl; docs/simulator.md.
@Suite struct ControlTests {
  @Test("A two-way command answers with the device's reply, and when it was handed over and answered")
  func twoWay() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll()
      let client = try RawClient(port: bench.port)
      client.send("POST", "/api/rpc/twoway/T", body: #"{"method":"getGpio","params":{"pin":"relay"},"timeout":20000}"#)
      #expect(try await poll.receive().body == #"{"id":0,"method":"getGpio","params":{"pin":"relay"}}"#)
      #expect(try await bench.post("/api/v1/T/rpc/0", #"{"value":1}"#).status == 200)
      let answer = try await client.receive()
      #expect(answer.status == 200)
      #expect(answer.body == #"{"value":1}"#)
      let handedOver = try #require(answer.headers["x-handed-over"].flatMap { UInt64($0) })
      let replied = try #require(answer.headers["x-replied"].flatMap { UInt64($0) })
      #expect(handedOver <= replied)
      #expect(answer.headers["x-command-id"] == "0")
    }
  }

  @Test("A one-way command answers once it is handed over, a two-way one without a reply with 408")
  func oneWay() async throws {
    try await ServerBench.run { bench in
      let poll = try await bench.openPoll()
      #expect(try await bench.post("/api/rpc/oneway/T", #"{"method":"reboot"}"#).status == 200)
      #expect(try await poll.receive().body == #"{"id":0,"method":"reboot","params":null}"#)
      #expect(try await bench.post("/api/rpc/oneway/T", #"{"method":"m","timeout":5}"#).status == 408)
      #expect(try await bench.post("/api/rpc/twoway/T", #"{"method":"m","timeout":5}"#).status == 408)
    }
  }

  @Test("Devices are made by the number, and connections counted")
  func manyDevices() async throws {
    try await ServerBench.run { bench in
      #expect(try await bench.get("/api/v1/D999/attributes").status == 401)
      #expect(try await bench.post("/api/devices", #"{"prefix":"D","count":1000}"#).status == 200)
      #expect(try await bench.get("/api/v1/D999/attributes").status == 200)
      #expect(try await bench.get("/api/v1/D1000/attributes").status == 401)
      for body in [#"{"prefix":"D"}"#, #"{"prefix":"D","count":0}"#, #"{"count":9999999}"#, "nope"] {
        #expect(try await bench.post("/api/devices", body).status == 400)
      }
      let before = bench.server.connections.accepted
      let poll = try await bench.openPoll()
      #expect(bench.server.connections.accepted == before + 1)
      #expect(bench.server.connections.open >= 1)
      #expect(try await bench.get("/api/status").body.contains(#""connections_accepted":\#(before + 2)"#))
      withExtendedLifetime(poll) {}
    }
  }

  @Test("A reply that is no JSON gets 406")
  func brokenReply() async throws {
    try await ServerBench.run { bench in
      let client = try RawClient(port: bench.port)
      client.send("POST", "/api/rpc/twoway/T", body: #"{"method":"m","timeout":20000}"#)
      #expect(try await bench.get("/api/v1/T/rpc?timeout=20000").status == 200)
      _ = try await bench.post("/api/v1/T/rpc/0", "not json")
      #expect(try await client.receive().status == 406)
    }
  }

  @Test("Shared attributes are set, listed and deleted")
  func attributes() async throws {
    try await ServerBench.run { bench in
      let path = "/api/plugins/telemetry/T/SHARED_SCOPE"
      _ = try await bench.post("/api/v1/T/attributes", #"{"c":1}"#)
      #expect(try await bench.post(path, #"{"a":1,"b":2}"#).status == 200)
      #expect(try await bench.post(path, "[]").status == 400)
      let poll = try await bench.openPoll("attributes/updates")
      #expect(try await RawClient.ask(bench.port, "DELETE", path + "?keys=a,z").status == 200)
      #expect(try await poll.receive().body == #"{"deleted":["a"]}"#)
      let list = try await bench.get("/api/plugins/telemetry/T/values/attributes").body
      #expect(list.contains(#""key":"c","value":1,"scope":"CLIENT_SCOPE""#))
      #expect(list.contains(#""key":"b","value":2,"scope":"SHARED_SCOPE""#))
      #expect(!list.contains(#""key":"a""#))
    }
  }

  @Test("Telemetry is given out: the newest of each key, or a span, newest first")
  func series() async throws {
    try await ServerBench.run { bench in
      let path = "/api/plugins/telemetry/T/values/timeseries"
      let nothing = try await bench.get(path).body
      #expect(nothing == "{}")
      let posted = #"[{"ts":1,"values":{"a":1}},{"ts":2,"values":{"a":2.5}},{"ts":3,"values":{"a":3,"b":"x"}}]"#
      #expect(try await bench.post("/api/v1/T/telemetry", posted).status == 200)
      #expect(
        try await bench.get(path).body == #"{"a":[{"ts":3,"value":"3"}],"b":[{"ts":3,"value":"x"}]}"#)
      let span = path + "?keys=a,z&startTs=1&endTs=3"
      #expect(try await bench.get(span).body == #"{"a":[{"ts":2,"value":"2.5"},{"ts":1,"value":"1"}]}"#)
      #expect(try await bench.get(span + "&limit=1").body == #"{"a":[{"ts":2,"value":"2.5"}]}"#)
      #expect(try await bench.get(span + "&limit=-1").body == "{}")
      #expect(try await bench.get("/api/plugins/telemetry/T/values/nothing").status == 404)
    }
  }

  @Test("An unknown device is not found; faults leave control alone; the log has no token")
  func rest() async throws {
    try await ServerBench.run { bench in
      bench.server.setFault(.dropConnection, scope: .everything)
      #expect(try await bench.post("/api/rpc/oneway/SECRET", #"{"method":"m"}"#).status == 404)
      #expect(try await bench.post("/api/rpc/oneway/T", "{}").status == 400)
      #expect(try await bench.get("/api/status").body.contains(#""requests":2"#))
      bench.server.setFault(nil)
      for path in ["plugins/telemetry/SECRET/SHARED_SCOPE", "plugins/telemetry/SECRET/x", "rpc/threeway/SECRET"] {
        _ = try await bench.post("/api/" + path, "{}")
      }
      _ = try await bench.post("/api/v1/SECRET", "{}")
      _ = try await bench.post("/api/v1/SECRET/claim", "")
      #expect(bench.server.requests().allSatisfy { !$0.path.contains("SECRET") && !$0.path.contains("/T") })
    }
  }
}
