internal import Telemetry

/// The keys of a sensor whose lines name their values themselves, each cleaned once and then remembered.
struct LineKeys: Sendable {
  /// The most different keys of one sensor: line noise must not fill memory or the server.
  static let limit = 500

  struct Entry: Sendable {
    let name: String
    let key: Key
    let scale: LinearScale?
    fileprivate let raw: [UInt8]
    /// The line that had it last, so that a line with one key twice is noticed.
    fileprivate var lastLine: UInt64 = 0
  }

  enum Lookup {
    case entry(Entry)
    /// Stands in this line already.
    case repeated(Entry)
    case unusable
    case tooMany
  }

  private let naming: KeyNaming
  private let scales: [String: LinearScale]
  private var entries: [Entry] = []
  private var indexes: [[UInt8]: Int] = [:]
  /// Lines mostly name the same keys in the same order: the entry of each place in the last line.
  private var order: [Int] = []
  private var place = 0
  private var line: UInt64 = 0

  init(_ naming: KeyNaming, scales: [String: LinearScale]) {
    self.naming = naming
    self.scales = scales
  }

  mutating func beginLine() {
    place = 0
    line &+= 1
  }

  /// The key for a name as it stands in the line.
  mutating func look(up raw: some Collection<UInt8>) -> Lookup {
    let index: Int
    if place < order.count, entries[order[place]].raw.elementsEqual(raw) {
      index = order[place]
    } else {
      switch indexed([UInt8](raw)) {
      case .success(let found): index = found
      case .failure(let refusal): return refusal.lookup
      }
      if place < order.count {
        order[place] = index
      } else if order.count < Self.limit {
        order.append(index)
      }
    }
    place += 1
    if entries[index].lastLine == line { return .repeated(entries[index]) }
    entries[index].lastLine = line
    return .entry(entries[index])
  }

  private struct Refusal: Error {
    let lookup: Lookup
  }

  private mutating func indexed(_ raw: [UInt8]) -> Result<Int, Refusal> {
    if let known = indexes[raw] { return .success(known) }
    guard let name = String(validating: raw, as: UTF8.self), let key = naming.key(cleaning: name) else {
      return .failure(Refusal(lookup: .unusable))
    }
    guard indexes.count < Self.limit else { return .failure(Refusal(lookup: .tooMany)) }
    // Two spellings that clean to one key are one key.
    let index = entries.firstIndex { $0.key == key } ?? entries.count
    if index == entries.count { entries.append(Entry(name: name, key: key, scale: scales[name], raw: raw)) }
    indexes[raw] = index
    return .success(index)
  }
}
