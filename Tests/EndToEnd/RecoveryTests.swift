import Foundation
import Simulator
import Testing

/// What the real daemon does about a port that says nothing.
@Suite struct RecoveryTests {
  @Test func aSilentPortIsOpenedAgainAndThenAProgramIsRun() async throws {
    let gateway = try await GatewayUnderTest(ports: ["line"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {name: e2e, token: \(GatewayUnderTest.token)}
      ports:
        line:
          path: \(scratch.file("tty-line"))
          baud: 115200
          silent: [{after: 10s, run: reopen}, {after: 11s, run: usb-reset}, {after: 12s, run: note}]
      sensors:
        climate: {port: line, protocol: line, template: "N={n}"}
      rpc: {run: {note: [/bin/sh, -c, "echo ran >> \(scratch.file("ran"))"]}}
      """
    }
    try await gateway.start()
    #expect(
      try await eventually(within: .seconds(40)) { gateway.scratch.read("ran") == "ran\n" }, "\(gateway.daemon.log)")
    let ports = try gateway.daemon.status()["ports"] as? [String: [String: Any]]
    #expect(ports?["line"]?["reopened"] as? Int == 1)
    #expect(gateway.daemon.log.contains("belongs to no USB device"), "\(gateway.daemon.log)")
    // Each step is a reading, which is there however long the link was away.
    #expect(await gateway.arrived(3, of: "recovery"), "\(gateway.daemon.log)")
    let steps = gateway.server.values(of: "recovery", token: GatewayUnderTest.token).map(\.text)
    for (text, step) in zip(steps, ["reopen", "usb-reset", "note"]) { #expect(text.contains(step), "\(steps)") }
    try gateway.line.send("\nN=1\n")
    #expect(try await eventually(within: .seconds(20)) { gateway.daemon.log.contains("speaks again") })
    #expect(await gateway.arrived(1))
    await gateway.end()
  }
}
