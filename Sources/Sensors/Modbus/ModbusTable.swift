/// One of the four tables of a unit. Each counts its addresses from 0, as they are on the wire.
///
/// Source: MODBUS Application Protocol Specification V1.1b3, 4.3 and 4.4.
enum ModbusTable: String, Sendable, Hashable, CaseIterable {
  /// Single bits that may be written.
  case coil
  /// Single bits.
  case discrete
  /// 16-bit registers that may be written.
  case holding
  /// 16-bit registers.
  case input

  /// Whether it is made of bits rather than registers.
  var hasBits: Bool { self == .coil || self == .discrete }
  var isWritable: Bool { self == .coil || self == .holding }

  /// The function that reads it. Source: V1.1b3, 6.1 to 6.4.
  var readFunction: UInt8 {
    switch self {
    case .coil: 1
    case .discrete: 2
    case .holding: 3
    case .input: 4
    }
  }

  /// The most that one request reads.
  var readLimit: Int { hasBits ? ModbusLimits.bitsRead : ModbusLimits.registersRead }

  /// Before the digits of the numbers manuals give to a table's entries, which count from 1: 30001 is input 0.
  var digit: Int {
    switch self {
    case .coil: 0
    case .discrete: 1
    case .holding: 4
    case .input: 3
    }
  }
}

/// What one request may carry. Source: V1.1b3, 6.1 to 6.4, 6.11, 6.12 and 6.17.
enum ModbusLimits {
  static let bitsRead = 2000
  static let registersRead = 125
  static let bitsWritten = 1968
  static let registersWritten = 123
  /// With function 23.
  static let registersWrittenAndRead = 121
  /// Addresses of a table.
  static let addresses = 1 << 16
  /// Bytes of the longest frame: a unit, 253 bytes of protocol and a CRC. Source: Modbus over Serial Line V1.02, 2.5.1.
  static let rtuFrame = 256
  /// Characters of the longest ASCII frame, `:` and line end included. Source: V1.02, 2.5.2.1.
  static let asciiFrame = 513
}
