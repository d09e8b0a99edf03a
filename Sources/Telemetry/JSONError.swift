/// Why bytes are not the JSON they should be, and at which of them that showed.
public struct JSONError: Error, Hashable, Sendable {
  /// What is wrong, for programs.
  public enum Code: Sendable, Hashable, CaseIterable {
    case empty
    case byteOrderMark
    case unexpectedByte
    case unexpectedEnd
    case trailingBytes
    case badLiteral
    case badNumber
    case numberTooLong
    case badEscape
    case loneSurrogate
    case controlCharacter
    case invalidUTF8
    case duplicateName
    case tooDeep
    case tooLarge
    case tooManyValues
  }

  public let code: Code
  /// The first byte at fault, counted from 0 at the document's start.
  public let offset: Int

  public init(_ code: Code, at offset: Int) {
    self.code = code
    self.offset = offset
  }
}

extension JSONError: CustomStringConvertible {
  /// `byte 17: a name occurs twice in an object`
  public var description: String { "byte \(offset): \(code.words)" }
}

extension JSONError.Code {
  fileprivate var words: String {
    switch self {
    case .empty: "nothing but white space"
    case .byteOrderMark: "a byte order mark, which JSON does not allow"
    case .unexpectedByte: "a byte that cannot stand here"
    case .unexpectedEnd: "the document ends too early"
    case .trailingBytes: "more bytes after the document's end"
    case .badLiteral: "a word other than true, false and null"
    case .badNumber: "not a number as JSON writes it"
    case .numberTooLong: "a number with too many digits"
    case .badEscape: "an escape JSON does not know"
    case .loneSurrogate: "half of a surrogate pair"
    case .controlCharacter: "a control character in a string; it must be escaped"
    case .invalidUTF8: "bytes that are not UTF-8"
    case .duplicateName: "a name that occurred before in the same object"
    case .tooDeep: "nested too deeply"
    case .tooLarge: "the document is too large"
    case .tooManyValues: "too many values"
    }
  }
}
