/// A unit's refusal. Source: MODBUS Application Protocol Specification V1.1b3, 7.
struct ModbusException: Error, Sendable, Hashable, CustomStringConvertible {
  let code: UInt8

  static let illegalAddress = ModbusException(code: 2)
  static let illegalValue = ModbusException(code: 3)

  /// Whether the range that was asked for is what it refuses: nothing is there, or it is too long for the unit.
  var isAboutRange: Bool { self == .illegalAddress || self == .illegalValue }

  /// `exception 2 (illegal data address)`
  var description: String {
    let name =
      switch code {
      case 1: "illegal function"
      case 2: "illegal data address"
      case 3: "illegal data value"
      case 4: "server device failure"
      case 5: "acknowledge, it needs longer"
      case 6: "server device busy"
      case 7: "negative acknowledge"
      case 8: "memory parity error"
      case 10: "gateway path unavailable"
      case 11: "gateway target device failed to respond"
      default: "none the standard knows"
      }
    return "exception \(code) (\(name))"
  }
}
