// MARK: - Numbers
extension JSONReader {
  mutating func readNumber() throws(JSONError) -> JSON {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    var isInteger = true
    if take(UInt8(ascii: "0")) {
      if let byte = peek, byte.isDigit { throw error(.badNumber, at: start) }
    } else {
      try skipDigits(of: start)
    }
    let integerEnd = position
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try skipDigits(of: start)
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits(of: start)
    }
    if position - start > limits.numberLength { throw error(.numberTooLong, at: start) }
    if isInteger, let value = integer(bytes[start + (negative ? 1 : 0)..<integerEnd], negative: negative) {
      return .integer(value)
    }
    guard let value = Double(decimal: bytes[start..<position]) else { throw error(.badNumber, at: start) }
    return .double(value)
  }

  private mutating func skipDigits(of start: Int) throws(JSONError) {
    guard let first = peek else { throw error(.unexpectedEnd) }
    if !first.isDigit { throw error(.badNumber, at: start) }
    while let byte = peek, byte.isDigit { position += 1 }
  }

  private func integer(_ digits: ArraySlice<UInt8>, negative: Bool) -> Int64? {
    var value: Int64 = 0
    for digit in digits {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let step = Int64(digit &- UInt8(ascii: "0"))
      let (next, carried) =
        negative ? tenfold.subtractingReportingOverflow(step) : tenfold.addingReportingOverflow(step)
      if overflow || carried { return nil }
      value = next
    }
    return value
  }
}

// MARK: - Strings
extension JSONReader {
  /// Reads from the opening quote to behind the closing one.
  mutating func readString() throws(JSONError) -> String {
    position += 1
    let start = position
    var escaped = false
    var ascii = true
    while true {
      guard let byte = peek else { throw error(.unexpectedEnd) }
      if byte == UInt8(ascii: "\"") { break }
      if byte < 0x20 { throw error(.controlCharacter) }
      if byte >= 0x80 { ascii = false }
      if byte == UInt8(ascii: "\\") {
        escaped = true
        position += 1
        if peek == nil { throw error(.unexpectedEnd) }
      }
      position += 1
    }
    let content = bytes[start..<position]
    position += 1
    if !ascii, let fault = firstInvalidUTF8(in: content) { throw error(.invalidUTF8, at: fault) }
    return String(decoding: escaped ? try unescape(content)[...] : content, as: UTF8.self)
  }

  private func unescape(_ content: ArraySlice<UInt8>) throws(JSONError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(content.count)
    var index = content.startIndex
    while index < content.endIndex {
      let byte = content[index]
      if byte != UInt8(ascii: "\\") {
        result.append(byte)
        index += 1
        continue
      }
      // readString has seen a byte behind every backslash.
      switch content[index + 1] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(content[index + 1])
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "u"):
        let (scalar, length) = try unicodeEscape(content, at: index)
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        index += length
        continue
      default: throw error(.badEscape, at: index)
      }
      index += 2
    }
    return result
  }

  /// The scalar of one `\uXXXX`, or of the two that make a surrogate pair, and the bytes they take.
  private func unicodeEscape(_ content: ArraySlice<UInt8>, at index: Int) throws(JSONError) -> (Unicode.Scalar, Int) {
    let first = try codeUnit(content, at: index)
    if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
    let isPair =
      UTF16.isLeadSurrogate(first) && content[(index + 6)...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")])
    if !isPair { throw error(.loneSurrogate, at: index) }
    let second = try codeUnit(content, at: index + 6)
    if !UTF16.isTrailSurrogate(second) { throw error(.loneSurrogate, at: index) }
    return (UTF16.decode(UTF16.EncodedScalar([first, second])), 12)
  }

  /// The code unit of the `\uXXXX` at `index`.
  private func codeUnit(_ content: ArraySlice<UInt8>, at index: Int) throws(JSONError) -> UInt16 {
    if content.endIndex - index < 6 { throw error(.badEscape, at: index) }
    var unit: UInt16 = 0
    for byte in content[index + 2..<index + 6] {
      guard let digit = byte.hexadecimalValue else { throw error(.badEscape, at: index) }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }
}

/// The index of the first byte that is not part of well-formed UTF-8 (Unicode, table 3-7); `nil` where all are.
func firstInvalidUTF8(in bytes: ArraySlice<UInt8>) -> Int? {
  var index = bytes.startIndex
  while index < bytes.endIndex {
    let second: ClosedRange<UInt8>
    let length: Int
    switch bytes[index] {
    case 0x00...0x7F:
      index += 1
      continue
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: return index
    }
    if bytes.endIndex - index < length || !second.contains(bytes[index + 1]) { return index }
    if length > 2, bytes[index + 2..<index + length].contains(where: { $0 & 0xC0 != 0x80 }) { return index }
    index += length
  }
  return nil
}

extension UInt8 {
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

  var hexadecimalValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
