import Foundation
import Simulator
import Testing

/// Several devices in one gateway: each with its own queue, credential, polls and back-off.
@Suite(.serialized) struct DeviceTests {
  private static let pump = "PUMP_T0KEN_5c1d9e77a0"
  private static let gone = "GONE_T0KEN_0f2b8c4411"

  private static func gateway(
    tokens: Set<String> = [GatewayUnderTest.token, pump], more: String = ""
  ) async throws -> GatewayUnderTest {
    try await GatewayUnderTest(ServerOptions(tokens: tokens), ports: ["line"]) { url, scratch in
      try FileManager.default.createDirectory(
        atPath: scratch.file("chip"), withIntermediateDirectories: true)
      return """
        server: {url: \(url)}
        device: {name: e2e, token: \(GatewayUnderTest.token)}
        devices:
          pump: {token: \(Self.pump), attributes: {place: cellar}, rpc: {bind: {setValue: valve, getValue: valve}}}
          gone: {token: \(Self.gone)}
        ports:
          line: {path: \(scratch.file("tty-line")), baud: 115200}
        sensors:
          own: {port: line, protocol: line, template: "N={n}"}
          pressure: {port: line, protocol: line, template: "P={n:int}", device: pump}
          lost: {port: line, protocol: line, template: "L={n:int}", device: gone}
        gpio:
          chip: simulated:\(scratch.file("chip"))
          lines:
            relay: {line: 23, direction: output}
            valve: {line: 24, direction: output, device: pump}
        \(more)
        """
    }
  }

  @Test func readingsGoToTheirDeviceAndARevokedTokenDelaysNobody() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    let server = gateway.server
    for number in 1...5 { try gateway.line.send("N=\(number)\nP=\(number)0\nL=\(number)\n") }
    #expect(await gateway.arrived(5), "\(gateway.daemon.log)")
    #expect(await server.wait(upTo: .seconds(20)) { server.count(of: "n", token: Self.pump) == 5 })
    #expect(server.values(of: "n", token: Self.pump).map(\.text) == ["10", "20", "30", "40", "50"])
    #expect(try await eventually { gateway.daemon.log.contains("gone: ") }, "\(gateway.daemon.log)")
    let devices = try gateway.daemon.status()["devices"] as? [String: [String: Any]]
    #expect((devices?["gone"]?["queue"] as? [String: Any])?["records"] as? Int == 5)
    #expect((devices?["gone"]?["uplink"] as? [String: Any])?["failing"] as? Bool == true)
    #expect((devices?["pump"]?["uplink"] as? [String: Any])?["delivered"] as? Int == 5)
    // Taken back, what waited goes out, after a kill as well.
    gateway.daemon.kill()
    server.addDevice(token: Self.gone)
    try await gateway.start()
    #expect(await server.wait(upTo: .seconds(30)) { server.count(of: "n", token: Self.gone) == 5 })
    #expect(!gateway.daemon.log.contains(Self.pump) && !gateway.daemon.log.contains(Self.gone))
    await gateway.end()
  }

  @Test func commandsReachTheirOwnLinesAlone() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling(token: Self.pump))
    #expect(await gateway.ask("setValue", "true", token: Self.pump) == "true")
    #expect(gateway.scratch.read("chip/line24") == "1")
    let foreign = await gateway.ask("setGpio", #"{"pin":"relay","value":1}"#, token: Self.pump)
    #expect(foreign?.contains("no_such_pin") == true, "\(foreign ?? "nothing")")
    #expect(gateway.scratch.read("chip/line23") == "0")
    let reboot = await gateway.ask("reboot", token: Self.pump)
    #expect(reboot?.contains("unavailable") == true, "\(reboot ?? "nothing")")
    #expect(await gateway.ask("setGpio", #"{"pin":"relay","value":1}"#) == #"{"pin":"relay","value":1}"#)
    let own = await gateway.ask("setGpio", #"{"pin":"valve","value":0}"#)
    #expect(own?.contains("no_such_pin") == true, "\(own ?? "nothing")")
    let status = await gateway.ask("getStatus", token: Self.pump)
    #expect(status?.contains("pressure") == true && status?.contains("\"own\"") == false, "\(status ?? "nothing")")
    let attributes = gateway.server.clientAttributes(token: Self.pump)
    #expect(attributes["place"]?.text == "cellar")
    #expect(attributes["baudgate_version"] == nil, "the board is the gateway's")
    await gateway.end()
  }

  /// A hundred devices with polls: all are served, and none of their requests waits for another's.
  @Test func aHundredDevicesWithPolls() async throws {
    let tokens = (0..<100).map { "MANY_T0KEN_\($0)_abcdef" }
    let entries = tokens.enumerated().map { "  d\($0.offset): {token: \($0.element)}" }.joined(separator: "\n")
    let sensors = (0..<100).map {
      "  s\($0): {port: line, protocol: line, template: \"D\($0)={n:int}\", device: d\($0)}"
    }
    .joined(separator: "\n")
    let gateway = try await GatewayUnderTest(
      ServerOptions(tokens: Set(tokens + [GatewayUnderTest.token])), ports: ["line"]
    ) { url, scratch in
      """
      server: {url: \(url)}
      device: {name: e2e, token: \(GatewayUnderTest.token)}
      devices:
      \(entries)
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 115200}
      sensors:
      \(sensors)
      """
    }
    try await gateway.start()
    let server = gateway.server
    try gateway.line.send((0..<100).map { "D\($0)=\($0)\n" }.joined())
    let arrived = await server.wait(upTo: .seconds(60)) { tokens.allSatisfy { server.count(of: "n", token: $0) == 1 } }
    #expect(arrived, "\(gateway.daemon.log.suffix(2000))")
    let polled = await server.wait(upTo: .seconds(60)) {
      tokens.allSatisfy { server.openPolls(.pollCommands, token: $0) > 0 }
    }
    #expect(polled)
    #expect(await gateway.ask("getStatus", token: tokens[57])?.contains("s57") == true)
    // A dead link is one line, not a hundred.
    await server.cutOff()
    try gateway.line.send((0..<100).map { "D\($0)=7\n" }.joined())
    #expect(try await eventually(within: .seconds(30)) { gateway.daemon.log.contains("cannot be reached") })
    try await server.bringBack()
    let back = await server.wait(upTo: .seconds(90)) { tokens.allSatisfy { server.count(of: "n", token: $0) == 2 } }
    #expect(back, "\(gateway.daemon.log.suffix(2000))")
    let lines = gateway.daemon.log.split(separator: "\n").count { $0.contains("cannot be reached") }
    #expect(lines <= 3, "\(lines) lines for one outage")
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }
}
