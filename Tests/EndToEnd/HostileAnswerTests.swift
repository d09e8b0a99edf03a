import Foundation
import Simulator
import Testing

/// Whatever answers on whatever endpoint: a line in the log, and a daemon that works as soon as the server does.
@Suite(.serialized) struct HostileAnswerTests {
  static let faults: [Fault] = [
    .garbage(bytes: 4096), .hugeBody(bytes: 4 << 20), .nested(depth: 10_000), .cutBody(), .cutBody(reset: true), .reset,
    .captivePortal, .emptyServerError, .status(404), .status(302, headers: ["Location": "http://127.0.0.1:1/T"]),
    .status(200, body: #"{"id":"x","method":7}"#, contentType: "application/json"),
    .status(200, body: #"{"id":99999999999999999999,"method":"setGpio","params":{}}"#, contentType: "application/json"),
    .status(200, body: "[]", contentType: "application/json"), .status(200, body: "null"),
    .status(408), .status(503), .status(500, body: "Can't parse value: x"),
  ]

  @Test(arguments: faults) func onEveryEndpoint(_ fault: Fault) async throws {
    let gateway = try await CommandTests.gateway()
    // Without a rule the call below would end as the servlet's time limit does, and meet no fault of the answer's.
    gateway.server.setCallAnswers(["m": #"{"a":1}"#])
    gateway.server.setFault(fault, scope: .everything)
    try await gateway.start()
    try gateway.line.send("T=21.5\n")
    #expect(
      try await eventually {
        gateway.daemon.log.split(separator: "\n").contains { $0.hasPrefix("<3>") || $0.hasPrefix("<4>") }
      }, "\(fault): not a word; the log:\n\(gateway.daemon.log)")
    let call = try await gateway.baudgate("rpc", "m", "{}")
    #expect(
      call.status == 1 || fault == .status(200, body: "null") || call.output.hasPrefix("{") || call.output == "[]\n")
    #expect(gateway.daemon.isRunning, "\(fault)")
    gateway.server.setFault(nil, scope: .everything)
    // Waits for what a person must mend last half a minute at first: a restart is quicker.
    #expect(gateway.daemon.terminate() == 0)
    try await gateway.start()
    let reply = await gateway.ask("setGpio", #"{"pin":23,"value":1}"#)
    #expect(reply == #"{"pin":"relay","value":1}"#, "\(fault); the log:\n\(gateway.daemon.log)")
    #expect(!gateway.daemon.log.contains(GatewayUnderTest.token), "\(fault)")
    await gateway.end()
  }

  /// A proxy that answers 408 at once must not make a busy loop.
  @Test func aPollEndedAtOnceIsNoLoop() async throws {
    let gateway = try await CommandTests.gateway()
    gateway.server.setFault(.status(408), scope: .polls)
    try await gateway.start()
    #expect(try await eventually { gateway.daemon.log.contains("408") }, "\(gateway.daemon.log)")
    let before = gateway.server.counters.requests
    try await Task.sleep(for: .seconds(3))
    let polls = gateway.server.counters.requests - before
    #expect(polls < 20, "\(polls) requests in 3 s")
    await gateway.end()
  }
}
