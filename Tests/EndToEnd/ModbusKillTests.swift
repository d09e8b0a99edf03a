import Foundation
import Simulator
import Testing

/// The adapter is pulled and the daemon killed while units are read and written.
@Suite(.serialized, .enabled(if: ModbusSlave.isWanted)) struct ModbusKillTests {
  private static let sensors = """
      meter: {port: bus, protocol: modbus_rtu, unit: 1, interval: 100ms, registers: {n: {holding: 100}}}
      valve: {port: bus, protocol: modbus_rtu, unit: 2, interval: 200ms, registers: {mark: {holding: 110}}}
    """

  /// How often a value was written to the valve, on the line.
  private static func written(_ modbus: ModbusUnderTest, _ value: Int) -> Int {
    let frame = [2, 6, 0, 110, UInt8(value >> 8), UInt8(value & 0xFF)]
    return modbus.bus?.passages.count { $0.from == .master && $0.bytes.starts(with: frame) } ?? 0
  }

  @Test func anAdapterPulledLosesNoCommandAndNoReading() async throws {
    let modbus = try await ModbusUnderTest(port: ", timeout: 3s", sensors: Self.sensors)
    try modbus.daemon.start()
    #expect(try await eventually { try modbus.count("samples", of: "meter") ?? 0 >= 5 })
    #expect(await modbus.gateway.isPolling())
    modbus.bus?.cut()
    #expect(try await eventually { modbus.told("hung up").count == 1 })
    let before = try modbus.count("samples", of: "meter") ?? 0
    // Waits for the port.
    let id = modbus.server.sendCommand(
      "modbusWrite", params: #"{"sensor":"valve","register":"mark","value":300}"#, token: GatewayUnderTest.token,
      lifetime: .seconds(60))
    #expect(
      await modbus.server.wait(upTo: .seconds(20)) {
        modbus.server.commandDeliveries(id: id, token: GatewayUnderTest.token) > 0
      })
    try modbus.bus?.plug()
    let reply = await modbus.server.waitForReply(to: id, token: GatewayUnderTest.token, within: .seconds(20))
    #expect(reply == #"{"value":300}"#, "\(modbus.daemon.log)")
    #expect(Self.written(modbus, 300) == 1)
    #expect(try await eventually { try modbus.count("samples", of: "meter") ?? 0 >= before + 5 })
    let samples = try modbus.count("samples", of: "meter") ?? 0
    #expect(await modbus.gateway.arrived(samples))
    #expect(modbus.daemon.terminate() == 0)
    await modbus.end()
  }

  /// Killed at random moments of reads and writes, with the server deaf to telemetry: what the status counted arrives, and
  /// no write was on the line twice.
  @Test func killsLoseNoReadingAndRepeatNoWrite() async throws {
    let modbus = try await ModbusUnderTest(port: ", timeout: 3s", sensors: Self.sensors)
    let server = modbus.server
    let token = GatewayUnderTest.token
    server.setFault(.dropConnection, scope: .telemetry)
    var samples = 0
    var ids: [Int64: Int] = [:]
    for life in 0..<4 {
      try modbus.daemon.start()
      #expect(await modbus.gateway.isPolling())
      for turn in 0..<9 {
        let value = 1000 + 10 * life + turn
        let id = server.sendCommand(
          "modbusWrite", params: #"{"sensor":"valve","register":"mark","value":\#(value)}"#, token: token,
          lifetime: .seconds(60))
        ids[id] = value
      }
      let first = ids.filter { $0.value == 1000 + 10 * life }.map(\.key).first ?? 0
      #expect(await server.wait(upTo: .seconds(20)) { server.commandDeliveries(id: first, token: token) > 0 })
      try await Task.sleep(for: .milliseconds(Int.random(in: 100...500)))
      samples += try modbus.count("samples", of: "meter") ?? 0
      modbus.daemon.kill()
    }
    server.setFault(nil)
    try modbus.daemon.start()
    let (total, commands) = (samples, ids)
    #expect(await modbus.gateway.arrived(total), "\(modbus.daemon.log)")
    let answered = await server.wait(upTo: .seconds(20)) {
      commands.keys.allSatisfy { !(server.outcome(of: $0, token: token)?.replies.isEmpty ?? true) }
    }
    #expect(answered, "\(server.commands(token: token).filter(\.replies.isEmpty))")
    for (id, value) in ids {
      let replies = server.outcome(of: id, token: token)?.replies.map(\.text) ?? []
      let count = Self.written(modbus, value)
      #expect(count <= 1, "\(value) was written \(count) times: \(replies)")
      if replies.contains(#"{"value":\#(value)}"#) { #expect(count == 1, "\(value): \(replies)") }
      #expect(Set(replies).count <= 1, "\(value): \(replies)")
    }
    #expect(server.counters.replacements == 0)
    #expect(modbus.daemon.terminate() == 0)
    await modbus.end()
  }
}
