internal import Telemetry
internal import ThingsBoard

/// What became of one shared attribute.
struct SharedAttributeChange: Sendable, Equatable {
  let key: String
  /// The new value; `nil` where the attribute was deleted.
  let value: JSON?
}

/// The shared attributes as they are known, from what polls tell and from what is read.
///
/// Both ways meet here, so that a change is one change however often it is heard of.
struct SharedAttributeTable {
  /// Attributes that are kept.
  static let keyLimit = 1000
  /// Bytes of names and values, as JSON, that are kept.
  static let byteLimit = 256 * 1024

  /// Compared byte for byte, as the server does.
  private struct Name: Hashable {
    let text: String
    static func == (a: Name, b: Name) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    func hash(into hasher: inout Hasher) {
      for byte in text.utf8 { hasher.combine(byte) }
    }
  }

  private struct Entry {
    var value: JSON
    var bytes: Int
  }

  private var entries: [Name: Entry] = [:]
  private(set) var bytes = 0
  /// Values that were not kept for want of room.
  private(set) var refused: UInt64 = 0
  /// What polls told while the attributes are being read; `nil` while they are not, or when it was more than is kept.
  private var toldMeanwhile: Set<Name>?

  var count: Int { entries.count }

  /// Sorted by key.
  var values: [(String, JSON)] {
    entries.sorted { $0.key.text.utf8.lexicographicallyPrecedes($1.key.text.utf8) }.map {
      ($0.key.text, $0.value.value)
    }
  }

  // MARK: Polls

  /// A poll told of changes.
  mutating func apply(_ update: AttributeUpdate) -> [SharedAttributeChange] {
    var changes: [SharedAttributeChange] = []
    for member in update.changed {
      noteTold(member.name)
      if let change = set(member.name, member.value) { changes.append(change) }
    }
    for name in update.deleted {
      noteTold(name)
      if let change = remove(Name(text: name)) { changes.append(change) }
    }
    return changes
  }

  private mutating func noteTold(_ key: String) {
    toldMeanwhile?.insert(Name(text: key))
    if let told = toldMeanwhile, told.count > Self.keyLimit { toldMeanwhile = nil }
  }

  // MARK: Reading all

  /// A request for all attributes leaves.
  mutating func beginReading() { toldMeanwhile = [] }

  /// The request failed.
  mutating func abandonReading() { toldMeanwhile = nil }

  /// The request was answered. What a poll has told since it left is newer.
  mutating func finishReading(_ shared: [JSON.Member]) -> [SharedAttributeChange] {
    // Without it nothing is believed: each update is a gap, so all is read again.
    guard let told = toldMeanwhile else { return [] }
    toldMeanwhile = nil
    var changes: [SharedAttributeChange] = []
    let present = Set(shared.map { Name(text: $0.name) })
    // Deletions first: they make room.
    let gone = entries.keys.filter { !present.contains($0) && !told.contains($0) }
    for name in gone {
      if let change = remove(name) { changes.append(change) }
    }
    for member in shared where !told.contains(Name(text: member.name)) {
      if let change = set(member.name, member.value) { changes.append(change) }
    }
    return changes
  }

  // MARK: One attribute

  private mutating func set(_ key: String, _ value: JSON) -> SharedAttributeChange? {
    let name = Name(text: key)
    let known = entries[name]
    if let known, known.value.isSame(as: value) { return nil }
    let size = key.utf8.count + value.text.utf8.count
    guard known != nil || entries.count < Self.keyLimit, bytes - (known?.bytes ?? 0) + size <= Self.byteLimit else {
      // Neither the new value nor, as if it still held, the old one.
      _ = remove(name)
      refused &+= 1
      return nil
    }
    bytes += size - (known?.bytes ?? 0)
    entries[name] = Entry(value: value, bytes: size)
    return SharedAttributeChange(key: key, value: value)
  }

  private mutating func remove(_ name: Name) -> SharedAttributeChange? {
    guard let entry = entries.removeValue(forKey: name) else { return nil }
    bytes -= entry.bytes
    return SharedAttributeChange(key: name.text, value: nil)
  }
}
