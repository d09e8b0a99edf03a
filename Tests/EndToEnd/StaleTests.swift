import Foundation
import Simulator
import Testing

/// A sensor that says nothing any more: told, its port opened again, and the daemon goes on.
@Suite(.serialized) struct StaleTests {
  private static let token = GatewayUnderTest.token

  private static func gateway() async throws -> GatewayUnderTest {
    try await GatewayUnderTest(ports: ["alone", "shared"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {token: \(token)}
      ports:
        alone: {path: \(scratch.file("tty-alone")), baud: 115200}
        shared: {path: \(scratch.file("tty-shared")), baud: 115200}
      sensors:
        climate: {port: alone, protocol: line, template: "N={n}", stale_after: 3s}
        silent: {port: shared, protocol: line, template: "A={a}", stale_after: 2s}
        talker: {port: shared, protocol: line, template: "B={b}"}
      """
    }
  }

  @Test func aSilentSensorIsToldAndItsPortOpenedAgain() async throws {
    let gateway = try await Self.gateway()
    let (server, daemon) = (gateway.server, gateway.daemon)
    @Sendable func isStale(_ sensor: String) -> String? {
      server.clientAttributes(token: Self.token)["\(sensor).stale"]?.text
    }
    @Sendable func reopened(_ port: String) throws -> Int? {
      (try daemon.status()["ports"] as? [String: [String: Any]])?[port]?["reopened"] as? Int
    }
    try await gateway.start()
    try gateway.line("alone").send("N=1\n")
    #expect(await server.wait(upTo: .seconds(20)) { isStale("climate") == "false" && isStale("silent") == "false" })
    // One of two on a port speaks on.
    let shared = try gateway.line("shared")
    let didTell = try await eventually(within: .seconds(20)) {
      try shared.send("B=1\n")
      return isStale("climate") == "true" && isStale("silent") == "true"
    }
    #expect(didTell, "\(daemon.log)")
    #expect(daemon.log.contains("climate on alone: stale, no reading for 3."), "\(daemon.log)")
    #expect(daemon.log.contains("silent on shared: stale, no reading for 2."), "\(daemon.log)")
    #expect(try await eventually { try reopened("alone") == 1 }, "\(daemon.log)")
    #expect(try reopened("shared") == 0, "its other sensor speaks")
    let sensors = try daemon.status()["sensors"] as? [String: [String: Any]]
    #expect(sensors?["climate"]?["stale"] as? Bool == true)
    #expect(sensors?["talker"]?["stale"] == nil)
    try await gateway.waitUntilOpen()
    try gateway.line("alone").send("\nN=2\n")
    #expect(await gateway.arrived(2))
    #expect(await server.wait(upTo: .seconds(20)) { isStale("climate") == "false" })
    #expect(daemon.log.contains("climate on alone: readings come again"))
    try shared.send("A=1\n")
    #expect(await server.wait(upTo: .seconds(20)) { isStale("silent") == "false" })
    #expect(daemon.log.components(separatedBy: "climate on alone: stale").count == 2, "\(daemon.log)")
    #expect(daemon.terminate() == 0)
    await gateway.end()
  }
}
