import Telemetry
import Testing

@testable import Sensors

/// What an entry makes of registers on the wire: every type, both orders, and the way back.
private struct TypeRow: Sendable, CustomStringConvertible {
  let description: String
  let options: String
  let words: [UInt16]
  /// As JSON; `-` for no value.
  let value: String
  /// Whether writing the value gives the same registers.
  let isReversible: Bool

  init(_ options: String, _ words: [UInt16], _ value: String, isReversible: Bool = true) {
    description = "\(options) of \(words.map { String($0, radix: 16) })"
    (self.options, self.words, self.value, self.isReversible) = (options, words, value, isReversible)
  }
}

private let little = "word_order: little"
private let swapped = "byte_order: little"

private let types = [
  TypeRow("", [0xFFFE], "65534"), TypeRow("type: uint16", [7], "7"),
  TypeRow("type: int16", [0xFFFE], "-2"), TypeRow("type: int16, \(swapped)", [0xFEFF], "-2"),
  TypeRow("type: uint16, \(swapped)", [0x3412], "4660"),
  TypeRow("type: int8", [0x12FE], "-2", isReversible: false), TypeRow("type: uint8", [0x00FE], "254"),
  TypeRow("type: int8, byte: high", [0xFE00], "-2"),
  TypeRow("type: uint8, byte: high", [0xFE12], "254", isReversible: false),
  TypeRow("type: uint8, byte: low, \(swapped)", [0xFE00], "254"),
  TypeRow("type: uint32", [0x0001, 0x0002], "65538"), TypeRow("type: uint32", [0xFFFF, 0xFFFF], "4294967295"),
  TypeRow("type: int32", [0xFFFF, 0xFFFE], "-2"), TypeRow("type: int32, \(little)", [0xFFFE, 0xFFFF], "-2"),
  TypeRow("type: uint32, \(swapped)", [0x0100, 0x0200], "65538"),
  TypeRow("type: uint32, \(little), \(swapped)", [0x0200, 0x0100], "65538"),
  TypeRow("type: int64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], "-2"),
  TypeRow("type: int64", [0x8000, 0, 0, 0], "-9223372036854775808"),
  TypeRow("type: uint64", [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], "9223372036854775807"),
  TypeRow("type: uint64, \(little)", [4, 3, 2, 1], "281483566841860"),
  TypeRow("type: uint64, scale: 0.001", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], "18446744073709552.0", isReversible: false),
  TypeRow("type: float32", [0x4366, 0x3333], "230.2"), TypeRow("type: float32, \(little)", [0x3333, 0x4366], "230.2"),
  TypeRow("type: float32, \(swapped)", [0x6643, 0x3333], "230.2"),
  TypeRow("type: float32, \(little), \(swapped)", [0x3333, 0x6643], "230.2"),
  TypeRow("type: float32", [0xC2F6, 0xE979], "-123.456"), TypeRow("type: float32", [0, 0], "0.0"),
  TypeRow("type: float64", [0x3FF1, 0x9999, 0x9999, 0x999A], "1.1"),
  TypeRow("type: float64, \(little)", [0x999A, 0x9999, 0x9999, 0x3FF1], "1.1"),
  TypeRow("type: float64, \(little), \(swapped)", [0x9A99, 0x9999, 0x9999, 0xF13F], "1.1"),
  TypeRow("type: float16", [0x3C00], "1.0"), TypeRow("type: float16", [0x2E66], "0.1"),
  TypeRow("type: float16", [0xC248], "-3.14"),
  TypeRow("type: float16", [0x7BFF], "65504.0"), TypeRow("type: float16", [1], "0.00000006", isReversible: true),
  TypeRow("type: float16, \(swapped)", [0x003C], "1.0"),
  TypeRow("bit: 0", [1], "true"), TypeRow("bit: 15", [0x8000], "true"),
  TypeRow("bit: 3", [0xFFF7], "false", isReversible: false),
  TypeRow("bit: 3, type: bit", [8], "true"), TypeRow("bit: 8, \(swapped)", [1], "true"),
  TypeRow("bits: 4..7", [0x00A0], "10"), TypeRow("bits: 0..15", [0xFFFF], "65535"),
  TypeRow("bits: 15..15", [0x8000], "1"),
  TypeRow("type: string, length: 3", [0x6162, 0x6300, 0], "\"abc\""),
  TypeRow("type: string, length: 2, \(swapped)", [0x6261, 0x0063], "\"abc\""),
  TypeRow("type: string, length: 3", [0x2061, 0x6220, 0x2000], "\"ab\"", isReversible: false),
  TypeRow("type: string, length: 2", [0x6100, 0x6263], "\"a\"", isReversible: false),
  TypeRow("type: string, length: 2", [0x61FF, 0x0762], "\"a\u{FFFD}b\"", isReversible: false),
  TypeRow("type: string, length: 1", [0xC3BC], "\"ü\""),
  TypeRow("type: string, length: 1", [0, 0], "\"\"", isReversible: false),
  TypeRow("scale: 0.1", [217], "21.7"), TypeRow("type: int16, scale: 0.1, offset: -40", [0xFFFF], "-40.1"),
  TypeRow("offset: 5", [1], "6.0"), TypeRow("type: int32, scale: 1000", [0, 12], "12000.0"),
  TypeRow("type: float32, scale: 0.001", [0x4366, 0x3333], "0.2302", isReversible: false),
  TypeRow("bits: 0..3, scale: 2", [3], "6.0"),
  TypeRow("enum: {0: cold, 1: warm}", [1], "\"warm\""),
  TypeRow("enum: {0: cold}", [9], "\"unknown 9\"", isReversible: false),
  TypeRow("type: int16, enum: {-1: none}", [0xFFFF], "\"none\""),
  TypeRow("bit: 1, enum: {0: open, 1: closed}", [2], "\"closed\""),
  TypeRow("type: int16, invalid: 0x8000", [0x8000], "-"), TypeRow("type: int16, invalid: -32768", [0x8000], "-"),
  TypeRow("type: int16, invalid: 0x8000, scale: 0.1", [0x7FFF], "3276.7"),
  TypeRow("type: float32, invalid: 0x7FC00000", [0x7FC0, 0], "-"),
  TypeRow("type: uint64, invalid: 0xFFFFFFFFFFFFFFFF", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], "-"),
  TypeRow("invalid: [0xFFFF, 0xFFFE]", [0xFFFE], "-"),
]

