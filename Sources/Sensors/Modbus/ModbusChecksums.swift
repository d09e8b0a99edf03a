/// The CRC of RTU frames, sent low byte first. Source: Modbus over Serial Line V1.02, 6.2.2.
enum ModbusCRC {
  private static let table: [UInt16] = (0..<256).map { byte in
    var crc = UInt16(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
    return crc
  }

  static func of(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    var crc: UInt16 = 0xFFFF
    for byte in bytes { crc = crc >> 8 ^ table[Int((crc ^ UInt16(byte)) & 0xFF)] }
    return crc
  }

  /// Whether the last two of `frame` are the CRC of those before.
  static func fits(_ frame: ArraySlice<UInt8>) -> Bool {
    // The CRC of anything with its own CRC behind it is 0.
    frame.count > 2 && of(frame) == 0
  }
}

/// The LRC of ASCII frames: what makes the sum of all bytes 0. Source: V1.02, 6.2.1.
enum ModbusLRC {
  static func of(_ bytes: ArraySlice<UInt8>) -> UInt8 {
    var sum: UInt8 = 0
    for byte in bytes { sum &+= byte }
    return 0 &- sum
  }
}
