internal import Telemetry
internal import ThingsBoard

/// Which client attributes the server should have, which it has confirmed, and what the next post carries.
///
/// A post the server will never take is halved down to the attribute at fault, which is given up until its value
/// changes.
struct AttributeLedger {
  /// Attributes remembered at most.
  static let keyLimit = 1000
  /// Attributes in one post.
  static let keysPerPost = 100
  /// Bytes of one post's body, but for a single attribute that is larger.
  static let bytesPerPost = 32 << 10
  /// A body below this is never the reason for a 413.
  static let smallestPost = 256

  /// Attributes of one request.
  struct Post: Equatable {
    var attributes: [Reading]
    var bytes: Int
    /// Posts of before the last `forget()` confirm nothing.
    fileprivate var round: Int
  }

  /// What became of an attribute that was to be sent.
  enum Verdict: Equatable {
    case accepted
    case unsendable(UnsendableReason)
    /// There are `keyLimit` others.
    case tooMany
  }

  private struct Entry {
    var reading: Reading
    var size: Int
    var isSettled = false
  }

  private var entries: [Entry] = []
  private var places: [Key: Int] = [:]
  private var keysAtOnce = AttributeLedger.keysPerPost
  private var bytesAtOnce = AttributeLedger.bytesPerPost
  private var round = 0

  /// How many attributes the server has yet to confirm.
  private(set) var waiting = 0
  var count: Int { entries.count }

  /// Wants an attribute to have this value.
  mutating func want(_ reading: Reading) -> Verdict {
    if let reason = reading.value.unsendable { return .unsendable(reason) }
    guard let place = places[reading.key] else {
      guard entries.count < Self.keyLimit else { return .tooMany }
      places[reading.key] = entries.count
      entries.append(Entry(reading: reading, size: Self.size(of: reading)))
      waiting += 1
      return .accepted
    }
    if entries[place].reading.value == reading.value { return .accepted }
    if entries[place].isSettled { waiting += 1 }
    entries[place] = Entry(reading: reading, size: Self.size(of: reading))
    return .accepted
  }

  /// - Returns: `nil` when the server has everything.
  func nextPost() -> Post? {
    guard waiting > 0 else { return nil }
    var post = Post(attributes: [], bytes: 2, round: round)
    for entry in entries where !entry.isSettled {
      if post.attributes.count >= keysAtOnce { break }
      if !post.attributes.isEmpty && post.bytes + entry.size > bytesAtOnce { break }
      post.attributes.append(entry.reading)
      post.bytes += entry.size
    }
    return post
  }

  /// The server has taken the post; what has changed meanwhile is still to be sent.
  mutating func confirm(_ post: Post) {
    guard post.round == round else { return }
    settle(post)
    keysAtOnce = min(Self.keysPerPost, keysAtOnce * 2)
  }

  /// The server will never take the post.
  ///
  /// - Parameter isTooLarge: Whether for its size.
  /// - Returns: The attribute that is given up; `nil` where a smaller post is to be tried.
  mutating func refuse(_ post: Post, isTooLarge: Bool) -> Reading? {
    guard post.round == round, let first = post.attributes.first else { return nil }
    guard post.attributes.count == 1 else {
      keysAtOnce = max(1, post.attributes.count / 2)
      if isTooLarge { bytesAtOnce = max(Self.smallestPost, post.bytes / 2) }
      return nil
    }
    settle(post)
    return first
  }

  /// Another device, or another server: it has nothing yet.
  mutating func forget() {
    round += 1
    for place in entries.indices { entries[place].isSettled = false }
    waiting = entries.count
    keysAtOnce = Self.keysPerPost
    bytesAtOnce = Self.bytesPerPost
  }

  /// Wants nothing of these any more; what the server has of them stays there.
  mutating func forget(_ keys: some Sequence<Key>) {
    let gone = Set(keys.filter { places[$0] != nil })
    guard !gone.isEmpty else { return }
    entries.removeAll { gone.contains($0.reading.key) }
    places = Dictionary(entries.enumerated().map { ($1.reading.key, $0) }, uniquingKeysWith: { first, _ in first })
    waiting = entries.count { !$0.isSettled }
  }

  private mutating func settle(_ post: Post) {
    for reading in post.attributes {
      guard let place = places[reading.key], !entries[place].isSettled,
        entries[place].reading.value == reading.value
      else { continue }
      entries[place].isSettled = true
      waiting -= 1
    }
  }

  /// Bytes in a body, the comma included.
  private static func size(of reading: Reading) -> Int {
    var value: [UInt8] = []
    reading.value.append(to: &value)
    return reading.key.encoded.count + value.count + 1
  }
}
