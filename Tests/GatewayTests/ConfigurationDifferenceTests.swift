import Configuration
import Hardware
import Logging
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Pairs of configurations; a row is what is said of them.
@Suite struct ConfigurationDifferenceTests {
  private static let base = """
    server: {url: http://127.0.0.1:8080}
    device: {token: A1}
    state_directory: /var/lib/b
    runtime_directory: /run/b
    control: {socket: /run/b/c}
    ports:
      meters: {path: /dev/ttyUSB0, baud: 9600}
      spare: {path: /dev/ttyUSB1}
    sensors:
      climate: {port: meters, protocol: line, template: "T={t}"}
      water: {port: meters, protocol: line, template: "W={w}"}
    gpio:
      lines:
        relay: {chip: "simulated:/tmp/x", line: 23, direction: output}
        door: {chip: "simulated:/tmp/x", line: 17, direction: input}
    rpc:
      call:
        weather: {method: getWeather, interval: 10s, values: {outside: t}}
    upload: {interval: 1s}
    queue: {max_size: 64MB}

    """

  private static func load(_ text: String) throws -> GatewayConfiguration {
    switch GatewayConfiguration.load(Array(text.utf8), file: "f", in: Surroundings()) {
    case .success(let configuration): return configuration
    case .failure(let errors): throw Unusable(lines: errors.lines)
    }
  }

  private struct Unusable: Error { let lines: [String] }

  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let change: @Sendable (inout String) -> Void
    let summary: [String]

    init(_ sentence: String, _ summary: String..., change: @escaping @Sendable (inout String) -> Void) {
      testDescription = sentence
      self.change = change
      self.summary = summary
    }

