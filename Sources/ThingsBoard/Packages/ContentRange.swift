/// `bytes 200-999/1000`, `bytes 200-999/*`, or with status 416 `bytes */1000`.
///
/// Source: RFC 9110, 14.4.
struct ContentRange: Equatable {
  /// The first byte's offset; `nil` in an answer that has none of the file.
  var first: Int64?
  /// The last one's, inclusive.
  var last: Int64?
  /// Bytes of the whole file; `nil` where the server does not know it.
  var total: Int64?

  /// - Returns: `nil` for anything that is none, an impossible one too.
  init?(_ text: String) {
    let words = text.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count == 2, words[0].lowercased() == "bytes" else { return nil }
    let parts = words[1].split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    if parts[1] != "*" {
      guard let total = Self.number(parts[1]) else { return nil }
      self.total = total
    }
    if parts[0] == "*" { return }
    let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]), first <= last,
      total.map({ last < $0 }) ?? true
    else { return nil }
    self.first = first
    self.last = last
  }

  /// Digits alone: no sign, no space.
  private static func number(_ text: Substring) -> Int64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int64(text)
  }
}
