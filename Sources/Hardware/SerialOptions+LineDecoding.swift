internal import YAML

/// What of `ports.NAME` concerns more than the characters' form: RS-485, DTR and RTS, latency, the bus.
struct LineDetails {
  private var rs485: RS485Options?
  private var dtr: Bool?
  private var rts: Bool?
  private var isLowLatency: Bool
  private var bus = BusOptions()

  private static let levels: KeyValuePairs = ["on": true, "off": false, "true": true, "false": false]

  /// Each problem is reported where it stands.
  init(from reader: inout MappingReader) {
    rs485 = RS485Options.read(from: &reader)
    dtr = reader.word("dtr", of: Self.levels)
    rts = reader.word("rts", of: Self.levels)
    isLowLatency = reader.boolean("low_latency") ?? false
    bus.gap = reader.duration("gap", in: BusOptions.gapRange) ?? bus.gap
    bus.timeout = reader.duration("timeout", in: BusOptions.timeoutRange) ?? bus.timeout
    bus.retries = reader.integer("retries", in: BusOptions.retriesRange) ?? bus.retries
  }

  /// Reports keys that contradict one another. RTS has one master: the kernel's flow control, its RS-485 mode, or `rts`.
  func check(_ reader: inout MappingReader, flow: SerialOptions.FlowControl) {
    if rts != nil, rs485 != nil || flow == .rtsCTS {
      let master = rs485 != nil ? "rs485" : "flow: rts_cts"
      reader.error(at: "rts", "\(reader.path(of: "rts")) cannot stand beside \(master), by which the kernel moves RTS")
    }
    if rs485 != nil, flow == .rtsCTS {
      reader.error(
        at: "flow", "\(reader.path(of: "flow")) rts_cts cannot stand beside rs485: RTS switches the line's driver")
    }
  }

  func apply(to options: inout SerialOptions) {
    options.rs485 = rs485
    options.dtr = dtr
    options.rts = rts
    options.isLowLatency = isLowLatency
    options.bus = bus
  }
}
