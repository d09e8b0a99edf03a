import Foundation
import Simulator
import Testing

/// The shared attribute `baudgate` and the real binary.
@Suite(.serialized) struct RemoteConfigurationTests {
  private static let token = GatewayUnderTest.token

  private static func gateway(
    remote: String = "", environment: [String: String] = [:]
  ) async throws -> GatewayUnderTest {
    try await GatewayUnderTest([("line", #"template: "N={n}""#)], more: remote, environment: environment)
  }

  private static func set(_ overlay: String, on gateway: GatewayUnderTest) {
    gateway.server.setSharedAttributes("{\"baudgate\":\(overlay)}", token: token)
  }

  private static func state(_ gateway: GatewayUnderTest) -> String? {
    gateway.server.clientAttributes(token: token)["baudgate_state"]?.text
  }

  private static func error(_ gateway: GatewayUnderTest) -> String {
    gateway.server.clientAttributes(token: token)["baudgate_error"]?.text ?? ""
  }

  private static func becomes(_ word: String, _ gateway: GatewayUnderTest) async -> Bool {
    await gateway.server.wait(upTo: .seconds(30)) { state(gateway) == word }
  }

  @Test func itIsAppliedProvedAndKept() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling(.pollAttributes))
    Self.set(#"{"sensors":{"line-sensor":{"scale":{"n":10}}},"log":{"level":"debug"}}"#, on: gateway)
    #expect(await Self.becomes("applied", gateway), "\(gateway.daemon.log)")
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1))
    #expect(gateway.numbers() == [10])
    // Without a network the next start has it.
    gateway.daemon.kill()
    await gateway.server.cutOff()
    try await gateway.start()
    try gateway.line.send("N=2\n")
    try await gateway.server.bringBack()
    #expect(await gateway.arrived(2))
    #expect(gateway.numbers().last == 20)
    // Withdrawn, the file alone counts.
    gateway.server.deleteSharedAttribute("baudgate", token: Self.token)
    #expect(await Self.becomes("none", gateway), "\(gateway.daemon.log)")
    try gateway.line.send("N=3\n")
    #expect(await gateway.arrived(3))
    #expect(gateway.numbers().last == 3)
    await gateway.end()
  }

