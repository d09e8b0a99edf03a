internal import YAML

extension ModbusSettings {
  /// The longest and the shortest an answer may be waited for.
  private static let timeoutRange = Duration.milliseconds(10) ... .seconds(60)

  init?(from reader: inout MappingReader, _ framing: ModbusFraming, _ naming: KeyNaming) {
    reader.require("unit")
    let unit = reader.integer("unit", in: 0...255)
    let order = RegisterOrder(from: &reader, usual: RegisterOrder())
    let (maxGap, maxRegisters) = Self.planOptions(&reader)
    let hasEcho = reader.boolean("echo") ?? false
    let timeout = reader.duration("timeout", in: Self.timeoutRange)
    if !reader.has("map"), !reader.has("registers"), !reader.hasNearMiss(of: ["registers", "map"]) {
      reader.error(
        at: "registers",
        "\(reader.path) has neither \"registers\" nor \"map\"; expected what is to be read, such as "
          + "registers: {voltage: {input: 0, type: float32}}")
    }
    var list = RegisterList(naming)
    let map = RegisterMap(from: &reader, into: &list)
    if reader.has("only") {
      if reader.has("map") {
        list.pick(&reader)
      } else {
        _ = reader.makeKnown("only")
        reader.error(at: "only", "\(reader.path(of: "only")) picks from a map, and there is no \"map\"")
      }
    }
    let isWhole = list.add(&reader, usual: order)
    let registers = list.registers
    if registers.count > Self.registerLimit {
      reader.error(
        at: "registers",
        "\(reader.path) has \(registers.count) registers, its map's included; at most \(Self.registerLimit) are possible"
      )
    }
    if isWhole, registers.isEmpty, reader.has("registers") {
      reader.error(at: "registers", "\(reader.path) has no register; nothing would be read")
    }
    list.checkOverlaps()
    if unit == 0 { list.checkBroadcast() }
    for file in list.files { reader.diagnostics.absorb(file) }
    guard let map, isWhole, let unit, !registers.isEmpty else { return nil }
    self.framing = framing
    self.unit = UInt8(clamping: unit)
    self.registers = registers
    self.maxGap = maxGap ?? map.maxGap ?? 0
    self.maxRegisters = maxRegisters ?? map.maxRegisters ?? ModbusLimits.registersRead
    self.hasEcho = hasEcho
    self.timeout = timeout
  }

  /// `max_gap` and `max_registers`, of a sensor or of a map.
  static func planOptions(_ reader: inout MappingReader) -> (maxGap: Int?, maxRegisters: Int?) {
    (
      reader.integer("max_gap", in: 0...(ModbusLimits.registersRead - 1)),
      reader.integer("max_registers", in: 1...ModbusLimits.registersRead)
    )
  }
}
