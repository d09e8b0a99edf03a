internal import Telemetry
internal import YAML

// What stands on the wire, and the value it means.

/// Why registers give no value.
struct RegisterMismatch: Error, Sendable {
  let code: DecodingFault.Code
  /// To be read behind the register's name.
  let message: String

  init(_ code: DecodingFault.Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension ModbusRegister {
  // MARK: From the wire

  /// - Returns: `nil` for a value that `invalid` names: the unit has none.
  func value(ofBit bit: Bool) throws(RegisterMismatch) -> Value? { try value(ofPattern: bit ? 1 : 0) }

  /// - Parameter words: As many as `content` takes.
  /// - Returns: `nil` for a value that `invalid` names: the unit has none.
  func value(of words: ArraySlice<UInt16>) throws(RegisterMismatch) -> Value? {
    let words = order.sorted(words)
    if case .text = content { return .string(Self.text(of: words)) }
    return try value(ofPattern: Self.pattern(of: words, as: content))
  }

  /// The bits of a number, in the low end.
  private static func pattern(of words: [UInt16], as content: RegisterContent) -> UInt64 {
    let word = words.first ?? 0
    switch content {
    case .truth(let bit): return UInt64(word >> UInt16(clamping: bit ?? 0) & 1)
    case .bits(let low, _): return UInt64((word & content.mask) >> UInt16(clamping: low))
    case .byte(let isHigh, _): return UInt64(isHigh ? word >> 8 : word & 0xFF)
    case .integer, .float, .text: return words.prefix(4).reduce(0) { $0 << 16 | UInt64($1) }
    }
  }

  private func value(ofPattern pattern: UInt64) throws(RegisterMismatch) -> Value? {
    if invalid.contains(pattern) { return nil }
    switch content {
    case .text: return nil
    case .truth where labels.isEmpty: return .bool(pattern != 0)
    case .float(let bits):
      let number = Self.float(pattern, bits)
      guard number.isFinite else {
        // Many units say so that they have no value.
        let pattern = Int64(exactly: pattern).map { String($0, radix: 16, uppercase: true) }
        let hint = number.isNaN ? pattern.map { "; where it means \"no value\", set `invalid: 0x\($0)`" } : nil
        throw RegisterMismatch(.notNumber, "is \(number), which is no number\(hint ?? "")")
      }
      return try double(number)
    case .truth, .bits, .byte, .integer:
      let bits = content.patternBits ?? 64
      guard let number = integer(pattern, bits) else {
        guard scale != nil else {
          throw RegisterMismatch(
            .outOfRange, "is \(pattern): beyond 9223372036854775807 ThingsBoard stores no number; a scale makes it less"
          )
        }
        return try double(Double(pattern))
      }
      // One type for the key, whatever number comes: ThingsBoard makes a number of text that looks like one.
      if !labels.isEmpty { return .string(labels.first { $0.number == number }?.label ?? "unknown \(number)") }
      return scale == nil ? .long(number) : try double(Double(number))
    }
  }

  private func double(_ number: Double) throws(RegisterMismatch) -> Value {
    let value = scale.map { $0(number) } ?? number
    guard value.isFinite else { throw RegisterMismatch(.outOfRange, "is \(number), which its scale makes infinite") }
    return .double(value)
  }

  /// - Returns: `nil` for a uint64 that no Int64 holds.
  private func integer(_ pattern: UInt64, _ bits: Int) -> Int64? {
    let isSigned =
      switch content {
      case .byte(_, let isSigned), .integer(_, let isSigned): isSigned
      default: false
      }
    guard isSigned else { return Int64(exactly: pattern) }
    let unused = UInt64(clamping: 64 - bits)
    return Int64(bitPattern: pattern << unused) >> Int64(unused)
  }

  /// As many as tell the least float16, 6e-8, from 0.
  private static let mostHalfDecimals = 9

  /// The shortest decimal that means the same float: 230.2, where the float itself is 230.1999969482421875.
  private static func float(_ pattern: UInt64, _ bits: Int) -> Double {
    switch bits {
    case 64: return Double(bitPattern: pattern)
    case 32:
      let float = Float(bitPattern: UInt32(truncatingIfNeeded: pattern))
      return float.isFinite ? Double(float.description) ?? Double(float) : Double(float)
    default:
      let half = UInt16(truncatingIfNeeded: pattern)
      let value = HalfFloat.value(of: half)
      guard value.isFinite, value != 0 else { return value }
      var power = 1.0
      for _ in 0..<mostHalfDecimals {
        let short = (value * power).rounded() / power
        if HalfFloat.bits(of: short) == half { return short }
        power *= 10
      }
      return value
    }
  }

  /// Text ends at its first NUL; blanks around it and control characters are left out.
  private static func text(of words: [UInt16]) -> String {
    var bytes: [UInt8] = []
    for word in words {
      bytes.append(UInt8(truncatingIfNeeded: word >> 8))
      bytes.append(UInt8(truncatingIfNeeded: word))
    }
    var text = bytes.drop { $0 <= 0x20 }.prefix { $0 != 0 }
    while let last = text.last, last <= 0x20 { text.removeLast() }
    let scalars = String(decoding: text, as: UTF8.self).unicodeScalars.filter {
      $0.properties.generalCategory != .control
    }
    return String(String.UnicodeScalarView(scalars))
  }

  // MARK: To the wire

  /// The registers that mean `json`, and `json` as it will be read back. Of a part of a register the rest is 0.
  ///
  /// - Throws: `RegisterError` `.badValue`.
  func encoded(_ json: JSON) throws(RegisterError) -> (words: [UInt16], value: JSON) {
    if case .text(let count) = content { return try encodedText(json, count) }
    let pattern = try pattern(of: json)
    let words: [UInt16]
    switch content {
    case .truth(let bit): words = [UInt16(truncatingIfNeeded: pattern) << UInt16(clamping: bit ?? 0)]
    case .bits(let low, _): words = [UInt16(truncatingIfNeeded: pattern) << UInt16(clamping: low)]
    case .byte(let isHigh, _): words = [UInt16(truncatingIfNeeded: isHigh ? pattern << 8 : pattern)]
    case .integer, .float, .text:
      words = (0..<content.count).reversed().map { UInt16(truncatingIfNeeded: pattern >> UInt64(16 * $0)) }
    }
    let sent = order.sorted(words[...])
    let isBit = if case .truth(bit: nil) = content { true } else { false }
    guard let value = try? (isBit ? value(ofBit: pattern == 1) : value(of: sent[...])) else {
      throw RegisterError(
        .badValue, "\(name) cannot be \(json.text.cut(to: 60)): `invalid` says that it means no value")
    }
    return (sent, JSON(value))
  }

  /// The bits, in the low end, that mean `json`.
  private func pattern(of json: JSON) throws(RegisterError) -> UInt64 {
    if !labels.isEmpty { return UInt64(bitPattern: try number(ofLabel: json)) & patternMask }
    switch (content, json) {
    case (.truth, .bool(let isOn)): return isOn ? 1 : 0
    case (.truth, .integer(0)), (.truth, .integer(1)): return json == .integer(1) ? 1 : 0
    case (.float(let bits), .integer(let number)): return try float(Double(number), bits, json)
    case (.float(let bits), .double(let number)): return try float(number, bits, json)
    case (.integer, .integer(let number)) where scale == nil, (.byte, .integer(let number)) where scale == nil,
      (.bits, .integer(let number)) where scale == nil:
      return try integer(number, json)
    case (.integer, .integer(let number)), (.byte, .integer(let number)), (.bits, .integer(let number)):
      return try scaled(Double(number), json)
    case (.integer, .double(let number)), (.byte, .double(let number)), (.bits, .double(let number)):
      return try scaled(number, json)
    default: throw badValue(json)
    }
  }

  private var patternMask: UInt64 { UInt64.max >> UInt64(clamping: 64 - (content.patternBits ?? 64)) }

  /// A label, or a number that has one.
  private func number(ofLabel json: JSON) throws(RegisterError) -> Int64 {
    for label in labels where json == .string(label.label) || json == .integer(label.number) { return label.number }
    throw badValue(json)
  }

  private func integer(_ number: Int64, _ json: JSON) throws(RegisterError) -> UInt64 {
    guard content.integers?.contains(number) == true else { throw badValue(json) }
    return UInt64(bitPattern: number) & patternMask
  }

  /// The nearest whole number that the scale makes `number`; without a scale `number` itself has to be whole.
  private func scaled(_ number: Double, _ json: JSON) throws(RegisterError) -> UInt64 {
    let raw = scale.map { $0.inverse(number).rounded() } ?? number
    guard let whole = Int64(exactly: raw) else { throw badValue(json) }
    return try integer(whole, json)
  }

  private func float(_ number: Double, _ bits: Int, _ json: JSON) throws(RegisterError) -> UInt64 {
    let raw = scale.map { $0.inverse(number) } ?? number
    switch bits {
    case 64 where raw.isFinite: return raw.bitPattern
    case 32 where Float(raw).isFinite: return UInt64(Float(raw).bitPattern)
    case 16:
      guard let half = HalfFloat.bits(of: raw) else { throw badValue(json) }
      return UInt64(half)
    default: throw badValue(json)
    }
  }

  private func encodedText(_ json: JSON, _ count: Int) throws(RegisterError) -> (words: [UInt16], value: JSON) {
    guard case .string(let text) = json, text.utf8.count <= 2 * count,
      !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { throw badValue(json) }
    var bytes = Array(text.utf8)
    bytes += [UInt8](repeating: 0, count: 2 * count - bytes.count)
    let words = (0..<count).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    return (order.sorted(words[...]), .string(Self.text(of: words)))
  }

  // MARK: What fits

  private func badValue(_ json: JSON) -> RegisterError {
    RegisterError(.badValue, "\(name) cannot be \(json.text.cut(to: 60)); it takes \(expected)")
  }

  private var expected: String {
    if !labels.isEmpty { return listed(labels.map { quoted($0.label) }, or: true) }
    switch content {
    case .truth: return "true or false"
    case .text(let count): return "text of at most \(2 * count) bytes without control characters"
    case .float(bits: 16) where scale == nil: return "a number from -65504 to 65504"
    case .float(let bits): return "a number that float\(bits) holds"
    case .bits, .byte, .integer:
      guard let range = content.integers else { return "a number" }
      guard let scale else { return "a whole number from \(range.lowerBound) to \(range.upperBound)" }
      let ends = [scale(Double(range.lowerBound)), scale(Double(range.upperBound))].sorted()
      return "a number from \(ends[0]) to \(ends[1])"
    }
  }
}

extension String {
  /// The beginning, where there are more than `most` characters.
  fileprivate func cut(to most: Int) -> String {
    unicodeScalars.count > most ? String(unicodeScalars.prefix(most)) + "…" : self
  }
}