  @Test func oneThatIsNotProvedInTimeIsTakenBack() async throws {
    let gateway = try await Self.gateway(remote: "remote: {trial: 10s}")
    try await gateway.start()
    #expect(await gateway.isPolling(.pollAttributes))
    // What goes up fails from now on, what comes down does not.
    gateway.server.setFault(.status(503), scope: .only(.postTelemetry))
    gateway.server.setFault(.status(503), scope: .only(.postAttributes))
    Self.set(#"{"sensors":{"line-sensor":{"scale":{"n":10}}}}"#, on: gateway)
    #expect(try await eventually(within: .seconds(60)) { gateway.daemon.log.contains("is taken back") })
    gateway.server.setFault(nil)
    #expect(await Self.becomes("rolled_back", gateway), "\(gateway.daemon.log)")
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1))
    #expect(gateway.numbers() == [1])
    await gateway.end()
  }

  /// Wrong types, unknown keys, credentials, a megabyte: refused with words that name the place, and none of a secret.
  @Test func whatIsWrongIsRefusedByName() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling(.pollAttributes))
    let cases: [(overlay: String, words: String)] = [
      (#"{"upload":{"interval":{"a":1}}}"#, "upload.interval"),
      (#"{"uplaod":{}}"#, "did you mean \"upload\""),
      (#"{"device":{"token":"S3CRET_IN_OVERLAY"}}"#, "device"),
      (#"{"server":{"url":"http://evil.example"}}"#, "server"),
      (#"{"sensors":{"line-sensr":{"enabled":false}}}"#, "line-sensor"),
      (#"{"downlink":{"shared_attributes":"off"}}"#, "shared_attributes"),
      (#"[1,2]"#, "object"),
      (#""text""#, "object"),
      ("5", "object"),
      (#"{"upload":{"max_batch":0}}"#, "upload.max_batch"),
    ]
    for (overlay, words) in cases {
      let before = gateway.daemon.log.components(separatedBy: "is not used").count
      Self.set(overlay, on: gateway)
      let isToldOf = try await eventually {
        gateway.daemon.log.components(separatedBy: "is not used").count > before
      }
      #expect(isToldOf, "\(overlay): \(gateway.daemon.log.suffix(500))")
      let server = gateway.server
      let token = Self.token
      let isReported = await server.wait(upTo: .seconds(20)) {
        server.clientAttributes(token: token)["baudgate_error"]?.text.contains(words) == true
      }
      #expect(isReported, "\(overlay): \(Self.error(gateway))")
      #expect(Self.state(gateway) == "refused")
    }
    let long = String(repeating: "x", count: 1 << 20)
    gateway.server.setSharedAttributes(#"{"baudgate":{"upload":{"interval":"\#(long)"}}}"#, token: Self.token)
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log.suffix(500))")
    #expect(!gateway.daemon.log.contains("S3CRET_IN_OVERLAY"))
    #expect(!Self.error(gateway).contains("S3CRET_IN_OVERLAY"))
    await gateway.end()
  }

  /// Again and again to and fro: each ends as it should, and nothing grows.
  @Test func cyclesOfApplyAndWithdraw() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling(.pollAttributes))
    for round in 1...4 {
      Self.set(#"{"sensors":{"line-sensor":{"scale":{"n":\#(round + 1)}}}}"#, on: gateway)
      #expect(await Self.becomes("applied", gateway), "round \(round): \(gateway.daemon.log.suffix(800))")
      try gateway.line.send("N=1\n")
      #expect(await gateway.arrived(round))
      #expect(gateway.numbers().last == round + 1)
      gateway.server.deleteSharedAttribute("baudgate", token: Self.token)
      #expect(await Self.becomes("none", gateway))
    }
    let ports = try gateway.daemon.status()["ports"] as? [String: [String: Any]]
    #expect(ports?["line"]?["reopened"] as? Int == 0)
    await gateway.end()
  }

  /// Killed before or after each durable step. On trial it is taken back; proved it stays; never is it half.
  @Test(arguments: [false, true]) func itSurvivesAKillAtEachDurableStep(isAfter: Bool) async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    var outcomes: [String: Int] = [:]
    for step in 1...40 {
      let kill = Interposer.Kill(step: step, isAfter: isAfter)
      let gateway = try await Self.gateway(
        environment: kill.environment(library, match: "remote-configuration.json:/state$"))
      Self.set(#"{"sensors":{"line-sensor":{"scale":{"n":10}}}}"#, on: gateway)
      try gateway.daemon.launch()
      let isOver = try await eventually { !gateway.daemon.isRunning || Self.state(gateway) == "applied" }
      #expect(isOver, "\(kill): \(gateway.daemon.log)")
      let wasKilled = !gateway.daemon.isRunning
      gateway.daemon.kill()
      gateway.daemon.environment = [:]
      try await gateway.start()
      let server = gateway.server
      let ended = await server.wait(upTo: .seconds(30)) { ["applied", "rolled_back"].contains(Self.state(gateway)) }
      #expect(ended, "\(kill): \(Self.state(gateway) ?? "nothing"); \(gateway.daemon.log)")
      let status = try gateway.daemon.status()["remote_configuration"] as? [String: Any]
      let state = try #require(status?["state"] as? String)
      try gateway.line.send("N=1\n")
      #expect(await gateway.arrived(1))
      #expect(gateway.numbers() == [state == "applied" ? 10 : 1], "\(kill): \(state)")
      outcomes[wasKilled ? state : "through", default: 0] += 1
      await gateway.end()
      if !wasKilled { break }
    }
    #expect(outcomes["through"] == 1, "the steps have no end: \(outcomes)")
    #expect(outcomes["rolled_back", default: 0] >= 1, "never on trial: \(outcomes)")
    #expect(outcomes["applied", default: 0] >= 1, "never before it, or proved: \(outcomes)")
  }
}
