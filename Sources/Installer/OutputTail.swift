/// The end of what a command prints, however much that is.
struct OutputTail: Sendable {
  /// Bytes that are kept, and the most `text` has.
  static let limit = 2 << 10

  private var bytes: [UInt8] = []

  mutating func append(_ chunk: some Collection<UInt8>) {
    bytes += chunk.suffix(Self.limit)
    if bytes.count > Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
  }

  /// Valid UTF-8 of at most `limit` bytes: a character that was cut in front is left out, and what is none, such as the
  /// progress bar of a tool that writes Latin-1, becomes U+FFFD.
  var text: String {
    // At most three bytes of a character can be left of the cut; only then is the buffer full.
    let torn = bytes.count == Self.limit ? bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count : 0
    var text = String(decoding: bytes.dropFirst(torn), as: UTF8.self)
    // U+FFFD is longer than the byte it stands for.
    while text.utf8.count > Self.limit { text.unicodeScalars.removeFirst() }
    return text
  }
}
