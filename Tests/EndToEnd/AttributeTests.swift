import Foundation
import Simulator
import Testing

/// Attributes both ways, calls and claims, through the real binary.
@Suite(.serialized) struct AttributeTests {
  private static let token = GatewayUnderTest.token

  private func shared(_ gateway: GatewayUnderTest) throws -> [String: Any] {
    let status = try gateway.daemon.status()
    return (status["shared_attributes"] as? [String: Any])?["values"] as? [String: Any] ?? [:]
  }

  @Test func clientAttributesAtTheStartAndOnChange() async throws {
    let gateway = try await CommandTests.gateway()
    try gateway.scratch.write("0", to: "chip/line17")
    try await gateway.start()
    let server = gateway.server
    @Sendable func value(_ name: String) -> StoredValue? { server.clientAttributes(token: Self.token)[name] }
    let names = ["baudgate_version", "kernel", "boot_time", "ports", "sensors", "site", "floor", "17", "23", "24"]
    #expect(await server.wait(upTo: .seconds(20)) { names.allSatisfy { value($0) != nil } }, "\(gateway.daemon.log)")
    #expect(value("floor")?.type == .long)
    #expect(value("boot_time")?.type == .long)
    #expect(value("24")?.type == .boolean)
    #expect(value("24")?.text == "true")
    #expect(value("23")?.text == "false")
    // A panel shows what a command and a door do.
    #expect(await gateway.ask("setGpio", #"{"pin":23,"value":1}"#) != nil)
    #expect(await server.wait(upTo: .seconds(20)) { value("23")?.text == "true" })
    let input = try FileHandle(forWritingTo: URL(fileURLWithPath: gateway.scratch.file("chip/line17")))
    try input.write(contentsOf: Data("1".utf8))
    try input.close()
    #expect(await server.wait(upTo: .seconds(20)) { value("17")?.text == "true" })
    #expect(await gateway.arrived(2, of: "door"), "the input is a key of telemetry, its first value and the change")
    await gateway.end()
  }

  /// Changes before the start, through polls, between two polls (the server was away) and deletions.
  @Test func sharedAttributesAreNeverMissed() async throws {
    let gateway = try await CommandTests.gateway()
    let server = gateway.server
    server.setSharedAttributes(#"{"before":1,"gone":true}"#, token: Self.token)
    try await gateway.start()
    #expect(try await eventually { try self.shared(gateway)["before"] as? Int == 1 }, "\(gateway.daemon.log)")
    #expect(await gateway.isPolling(.pollAttributes))
    server.setSharedAttributes(#"{"polled":"yes"}"#, token: Self.token)
    server.deleteSharedAttribute("gone", token: Self.token)
    #expect(
      try await eventually {
        let now = try self.shared(gateway)
        return now["polled"] as? String == "yes" && now["gone"] == nil
      })
    await server.cutOff()
    server.setSharedAttributes(#"{"between":1.5}"#, token: Self.token)
    server.deleteSharedAttribute("before", token: Self.token)
    try await server.bringBack()
    #expect(
      try await eventually(within: .seconds(60)) {
        let now = try self.shared(gateway)
        return now["between"] as? Double == 1.5 && now["before"] == nil
      }, "\(gateway.daemon.log)")
    #expect(!gateway.daemon.log.contains("yes"), "a value may be a secret")
    let reply = await gateway.ask("getStatus") ?? ""
    #expect(reply.contains(#""last_reading_age_ms":"#) && !reply.contains("yes"), "\(reply)")
    await gateway.end()
  }

  @Test func callsFromTheCommandLineAndOnSchedule() async throws {
    let gateway = try await GatewayUnderTest { url, _ in
      """
      server: {url: \(url)}
      device: {token: \(Self.token)}
      rpc:
        call:
          weather: {method: getWeather, params: {city: Oslo}, interval: 1s, values: {outside.temperature: temperature}}
      """
    }
    gateway.server.setCallAnswers(["getWeather": #"{"temperature":7.5,"wind":3}"#, "echo": #"[1,2.50,"x"]"#])
    try await gateway.start()
    #expect(await gateway.arrived(2, of: "outside.temperature"), "\(gateway.daemon.log)")
    let answer = try await gateway.baudgate("rpc", "echo", #"{"a":1}"#)
    #expect(answer.status == 0, "\(answer.errors)")
    #expect(answer.output == "[1,2.5,\"x\"]\n")
    gateway.server.setCallAnswers(["echo": #"{"error":"no such city"}"#])
    #expect(try await gateway.baudgate("rpc", "echo").output == #"{"error":"no such city"}"# + "\n")
    let mistake = try await gateway.baudgate("rpc", "echo", "{no json")
    #expect(mistake.status != 0 && mistake.errors.contains("JSON"))
    gateway.daemon.terminate()
    // Without a daemon the command line asks itself.
    #expect(try await gateway.baudgate("rpc", "echo").output == #"{"error":"no such city"}"# + "\n")
    await gateway.server.cutOff()
    let outage = try await gateway.baudgate("rpc", "echo")
    #expect(outage.status == 1)
    #expect(outage.errors.contains("cannot be reached"))
    #expect(!outage.errors.contains(Self.token))
    await gateway.end()
  }

  @Test func claiming() async throws {
    let gateway = try await GatewayUnderTest { url, scratch in
      try FileManager.default.createDirectory(atPath: scratch.file("chip"), withIntermediateDirectories: false)
      try scratch.write("0", to: "chip/line5")
      try scratch.write("open sesame\n", to: "secret")
      chmod(scratch.file("secret"), 0o600)
      return """
        server: {url: \(url)}
        device: {token: \(Self.token)}
        gpio: {chip: "simulated:\(scratch.file("chip"))", lines: {button: {line: 5, direction: input}}}
        claim: {secret_file: \(scratch.file("secret")), duration: 10m, at_boot: true, button: button}
        """
    }
    let server = gateway.server
    try await gateway.start()
    #expect(await server.wait(upTo: .seconds(20)) { server.claims.count == 1 }, "\(gateway.daemon.log)")
    #expect(
      try await eventually {
        (try gateway.daemon.status()["gpio"] as? [String: [String: Any]])?["button"]?["value"] as? Bool == false
      })
    let input = try FileHandle(forWritingTo: URL(fileURLWithPath: gateway.scratch.file("chip/line5")))
    try input.write(contentsOf: Data("1".utf8))
    try input.close()
    #expect(await server.wait(upTo: .seconds(20)) { server.claims.count == 2 }, "\(gateway.daemon.log)")
    let answer = try await gateway.baudgate("claim", "--duration", "1h")
    #expect(answer.status == 0, "\(answer.errors)")
    #expect(server.claims.count == 3)
    #expect(server.claims.allSatisfy { $0.secret == "open sesame" })
    #expect(server.claims.map(\.duration) == [600_000, 600_000, 3_600_000])
    #expect(!gateway.daemon.log.contains("sesame"))
    await gateway.end()
  }
}
