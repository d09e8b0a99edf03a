import Foundation
import Simulator
import Testing

/// Sensors of the kernel: the real daemon reads a tree that is mounted over `/sys` for it alone.
@Suite(.enabled(if: FakeSysfs.obstacle == nil, Comment(rawValue: "no mounts: \(FakeSysfs.obstacle ?? "")")))
struct SysfsTests {
  private static let token = GatewayUnderTest.token
  private static let thermometer = "bus/w1/devices/28-000005e2fdc3"
  /// 23.875 °C, and the zeros of a data line that is held low, with their right CRC.
  private static let warm = "7e 01 4b 46 7f ff 02 10 25 : crc=25 YES\n7e 01 4b 46 7f ff 02 10 25 t=23875"
  private static let zeros = "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0"

  @Test func readsWhatDriversShow() async throws {
    let gateway = try await GatewayUnderTest { url, _ in
      """
      server: {url: \(url)}
      device: {token: \(Self.token)}
      sensors:
        processor: {protocol: thermal, zone: cpu-thermal, interval: 200ms, prefix: true}
        room: {protocol: hwmon, chip: lm75, channels: {room: temp1}, interval: 200ms, stale_after: 1s}
        tank: {protocol: iio, chip: ads1015, channels: {level: in_voltage0}, interval: 200ms}
        boiler: {protocol: w1, devices: {supply: 28-000005e2fdc3}, interval: 200ms}
      """
    }
    let (server, daemon) = (gateway.server, gateway.daemon)
    let tree = try FakeSysfs(in: gateway.scratch)
    let files = [
      "class/thermal/thermal_zone0/type": "cpu-thermal", "class/thermal/thermal_zone0/temp": "48312",
      "class/hwmon/hwmon0/name": "lm75", "class/hwmon/hwmon0/temp1_input": "23125",
      "class/hwmon/hwmon1/name": "cpu_thermal", "class/hwmon/hwmon1/temp1_input": "48312",
      "bus/iio/devices/iio:device0/name": "ads1015", "bus/iio/devices/iio:device0/in_voltage0_raw": "1247",
      "bus/iio/devices/iio:device0/in_voltage0_scale": "2.000000000", "\(Self.thermometer)/w1_slave": Self.warm,
    ]
    for (path, text) in files { try tree.write(text, to: path) }
    daemon.wrapper = tree.wrapper
    try daemon.start()
    @Sendable func isTold(_ key: String, _ value: Double) async -> Bool {
      await server.wait(upTo: .seconds(20)) { server.latest(of: key, token: Self.token)?.number == value }
    }
    #expect(await isTold("room", 23.125), "\(daemon.log)")
    #expect(await isTold("level", 2.494), "\(daemon.log)")
    #expect(await isTold("supply", 23.875), "\(daemon.log)")
    #expect(await isTold("processor.temperature", 48.312), "\(daemon.log)")
    // Another number, as after a boot.
    try tree.move("class/hwmon/hwmon0", to: "class/hwmon/hwmon7")
    try tree.write("-500", to: "class/hwmon/hwmon7/temp1_input")
    #expect(await isTold("room", -0.5), "\(daemon.log)")
    // Gone: told with what is there, stale, and no end of the daemon's.
    try tree.move("class/hwmon/hwmon7", to: "devices/lm75")
    #expect(
      try await eventually { daemon.log.contains(#"no hwmon chip is called "lm75": there are cpu_thermal"#) },
      "\(daemon.log)")
    @Sendable func isStale() -> String? { server.clientAttributes(token: Self.token)["room.stale"]?.text }
    #expect(await server.wait(upTo: .seconds(20)) { isStale() == "true" }, "\(daemon.log)")
    #expect(daemon.log.contains("room on") && daemon.log.contains("stale, no reading for"), "\(daemon.log)")
    try tree.move("devices/lm75", to: "class/hwmon/hwmon2")
    try tree.write("19000", to: "class/hwmon/hwmon2/temp1_input")
    #expect(await isTold("room", 19), "\(daemon.log)")
    #expect(await server.wait(upTo: .seconds(20)) { isStale() == "false" })
    // What is no measurement is not sent.
    try tree.write(Self.zeros, to: "\(Self.thermometer)/w1_slave")
    #expect(try await eventually { daemon.log.contains("boiler") }, "\(daemon.log)")
    #expect(server.values(of: "supply").allSatisfy { $0.number == 23.875 })
    #expect(daemon.terminate() == 0)
    await gateway.end()
  }
}
