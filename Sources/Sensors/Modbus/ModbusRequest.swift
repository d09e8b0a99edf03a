/// A question to a unit, without its framing.
///
/// Who makes one keeps to `ModbusLimits`; counts beyond a byte or two would be cut, never trap.
enum ModbusRequest: Sendable, Hashable {
  /// Functions 1 to 4.
  case read(ModbusTable, address: UInt16, count: Int)
  /// Function 5.
  case writeCoil(UInt16, Bool)
  /// Function 6.
  case writeRegister(UInt16, UInt16)
  /// Function 15.
  case writeCoils(UInt16, [Bool])
  /// Function 16.
  case writeRegisters(UInt16, [UInt16])
  /// Function 22: the register becomes (register & and) | (or & ~and).
  case maskRegister(UInt16, and: UInt16, or: UInt16)
  /// Function 23: writes, then reads the holding registers at `address`.
  case writeAndRead(write: UInt16, [UInt16], read: UInt16, count: Int)

  var function: UInt8 {
    switch self {
    case .read(let table, _, _): table.readFunction
    case .writeCoil: 5
    case .writeRegister: 6
    case .writeCoils: 15
    case .writeRegisters: 16
    case .maskRegister: 22
    case .writeAndRead: 23
    }
  }

  /// The protocol data unit. Source: MODBUS Application Protocol Specification V1.1b3, 6.
  var pdu: [UInt8] {
    var pdu = [function]
    switch self {
    case .read(_, let address, let count):
      pdu.append(address)
      pdu.append(UInt16(truncatingIfNeeded: count))
    case .writeCoil(let address, let isOn):
      pdu.append(address)
      pdu.append(isOn ? 0xFF00 : UInt16(0))
    case .writeRegister(let address, let word):
      pdu.append(address)
      pdu.append(word)
    case .writeCoils(let address, let bits):
      pdu.append(address)
      pdu.append(UInt16(truncatingIfNeeded: bits.count))
      let bytes = packed(bits)
      pdu.append(UInt8(truncatingIfNeeded: bytes.count))
      pdu += bytes
    case .writeRegisters(let address, let words):
      pdu.append(address)
      pdu.append(words)
    case .maskRegister(let address, let and, let or):
      pdu.append(address)
      pdu.append(and)
      pdu.append(or)
    case .writeAndRead(let address, let words, let source, let count):
      pdu.append(source)
      pdu.append(UInt16(truncatingIfNeeded: count))
      pdu.append(address)
      pdu.append(words)
    }
    return pdu
  }

  /// What its answer begins with; an answer that repeats the question is known whole.
  var answerHead: [UInt8] {
    switch self {
    case .read(let table, _, let count): [function, table.hasBits ? bitBytes(count) : wordBytes(count)]
    case .writeCoil, .writeRegister, .maskRegister: pdu
    case .writeCoils, .writeRegisters: Array(pdu.prefix(5))
    case .writeAndRead(_, _, _, let count): [function, wordBytes(count)]
    }
  }

  /// Bytes of its answer.
  var answerLength: Int {
    switch self {
    case .read, .writeAndRead: 2 + Int(answerHead[1])
    default: answerHead.count
    }
  }

  /// What an answer says; `nil` for one that is not this question's.
  func answer(_ pdu: [UInt8]) -> ModbusAnswer? {
    if pdu.count == 2, pdu[0] == function | 0x80 { return .exception(ModbusException(code: pdu[1])) }
    guard pdu.count == answerLength, pdu.starts(with: answerHead) else { return nil }
    switch self {
    case .read(let table, _, let count) where table.hasBits:
      return .bits((0..<min(count, 8 * (pdu.count - 2))).map { pdu[2 + $0 / 8] >> UInt8($0 % 8) & 1 == 1 })
    case .read, .writeAndRead:
      return .words(stride(from: 2, to: pdu.count - 1, by: 2).map { UInt16(pdu[$0]) << 8 | UInt16(pdu[$0 + 1]) })
    default: return .done
    }
  }
}

/// What an answer says.
enum ModbusAnswer: Sendable, Hashable {
  case bits([Bool])
  case words([UInt16])
  /// Written.
  case done
  case exception(ModbusException)
}

private func bitBytes(_ count: Int) -> UInt8 { UInt8(truncatingIfNeeded: (count + 7) / 8) }
private func wordBytes(_ count: Int) -> UInt8 { UInt8(truncatingIfNeeded: 2 * count) }

/// Eight to a byte, the first in the lowest bit. Source: V1.1b3, 6.11.
private func packed(_ bits: [Bool]) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
  for (index, bit) in bits.enumerated() where bit { bytes[index / 8] |= 1 << UInt8(index % 8) }
  return bytes
}

extension [UInt8] {
  fileprivate mutating func append(_ word: UInt16) {
    append(UInt8(truncatingIfNeeded: word >> 8))
    append(UInt8(truncatingIfNeeded: word))
  }

  /// How many, how many bytes, and the words.
  fileprivate mutating func append(_ words: [UInt16]) {
    append(UInt16(truncatingIfNeeded: words.count))
    append(wordBytes(words.count))
    for word in words { append(word) }
  }
}
