internal import Telemetry

extension ServerCommand {
  /// UTF-8 bytes of a method's name that are kept.
  static let longestMethod = 255

  /// Reads `{"id":N,"method":"…","params":…}`.
  ///
  /// The id may be a string, params may be any JSON or absent. A method that is too long is cut and marked with `…`, so
  /// that it is answered as unknown rather than handed over again and again.
  ///
  /// - Returns: `nil` where `json` is no command.
  init?(_ json: JSON) {
    guard let id = CommandID(json["id"]), case .string(let method)? = json["method"] else { return nil }
    self.init(id: id, method: Self.bounded(method), params: json["params"] ?? .null)
  }

  private static func bounded(_ method: String) -> String {
    guard method.utf8.count > longestMethod else { return method }
    return String(decoding: method.utf8.prefix(longestMethod), as: UTF8.self) + "…"
  }
}

extension CommandID {
  init?(_ json: JSON?) {
    switch json {
    case .integer(let number): self.init(number)
    case .double(let number):
      guard let exact = Int64(exactly: number) else { return nil }
      self.init(exact)
    case .string(let digits):
      guard let number = Int64(digits) else { return nil }
      self.init(number)
    default: return nil
    }
  }

  /// The id at the beginning of a command that cannot be read as a whole: too large, nested too deeply, or cut off.
  init?(leading body: [UInt8]) {
    var rest = body[...]
    func skip(_ literal: StaticString) -> Bool {
      rest = rest.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
      let matches = literal.withUTF8Buffer { rest.starts(with: $0) }
      if matches { rest = rest.dropFirst(literal.utf8CodeUnitCount) }
      return matches
    }
    guard skip("{"), skip("\"id\""), skip(":") else { return nil }
    let isQuoted = skip("\"")
    // 20 characters hold the largest Int64 and its sign; what follows must end the number.
    let digits = rest.prefix(20).prefix { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
    rest = rest.dropFirst(digits.count)
    guard let number = Int64(String(decoding: digits, as: UTF8.self)), isQuoted ? skip("\"") : true,
      skip(",") || skip("}")
    else { return nil }
    self.init(number)
  }
}
