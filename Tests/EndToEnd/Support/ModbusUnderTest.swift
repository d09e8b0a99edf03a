import Foundation
import Simulator

/// The real daemon as the master of pymodbus's units, with a line between them.
final class ModbusUnderTest: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.

  /// The ways from the daemon to the units.
  enum Line: String, Sendable, CaseIterable {
    case uart, echo, echoUntold, noise, byteByByte, bursts, ascii, asciiByteByByte, tcp

    var isASCII: Bool { self == .ascii || self == .asciiByteByByte }
    var protocolName: String { isASCII ? "modbus_ascii" : "modbus_rtu" }

    fileprivate var options: PacedBus.Options {
      var options = PacedBus.Options(baud: ModbusUnderTest.baud)
      options.keepsPassages = true
      switch self {
      case .echo, .echoUntold: options.echoes = true
      case .noise: options.isNoisy = true
      case .byteByByte, .asciiByteByByte: options.receiver = .byteByByte
      case .bursts: options.receiver = .burst(.milliseconds(16))
      case .uart, .ascii, .tcp: break
      }
      return options
    }
  }

  static let baud = 19_200
  static let units = [1, 2, 3, 4, 5]

  let gateway: GatewayUnderTest
  let slave: ModbusSlave
  /// `nil` over TCP.
  let bus: PacedBus?

  /// - Parameters:
  ///   - port: More options of the port `bus`.
  ///   - sensors: The section's entries, each indented by two blanks, on the port `bus`.
  init(_ line: Line = .uart, port: String = "", sensors: String) async throws {
    var bus: PacedBus?
    var slave: ModbusSlave?
    gateway = try await GatewayUnderTest { url, scratch in
      let path: String
      if line == .tcp {
        let server = try ModbusSlave(.tcp, units: Self.units)
        slave = server
        path = "tcp://127.0.0.1:\(server.port ?? 0)"
      } else {
        let paced = try PacedBus(link: scratch.file("bus"), slaveLink: scratch.file("slave"), line.options)
        bus = paced
        slave = try ModbusSlave(
          .line(paced.slaveLink), baud: Self.baud, framing: line.isASCII ? .ascii : .rtu, units: Self.units)
        path = paced.link
      }
      // Two stop bits: a pseudo-terminal knows no parity, and a character takes 11 bit times.
      let settings = line == .tcp ? "" : ", baud: \(Self.baud), stop_bits: 2"
      return """
        server: {url: \(url)}
        device: {token: \(GatewayUnderTest.token)}
        ports:
          bus: {path: "\(path)"\(settings)\(port)}
        sensors:
        \(sensors)
        """
    }
    guard let slave else { throw DaemonProcess.Failure("no slave") }
    (self.slave, self.bus) = (slave, bus)
  }

  var server: DeviceServer { gateway.server }
  var daemon: DaemonProcess { gateway.daemon }

  func end() async {
    await gateway.end()
    slave.stop()
    bus?.stop()
  }

  // MARK: Commands

  func write(_ sensor: String, _ register: String, _ value: String) async -> String? {
    await gateway.ask("modbusWrite", #"{"sensor":"\#(sensor)","register":"\#(register)","value":\#(value)}"#)
  }

  func read(_ sensor: String, _ register: String) async -> String? {
    await gateway.ask("modbusRead", #"{"sensor":"\#(sensor)","register":"\#(register)"}"#)
  }

  // MARK: The daemon's status

  /// What it says of one sensor.
  func count(_ member: String, of sensor: String) throws -> Int? {
    let sensors = try daemon.status()["sensors"] as? [String: [String: Any]]
    return sensors?[sensor]?[member] as? Int
  }

  /// What it says of the units that it asked, by number.
  func units() throws -> [String: [String: Any]] {
    let ports = try daemon.status()["ports"] as? [String: [String: Any]]
    return ports?["bus"]?["units"] as? [String: [String: Any]] ?? [:]
  }

  /// Its log's lines with all of these words.
  func told(_ words: String...) -> [Substring] {
    daemon.log.split(separator: "\n").filter { line in words.allSatisfy { line.contains($0) } }
  }

  /// The first bytes of the frames that the daemon has sent, RTU's: unit and function.
  func asked() -> [(unit: UInt8, function: UInt8)] {
    bus?.passages.filter { $0.from == .master && $0.bytes.count > 1 }.map { ($0.bytes[0], $0.bytes[1]) } ?? []
  }
}
