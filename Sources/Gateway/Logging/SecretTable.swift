internal import ThingsBoard

/// Finds secrets in a text in one pass, however many there are: a log line costs the same with one as with thousands.
struct SecretTable {
  /// Bytes spellings are looked up by.
  private static let prefixLength = 4

  /// Spellings by their first bytes, the longest first, so that one another begins with is masked whole.
  private var spellings: [UInt32: [String]] = [:]
  /// Those that have not so many.
  private var short: [String] = []
  /// Secrets, each of which may have several spellings.
  private(set) var count = 0

  mutating func add(_ secret: Secret) {
    var isNew = false
    for spelling in secret.spellings where insert(spelling) { isNew = true }
    if isNew { count += 1 }
  }

  /// - Returns: Whether it was not there.
  private mutating func insert(_ spelling: String) -> Bool {
    guard let prefix = Self.prefix(of: spelling.utf8) else { return Self.insert(spelling, into: &short) }
    return Self.insert(spelling, into: &spellings[prefix, default: []])
  }

  private static func insert(_ spelling: String, into list: inout [String]) -> Bool {
    // By bytes: `==` takes two spellings of an accented letter for one.
    guard !list.contains(where: { $0.utf8.elementsEqual(spelling.utf8) }) else { return false }
    let index = list.firstIndex { $0.utf8.count < spelling.utf8.count } ?? list.count
    list.insert(spelling, at: index)
    return true
  }

  /// `nil` for what is shorter.
  private static func prefix(of bytes: some Sequence<UInt8>) -> UInt32? {
    var (prefix, length) = (UInt32(0), 0)
    for byte in bytes.prefix(prefixLength) {
      prefix = prefix << 8 | UInt32(byte)
      length += 1
    }
    return length == prefixLength ? prefix : nil
  }

  /// `text` with every secret masked, compared by bytes: by character, a combining mark behind a secret would hide it.
  func masked(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var (index, copied) = (0, 0)
    while index < bytes.count {
      guard let length = lengthOfSecret(at: bytes[index...]) else {
        index += 1
        continue
      }
      result += bytes[copied..<index]
      result += Secret.mask.utf8
      index += length
      copied = index
    }
    return copied == 0 ? text : String(decoding: result + bytes[copied...], as: UTF8.self)
  }

  private func lengthOfSecret(at bytes: ArraySlice<UInt8>) -> Int? {
    func isFirst(_ spelling: String) -> Bool { bytes.starts(with: spelling.utf8) }
    let long = Self.prefix(of: bytes).flatMap { spellings[$0]?.first(where: isFirst) }
    return (long ?? short.first(where: isFirst))?.utf8.count
  }
}
