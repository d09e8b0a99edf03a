/// What a register, a few registers or a bit stand for.
enum RegisterContent: Sendable, Hashable {
  /// BOOLEAN: a coil, a discrete input, or a bit of a register, 0 the lowest.
  case truth(bit: Int?)
  /// LONG: `width` bits of one register from `low` on, unsigned.
  case bits(low: Int, width: Int)
  /// LONG: one byte of one register.
  case byte(isHigh: Bool, isSigned: Bool)
  /// LONG: 16, 32 or 64 bits.
  case integer(bits: Int, isSigned: Bool)
  /// DOUBLE: IEEE 754 with 16, 32 or 64 bits.
  case float(bits: Int)
  /// STRING: two characters a register.
  case text(registers: Int)

  /// How many registers, or bits of a table of bits, it takes.
  var count: Int {
    switch self {
    case .truth, .bits, .byte: 1
    case .integer(let bits, _), .float(let bits): bits / 16
    case .text(let registers): registers
    }
  }

  /// Whether it is a part of one register, beside which others may have theirs.
  var isPart: Bool {
    switch self {
    case .truth(let bit): bit != nil
    case .bits, .byte: true
    case .integer, .float, .text: false
    }
  }

  /// Of the register: the bits that a part takes; all for what is no part.
  var mask: UInt16 {
    switch self {
    case .truth(bit: let bit?): 1 << UInt16(clamping: bit)
    case .bits(let low, let width): (UInt16.max >> UInt16(clamping: 16 - width)) << UInt16(clamping: low)
    case .byte(let isHigh, _): isHigh ? 0xFF00 : 0x00FF
    default: .max
    }
  }

  /// The whole numbers it holds before any scale; `nil` for what is no whole number. A uint64 holds more than is said here.
  var integers: ClosedRange<Int64>? {
    switch self {
    case .truth: return 0...1
    case .bits(_, let width): return 0...(1 << Int64(width) - 1)
    case .byte(_, let isSigned): return isSigned ? -128...127 : 0...255
    case .integer(let bits, let isSigned):
      if bits == 64 { return (isSigned ? .min : 0)...Int64.max }
      let half = Int64(1) << Int64(bits - 1)
      return isSigned ? -half...(half - 1) : 0...(2 * half - 1)
    case .float, .text: return nil
    }
  }

  /// Bits of the pattern that `RegisterPattern` makes of it; `nil` for text.
  var patternBits: Int? {
    switch self {
    case .truth: 1
    case .bits(_, let width): width
    case .byte: 8
    case .integer(let bits, _), .float(let bits): bits
    case .text: nil
    }
  }
}

/// Which end comes first, in the bytes of a register and among registers.
struct RegisterOrder: Sendable, Hashable {
  enum End: String, Sendable, Hashable, CaseIterable {
    case big
    case little
  }

  /// Of the registers of one value.
  var words = End.big
  /// Of the two bytes of a register.
  var bytes = End.big

  /// The registers with the most significant first and their bytes the same way; its own inverse.
  func sorted(_ words: ArraySlice<UInt16>) -> [UInt16] {
    let swapped = bytes == .big ? Array(words) : words.map(\.byteSwapped)
    return self.words == .big ? swapped : swapped.reversed()
  }
}
