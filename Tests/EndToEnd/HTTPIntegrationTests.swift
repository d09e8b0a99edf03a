import Foundation
import Simulator
import Testing

/// The second transport through the real binary: upward only, and nothing lost on the way up.
@Suite(.serialized) struct HTTPIntegrationTests {
  /// The integration's key stands in the token's place.
  private static let key = GatewayUnderTest.token

  private func gateway(key: String = key) async throws -> GatewayUnderTest {
    try await GatewayUnderTest(ports: ["line"]) { url, scratch in
      """
      server: {url: \(url), transport: http_integration}
      device: {name: green-house, token: \(key)}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
        climate: {port: line, protocol: line, template: "N={n}"}
      attributes: {site: north}
      """
    }
  }

  /// An outage, a kill and answers that get lost: each reading once, with its own timestamp, under the device's name.
  @Test func everyNumberOnceThroughAnOutageAndAKill() async throws {
    let gateway = try await gateway()
    let server = gateway.server
    try await gateway.start()
    let line = try gateway.line
    for number in 0..<600 {
      switch number {
      case 50: server.setFault(.storeThenDropConnection, requests: 4, scope: .only(.integration))
      case 150: await server.cutOff()
      case 300:
        try await Task.sleep(for: .milliseconds(300))
        gateway.daemon.kill()
        try await gateway.start()
      case 450: try await server.bringBack()
      default: break
      }
      try line.send("N=\(number)\n")
      if number % 10 == 9 { try await Task.sleep(for: .milliseconds(10)) }
    }
    #expect(await gateway.arrived(600), "\(gateway.daemon.log)")
    #expect(gateway.numbers() == Array(0..<600))
    #expect(server.values(of: "n").allSatisfy { $0.type == .double })
    // What was stored and not acknowledged comes once more, after all has arrived.
    #expect(await server.wait(upTo: .seconds(20)) { server.counters.repeats > 0 }, "no answer was lost")
    #expect(server.counters.replacements == 0)
    #expect(await server.wait(upTo: .seconds(20)) { server.clientAttributes(token: Self.key)["site"] != nil })
    #expect(server.uplinks.allSatisfy { $0.payload.hasPrefix(#"{"deviceName":"green-house","#) })
    #expect(Set(server.requests().map(\.kind)) == [.integration], "nothing else is asked")
    #expect(gateway.daemon.terminate() == 0)
    let complaints = gateway.daemon.log.split(separator: "\n").filter { $0.hasPrefix("<3>") || $0.hasPrefix("<4>") }
    #expect(complaints.count <= 4, "\(gateway.daemon.log)")
    #expect(!gateway.daemon.log.contains(Self.key))
    await gateway.end()
  }

  /// What the command line asks of a way that only leads up is refused in words, with a daemon and without.
  @Test func whatItCannotCarryIsRefused() async throws {
    let gateway = try await gateway()
    try await gateway.start()
    for hasDaemon in [true, false] {
      if !hasDaemon { #expect(gateway.daemon.terminate() == 0) }
      for words in [["rpc", "m"], ["claim"], ["provision", "--force"]] {
        let answer = try await gateway.baudgate(words)
        #expect(answer.status == 1, "\(words)")
        #expect(
          answer.errors.contains(words[0] == "provision" ? "stays" : "nothing comes down"), "\(words): \(answer.errors)"
        )
      }
    }
    await gateway.end()
  }

  @Test func anUnknownKeyIsTold() async throws {
    let gateway = try await gateway(key: "N0_SUCH_KEY_91")
    try await gateway.start()
    try gateway.line.send("N=1\n")
    let daemon = gateway.daemon
    #expect(try await eventually { daemon.log.contains("has no HTTP integration with this key") }, "\(daemon.log)")
    #expect((try daemon.status()["queue"] as? [String: Any])?["records"] as? Int == 1)
    #expect(!daemon.log.contains("N0_SUCH_KEY_91"))
    await gateway.end()
  }
}
