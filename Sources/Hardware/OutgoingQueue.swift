/// Bytes that wait for the driver to have room, in order and bounded.
///
/// A `Token` stands for who waits for the end of a write; the queue only hands it back.
struct OutgoingQueue<Token> {
  /// The most bytes that wait: 5 s at 115,200 baud, and more than any command.
  static var byteLimit: Int { 65_536 }
  /// The most writes that wait, whatever their size.
  static var writeLimit: Int { 256 }

  private struct Entry {
    var bytes: ArraySlice<UInt8>
    let deadline: Duration
    let token: Token
  }

  private var entries: [Entry] = []
  /// Bytes that wait.
  private(set) var byteCount = 0

  var isEmpty: Bool { entries.isEmpty }
  /// What goes out next.
  var front: ArraySlice<UInt8>? { entries.first?.bytes }
  /// When the first of those that wait gives up.
  var nextDeadline: Duration? { entries.lazy.map(\.deadline).min() }

  /// Whether a write of that many bytes has room.
  func hasRoom(for count: Int) -> Bool {
    entries.count < Self.writeLimit && count <= Self.byteLimit - byteCount
  }

  /// Appends a write of at least one byte for which there is room.
  mutating func append(_ bytes: [UInt8], deadline: Duration, token: Token) {
    entries.append(Entry(bytes: bytes[...], deadline: deadline, token: token))
    byteCount += bytes.count
  }

  /// Takes away what the driver took from `front`.
  ///
  /// - Returns: The token of the write that this ended.
  mutating func advance(by count: Int) -> Token? {
    guard !entries.isEmpty else { return nil }
    let taken = min(count, entries[0].bytes.count)
    entries[0].bytes = entries[0].bytes.dropFirst(taken)
    byteCount -= taken
    return entries[0].bytes.isEmpty ? entries.removeFirst().token : nil
  }

  /// Takes away the writes whose deadline has come.
  mutating func expire(at now: Duration) -> [Token] {
    let expired = entries.filter { $0.deadline <= now }
    guard !expired.isEmpty else { return [] }
    entries.removeAll { $0.deadline <= now }
    byteCount = entries.reduce(0) { $0 + $1.bytes.count }
    return expired.map(\.token)
  }

  mutating func removeAll() -> [Token] {
    defer {
      entries = []
      byteCount = 0
    }
    return entries.map(\.token)
  }
}
