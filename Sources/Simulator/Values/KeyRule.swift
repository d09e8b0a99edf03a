/// Which keys the server's save node takes. One that it refuses takes its whole message along, after the 200.
enum KeyRule {
  /// The most UTF-16 units of a key.
  static let lengthLimit = 255

  /// - Returns: The server's words, or `nil` for a good key.
  static func fault(of key: String) -> String? {
    // Java's `isBlank`, nearly: white space of Unicode and control characters up to U+0020.
    if key.unicodeScalars.allSatisfy({ $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }) {
      return "Key can't be null or empty"
    }
    if key.utf16.count > lengthLimit {
      return "Validation error: key length must be equal or less than \(lengthLimit)"
    }
    return hasTemplate(key) || hasMarkup(key) ? "Validation error: key is malformed" : nil
  }

  /// `{{…}}`
  private static func hasTemplate(_ key: String) -> Bool {
    let scalars = Array(key.unicodeScalars)
    guard scalars.count >= 4 else { return false }
    let open = scalars.indices.dropLast().first { scalars[$0] == "{" && scalars[$0 + 1] == "{" }
    let close = scalars.indices.dropLast().last { scalars[$0] == "}" && scalars[$0 + 1] == "}" }
    guard let open, let close else { return false }
    return close >= open + 2
  }

  /// The start of a tag, a comment or a declaration: what an HTML parser would not take as text.
  private static func hasMarkup(_ key: String) -> Bool {
    let scalars = Array(key.unicodeScalars)
    return scalars.indices.dropLast().contains { index in
      let next = scalars[index + 1]
      return scalars[index] == "<" && (next.properties.isAlphabetic || next == "/" || next == "!" || next == "?")
    }
  }
}
