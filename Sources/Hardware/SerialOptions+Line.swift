internal import CKernel

extension SerialOptions {
  /// `9600 8N1`, `115200 8E1 rts_cts`: the field's shorthand for rate, data bits, parity and stop bits. `TCP` for a
  /// serial server's line, which is set up there.
  public var notation: String {
    if case .tcp = location { return "TCP" }
    let parityLetter =
      switch parity {
      case .none: "N"
      case .even: "E"
      case .odd: "O"
      case .mark: "M"
      case .space: "S"
      }
    let line = "\(baud) \(dataBits)\(parityLetter)\(stopBits)"
    return flow == .none ? line : "\(line) \(flow.rawValue)"
  }

  /// The deviation beyond which a rate is worth a warning, in per cent: a UART tolerates about twice that, and the
  /// other end has its own.
  static let tolerableDeviation = 2

  /// Where the granted settings are not the wanted ones, in words; empty when the driver took all.
  func shortcomings(of granted: SerialOptions) -> [String] {
    var found: [String] = []
    let (deviation, overflow) = abs(granted.baud - baud).multipliedReportingOverflow(by: 100)
    if overflow || deviation > baud.multipliedReportingOverflow(by: Self.tolerableDeviation).partialValue {
      found.append("baud \(granted.baud) instead of \(baud)")
    }
    if granted.dataBits != dataBits { found.append("data_bits \(granted.dataBits) instead of \(dataBits)") }
    if granted.parity != parity { found.append("parity \(granted.parity.rawValue) instead of \(parity.rawValue)") }
    if granted.stopBits != stopBits { found.append("stop_bits \(granted.stopBits) instead of \(stopBits)") }
    if granted.flow != flow { found.append("flow \(granted.flow.rawValue) instead of \(flow.rawValue)") }
    for (name, wanted, got) in [("dtr", dtr, granted.dtr), ("rts", rts, granted.rts)] {
      // A line without these wires is none with a wrong level.
      if let wanted, let got, got != wanted {
        found.append("\(name) \(got ? "on" : "off") instead of \(wanted ? "on" : "off")")
      }
    }
    if let rs485, let mode = granted.rs485 { found += rs485.shortcomings(of: mode) }
    return found
  }

  /// `nil` for numbers no line can have, so that a caller's mistake is an error and not a trap.
  var line: bg_line_settings? {
    guard let baud = UInt32(exactly: baud), baud > 0, (5...8).contains(dataBits), (1...2).contains(stopBits)
    else { return nil }
    return bg_line_settings(
      baud: baud, data_bits: UInt8(dataBits), stop_bits: UInt8(stopBits), parity: parity.code,
      rts_cts: flow == .rtsCTS ? 1 : 0, xon_xoff: flow == .xonXOFF ? 1 : 0,
      hang_up_on_close: hangUpOnClose ? 1 : 0)
  }

  /// These options with what the line says of itself.
  func granted(_ line: bg_line_settings) -> SerialOptions {
    var granted = self
    granted.baud = Int(line.baud)
    granted.dataBits = Int(line.data_bits)
    granted.parity = Parity.allCases.first { $0.code == line.parity } ?? .none
    granted.stopBits = Int(line.stop_bits)
    granted.flow = line.rts_cts != 0 ? .rtsCTS : line.xon_xoff != 0 ? .xonXOFF : .none
    granted.hangUpOnClose = line.hang_up_on_close != 0
    return granted
  }
}

extension SerialOptions.Parity {
  fileprivate var code: UInt8 {
    let parity =
      switch self {
      case .none: bg_parity_none
      case .even: bg_parity_even
      case .odd: bg_parity_odd
      case .mark: bg_parity_mark
      case .space: bg_parity_space
      }
    return UInt8(truncatingIfNeeded: parity.rawValue)
  }
}