    init(_ sentence: String, _ old: String, _ new: String, _ summary: String...) {
      testDescription = sentence
      self.summary = summary
      change = { $0 = $0.replacing(old, with: new) }
    }
  }

  private static let climate = "  climate: {port: meters, protocol: line, template: \"T={t}\"}\n"
  private static let water = "  water: {port: meters, protocol: line, template: \"W={w}\"}\n"

  static let rows = [
    Row("outputs are made safe without a server", "gpio:\n", "gpio:\n  safe_after: 10m\n", "line relay changed"),
    Row(
      "two outputs lock each other", "gpio:\n  lines:\n",
      "gpio:\n  interlocks: [[relay, lamp]]\n  lines:\n    lamp: {chip: \"simulated:/tmp/x\", line: 5, direction: output}\n",
      "line lamp new", "gpio.interlocks changed"),
    Row("nothing") { _ in },
    Row("only its layout") { $0 += "# nothing\n" },
    Row("the baud rate", "baud: 9600", "baud: 19200", "port meters re-opened"),
    Row("the path", "ttyUSB1", "ttyUSB7", "port spare re-opened"),
    Row("a port is gone", "  spare: {path: /dev/ttyUSB1}\n", "", "port spare closed"),
    Row("a port is new", "ports:\n", "ports:\n  third: {path: /dev/ttyUSB2}\n", "port third opened"),
    Row("a sensor is another", "T={t}", "T={temperature}", "sensor climate changed"),
    Row("a sensor is gone", water, "", "sensor water gone"),
    Row(
      "a sensor moves", "water: {port: meters", "water: {port: spare", "sensor water changed"),
    Row(
      "two sensors change places", climate + water, water + climate, "order of the sensors on port meters changed"),
    Row("a line is another", "line: 23", "line: 24", "line relay changed"),
    Row("the upload", "interval: 1s", "interval: 2s", "upload changed"),
    Row("a call", "interval: 10s", "interval: 20s", "rpc.call changed"),
    Row("the queue", "64MB", "32MB", "queue changed"),
    Row(
      "the hot directory", "max_size: 64MB", "max_size: 64MB, hot_directory: /dev/shm/h",
      "queue.hot_directory changed: takes effect at the next start"),
    Row("the server", "127.0.0.1:8080", "127.0.0.1:8081", "server changed, every connection made anew"),
    Row("the token", "token: A1", "token: A2", "device changed, the gateway's connection made anew"),
    Row("the log", "log changed") { $0 += "log: {level: debug}\n" },
    Row("attributes", "attributes changed") { $0 += "attributes: {place: cellar}\n" },
    Row("claiming", "claim changed") { $0 += "claim: {at_boot: true}\n" },
    Row("an alias", "rpc:\n", "rpc:\n  alias:\n    lamp: {method: setGpio}\n", "rpc changed"),
    Row("the way down", "downlink changed") { $0 += "downlink: {shared_attributes: off}\n" },
    Row(
      "commands are off, so a port without a sensor is closed", "port spare closed", "downlink changed"
    ) { $0 += "downlink: {rpc: off}\n" },
    Row(
      "where state lives", "/var/lib/b", "/var/lib/c", "state_directory changed: takes effect at the next start"),
    Row(
      "where memory is", "runtime_directory: /run/b", "runtime_directory: /run/d",
      "runtime_directory changed: takes effect at the next start"),
    Row("the socket", "/run/b/c", "/run/b/d", "control.socket changed: takes effect at the next start"),
  ]

  @Test(arguments: rows) func isTold(_ row: Row) throws {
    var text = Self.base
    row.change(&text)
    let difference = ConfigurationDifference(from: try Self.load(Self.base), to: try Self.load(text))
    #expect(difference.summary == row.summary)
    #expect(difference.isEmpty == row.summary.isEmpty)
  }

  /// Of every pair: empty exactly where both are one, and what is new one way is gone the other.
  @Test func everyPairBothWays() throws {
    let all = try Self.rows.map { row in
      var text = Self.base
      row.change(&text)
      return (text: text, configuration: try Self.load(text))
    }
    for (a, first) in all {
      for (b, second) in all {
        let there = ConfigurationDifference(from: first, to: second)
        let back = ConfigurationDifference(from: second, to: first)
        #expect(there.isEmpty == (a == b || a + "# nothing\n" == b || b + "# nothing\n" == a))
        #expect(there.isEmpty == there.summary.isEmpty)
        #expect(Set(there.newPorts) == Set(back.gonePorts) && Set(there.newSensors) == Set(back.goneSensors))
        #expect(Set(there.reopenedPorts) == Set(back.reopenedPorts))
        #expect(Set(there.sensorPorts) == Set(back.sensorPorts))
        #expect(there.sections == back.sections && there.restarts == back.restarts && there.link == back.link)
      }
    }
  }

  @Test func sensorsThatMoveTouchBothPortsAndOpenNeither() throws {
    let moved = try Self.load(Self.base.replacing("water: {port: meters", with: "water: {port: spare"))
    let difference = ConfigurationDifference(from: try Self.load(Self.base), to: moved)
    #expect(difference.sensorPorts == ["meters", "spare"])
    #expect(difference.newPorts.isEmpty && difference.gonePorts.isEmpty && difference.reopenedPorts.isEmpty)
    #expect(!difference.commands && !difference.link)
  }

  @Test func whatIsDoneAboutSilenceOpensNothing() throws {
    let old = try Self.load(Self.base)
    var new = old
    new.ports[0].options.silent = [RecoveryStep(after: .seconds(60), run: "reopen")]
    let difference = ConfigurationDifference(from: old, to: new)
    #expect(difference.silentPorts == ["meters"] && difference.reopenedPorts.isEmpty)
    #expect(difference.summary == ["silent of port meters changed"])
  }

  @Test func howUnitsAreAskedOpensNothing() throws {
    let old = try Self.load(Self.base)
    var new = old
    new.ports[0].options.bus.retries = 3
    let difference = ConfigurationDifference(from: old, to: new)
    #expect(difference.busPorts == ["meters"] && difference.silentPorts.isEmpty && difference.reopenedPorts.isEmpty)
    #expect(difference.summary == ["gap, timeout or retries of port meters changed"])
  }

  @Test func devicesAreToldApartByWhatBecomesOfTheirConnection() throws {
    var old = try Self.load(Self.base)
    var device = ConnectedDevice(name: "pump", device: old.device, downlink: DownlinkOptions())
    var well = device
    well.name = "well"
    old.devices = [device, well]
    var new = old
    var gate = device
    gate.name = "gate"
    device.attributes = [Reading(try Key("place"), .string("cellar"))]
    well.device.identity = .provision(ProvisionOptions(key: Secret("k1"), secret: Secret("s1")))
    new.devices = [gate, device, well]
    let difference = ConfigurationDifference(from: old, to: new)
    #expect(difference.newDevices == ["gate"] && difference.changedDevices == ["pump"])
    #expect(difference.replacedDevices == ["well"] && difference.goneDevices.isEmpty)
    #expect(difference.summary == ["device gate new", "device pump changed", "device well connected anew"])
    #expect(ConfigurationDifference(from: new, to: old).goneDevices == ["gate"])
    new.devices = old.devices.reversed()
    #expect(ConfigurationDifference(from: old, to: new).isEmpty, "their order means nothing")
  }

  @Test func theRestIsTold() throws {
    let old = try Self.load(Self.base)
    var new = old
    new.logLevel = .debug
    new.ota.firmware = PackageOptions(install: ["/bin/true"])
    new.unreachable = [RecoveryStep(after: .seconds(60), run: "reboot")]
    let difference = ConfigurationDifference(from: old, to: new)
    #expect(difference.sections == [.log, .ota, .unreachable])
    #expect(difference.summary == ["log changed", "ota changed", "server.unreachable changed"])
  }
}