@Test(arguments: types) private func registersMean(_ row: TypeRow) throws {
  let register = try #require(
    try modbusSettings("r: {holding: 7\(row.options.isEmpty ? "" : ", \(row.options)")}").registers.first)
  let value = try register.value(of: row.words[..<register.content.count])
  #expect((value.map { JSON($0).text } ?? "-") == row.value)
  guard row.isReversible, let value else { return }
  let (words, readBack) = try register.encoded(JSON(value))
  #expect(words == row.words)
  #expect(readBack == JSON(value))
}

@Test func whatIsNoNumberIsAFault() throws {
  let rows: [(String, [UInt16], DecodingFault.Code, String)] = [
    (
      "type: float32", [0x7FC0, 0], .notNumber,
      "is nan, which is no number; where it means \"no value\", set `invalid: 0x7FC00000`"
    ),
    ("type: float32", [0xFF80, 0], .notNumber, "is -inf, which is no number"),
    ("type: float16", [0x7C00], .notNumber, "is inf, which is no number"),
    ("type: float64", [0x7FF0, 0, 0, 0], .notNumber, "is inf, which is no number"),
    (
      "type: float64, scale: 1000", [0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF], .outOfRange,
      "is 1.7976931348623157e+308, which its scale makes infinite"
    ),
    (
      "type: uint64", [0x8000, 0, 0, 0], .outOfRange,
      "is 9223372036854775808: beyond 9223372036854775807 ThingsBoard stores no number; a scale makes it less"
    ),
  ]
  for (options, words, code, message) in rows {
    let register = try #require(try modbusSettings("r: {input: 0, \(options)}").registers.first)
    do throws(RegisterMismatch) {
      _ = try register.value(of: words[...])
      Issue.record("\(options) of \(words) is a value")
    } catch {
      #expect(error.code == code)
      #expect(error.message == message)
    }
  }
}

@Test func halfFloatsAreThoseOfTheStandard() {
  for bits in UInt16.min...UInt16.max {
    let value = HalfFloat.value(of: bits)
    guard value.isFinite else {
      #expect(bits & 0x7C00 == 0x7C00)
      continue
    }
    #expect(HalfFloat.bits(of: value) == bits)
  }
  #expect(HalfFloat.bits(of: 65519.9) == 0x7BFF)
  #expect(HalfFloat.bits(of: 65520) == nil)
  #expect(HalfFloat.bits(of: .nan) == nil)
  // Half way between 1 and the next: the even one.
  #expect(HalfFloat.bits(of: 1 + 0x1p-11) == 0x3C00)
  #expect(HalfFloat.bits(of: 1 + 3 * 0x1p-11) == 0x3C02)
}

/// Any registers give a value or a fault, and a value goes back to registers that mean the same.
@Test func everyPatternGoesThereAndBack() throws {
  var generator = SeededGenerator(state: 6)
  let names = [
    "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
  ]
  for name in names {
    for order in ["", ", word_order: little", ", byte_order: little", ", word_order: little, byte_order: little"] {
      for scale in ["", ", scale: 0.1, offset: 3"] {
        let register = try #require(
          try modbusSettings("r: {holding: 0, type: \(name)\(order)\(scale)}").registers.first)
        for _ in 0..<50 {
          let words = (0..<register.content.count).map { _ in UInt16.random(in: 0...UInt16.max, using: &generator) }
          guard let value = try? register.value(of: words[...]) else { continue }
          // A number of 64 bits with a scale has more digits than a double.
          if !scale.isEmpty, register.content.count == 4 || name == "float32" { continue }
          let (back, readBack) = try register.encoded(JSON(value))
          #expect(readBack == JSON(value), "\(name)\(order)\(scale) of \(words)")
          if name.hasPrefix("float") || name.hasSuffix("8") { continue }
          #expect(back == words)
        }
      }
    }
  }
}
