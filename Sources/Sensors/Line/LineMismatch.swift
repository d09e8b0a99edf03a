internal import Telemetry

/// Why a line does not fit a format; put into words only when nothing else takes the line.
struct LineMismatch: Error {
  enum Reason {
    /// At the byte, counted from 1.
    case expectedText([UInt8], byte: Int)
    case expectedEnd(byte: Int)
    case notNumber(String, ArraySlice<UInt8>)
    case notWhole(String, ArraySlice<UInt8>)
    case outOfRange(String, ArraySlice<UInt8>)
    case notUTF8(String)
    case fieldCount(Int, expected: Int)
    case words(String)
  }

  let code: DecodingFault.Code
  let reason: Reason

  init(_ code: DecodingFault.Code, _ reason: Reason) {
    self.code = code
    self.reason = reason
  }

  init(_ code: DecodingFault.Code, _ words: String) {
    self.init(code, .words(words))
  }

  /// Such as `expected a number for humidity, got "--"`.
  var message: String {
    switch reason {
    case .expectedText(let text, let byte): "expected \(quoted(text)) at byte \(byte)"
    case .expectedEnd(let byte): "expected the line's end at byte \(byte)"
    case .notNumber(let name, let text): "expected a number for \(name), got \(quoted(text))"
    case .notWhole(let name, let text): "expected a whole number for \(name), got \(quoted(text))"
    case .outOfRange(let name, let text): "\(quoted(text)) is out of range for \(name)"
    case .notUTF8(let name): "the text of \(name) is not UTF-8"
    case .fieldCount(let count, let expected): "expected \(expected) fields, got \(count)"
    case .words(let words): words
    }
  }

  func fault(in line: ArraySlice<UInt8>) -> DecodingFault {
    DecodingFault(code, "\(message) in \(quoted(line))")
  }
}
