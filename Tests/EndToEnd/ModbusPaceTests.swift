import Foundation
import Simulator
import Testing

/// Five units with twenty registers each, once a second at 19,200 baud, and then one of them dies.
@Suite(.serialized, .enabled(if: ModbusSlave.isWanted)) struct ModbusPaceTests {
  private static let registers = 20
  private static let seconds = 20

  private static var sensors: String {
    ModbusUnderTest.units.map { unit in
      let registers = (0..<registers).map { "r\($0): {holding: \(100 + $0)}" }.joined(separator: ", ")
      return """
          u\(unit):
            port: bus
            protocol: modbus_rtu
            unit: \(unit)
            interval: 1s
            prefix: true
            registers: {\(registers)}
        """
    }.joined(separator: "\n")
  }

  private struct Moment {
    var uptime = 0
    /// By sensor.
    var samples: [String: Int] = [:]
    var missed: [String: Int] = [:]
  }

  private func moment(_ modbus: ModbusUnderTest) throws -> Moment {
    let status = try modbus.daemon.status()
    var moment = Moment(uptime: status["uptime_ms"] as? Int ?? 0)
    for (name, sensor) in status["sensors"] as? [String: [String: Any]] ?? [:] {
      moment.samples[name] = sensor["samples"] as? Int
      moment.missed[name] = sensor["missed"] as? Int
    }
    return moment
  }

  /// Waits until a sensor has so many samples, then looks at all.
  private func moment(_ modbus: ModbusUnderTest, once sensor: String, has count: Int) async throws -> Moment {
    for _ in 0..<300 {
      let now = try moment(modbus)
      if now.samples[sensor] ?? 0 >= count { return now }
      try await Task.sleep(for: .milliseconds(200))
    }
    throw DaemonProcess.Failure("\(sensor) did not reach \(count) samples; the log:\n\(modbus.daemon.log)")
  }

  /// As many samples as seconds went by, each in its second.
  private func expectPace(_ sensors: [String], from start: Moment, to end: Moment, _ log: String) {
    let seconds = Double(end.uptime - start.uptime) / 1000
    for sensor in sensors {
      #expect(end.missed[sensor] == 0, "\(sensor): \(log)")
      let samples = (end.samples[sensor] ?? 0) - (start.samples[sensor] ?? 0)
      #expect(abs(Double(samples) - seconds) <= 1, "\(sensor): \(samples) samples in \(seconds) s; \(log)")
    }
  }

  @Test func noCycleIsMissedAndADeadUnitDelaysNobody() async throws {
    let modbus = try await ModbusUnderTest(sensors: Self.sensors)
    try modbus.daemon.start()
    let all = ModbusUnderTest.units.map { "u\($0)" }
    let first = try await moment(modbus, once: "u5", has: 1)
    let full = try await moment(modbus, once: "u5", has: Self.seconds)
    expectPace(all, from: first, to: full, modbus.daemon.log)
    #expect(modbus.told("<4>").isEmpty, "\(modbus.daemon.log)")

    // Dead: set aside, told once, and the others keep their pace.
    try modbus.slave.mute(3)
    let living = all.filter { $0 != "u3" }
    let dead = try await moment(modbus, once: "u1", has: (full.samples["u1"] ?? 0) + 5)
    expectPace(living, from: full, to: dead, modbus.daemon.log)
    #expect((dead.samples["u3"] ?? 0) - (full.samples["u3"] ?? 0) <= 1)
    #expect(modbus.told("unit 3 on bus did not answer").count == 1, "\(modbus.daemon.log)")
    let units = try modbus.units()
    #expect(units["3"]?["silent_ms"] != nil && units["1"]?["silent_ms"] == nil, "\(units)")
    for unit in ["1", "2", "4", "5"] { #expect(units[unit]?["timeouts"] as? Int == 0, "\(units)") }
    let reply = await modbus.write("u3", "r0", "1") ?? "nothing"
    #expect(reply.hasPrefix(#"{"error":{"code":"timeout""#) && reply.contains("unit 3"), "\(reply)")

    // Alive again.
    try modbus.slave.unmute(3)
    let back = try await moment(modbus, once: "u3", has: (dead.samples["u3"] ?? 0) + 2)
    expectPace(living, from: full, to: back, modbus.daemon.log)
    #expect((back.samples["u3"] ?? 0) >= (dead.samples["u3"] ?? 0) + 2, "\(modbus.daemon.log)")
    #expect(modbus.told("unit 3 on bus answers again").count == 1, "\(modbus.daemon.log)")
    #expect(try modbus.units()["3"]?["silent_ms"] == nil)
    #expect(modbus.bus?.counts.collisions == 0)

    // And what arrived is what the units hold.
    let server = modbus.server
    for unit in ModbusUnderTest.units {
      for register in [0, Self.registers - 1] {
        let values = server.values(of: "u\(unit).r\(register)", token: GatewayUnderTest.token)
        #expect(values.count >= Self.seconds && values.allSatisfy { $0.text == "\(1000 * unit + 100 + register)" })
      }
    }
    #expect(modbus.daemon.terminate() == 0)
    await modbus.end()
  }
}
