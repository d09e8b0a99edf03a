public import YAML

extension SerialOptions {
  /// Bits per second: below no UART divides, above no adapter goes.
  public static let baudRange = 50...20_000_000

  /// Reads `ports.NAME`; each problem is reported where it stands.
  public init?(from reader: inout MappingReader) {
    reader.notYet("speed", "playing a capture back")
    let match = PortMatch(in: &reader)
    if !reader.has("match") { reader.require("path") }
    let path = Self.devicePath(&reader)
    let baud = reader.integer("baud", in: Self.baudRange) ?? 9600
    let dataBits = reader.integer("data_bits", in: 5...8) ?? 8
    let parity = reader.word("parity", of: Parity.self) ?? .none
    let stopBits = reader.integer("stop_bits", in: 1...2) ?? 1
    let flow = reader.word("flow", of: FlowControl.self) ?? .none
    let hangUpOnClose = reader.boolean("hupcl") ?? false
    let details = LineDetails(from: &reader)
    details.check(&reader, flow: flow)
    let silent = RecoveryStep.steps("silent", from: &reader, in: RecoveryStep.silentRange)
    let hints = [
      "baudrate": "the key is \"baud\"", "baud_rate": "the key is \"baud\"", "bits": "the key is \"data_bits\"",
      "bytesize": "the key is \"data_bits\"", "device": "the key is \"path\"", "port": "the key is \"path\"",
    ]
    guard reader.finish(hints: hints),
      let location = match.map(PortLocation.match) ?? path.map({ PortLocation(server: $0) ?? .path($0) })
    else { return nil }
    self.init(
      path: "", baud: baud, dataBits: dataBits, parity: parity, stopBits: stopBits, flow: flow,
      hangUpOnClose: hangUpOnClose)
    self.location = location
    self.silent = silent
    details.apply(to: &self)
  }

  private static func devicePath(_ reader: inout MappingReader) -> String? {
    let text = reader.node("path")?.text ?? ""
    if text.hasPrefix("capture:") {
      reader.error(
        at: "path",
        "\(reader.path(of: "path")): \"capture:\" is not supported yet by this version (playing a capture back)")
      return nil
    }
    if text.hasPrefix("tcp:") { return PortLocation.server(&reader)?.description }
    return reader.absolutePath("path", suchAs: "/dev/ttyUSB0")
  }
}
