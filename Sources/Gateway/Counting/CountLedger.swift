/// All counters' memory as a value: what was counted, what of it is on the card, and when the next write is due. Time is
/// `Uptime.monotonic`.
///
/// A write begins when half of what a power cut may cost waits for it, so that the other half is there for what comes
/// until the card has it.
struct CountLedger: Sendable {
  /// Between two writes, however fast pulses come.
  static let leastPause = Duration.seconds(1)
  /// After a write that failed.
  static let retryPause = Duration.seconds(10)

  struct Entry: Sendable {
    var record: CountRecord
    /// The stamp and the count on the card; 0 where it has none.
    var savedStamp: UInt64 = 0
    var savedPulses: UInt64 = 0
    /// Since when something waits for the card.
    var since: Duration?
    /// Must not wait, such as a total that a person has set.
    var isUrgent = false
    /// `nil` for a counter the configuration has no more; it is kept for its return.
    var limits: (every: UInt64, after: Duration)?

    var unsaved: UInt64 { record.pulses > savedPulses ? record.pulses - savedPulses : 0 }
    fileprivate var waits: Bool { record.stamp != savedStamp }
  }

  /// What goes to the card.
  struct Write: Sendable {
    var image: CountImage
    var began: Duration
  }

  private(set) var entries: [Entry] = []
  private var places: [String: Int] = [:]
  private var generation: UInt64 = 0
  /// Whether the card says that a stop in order wrote it: the first pulse after it has to end that.
  private var isCardClean = true
  private(set) var isWriting = false
  private(set) var isFailing = false
  private var lastEnd: Duration?

  /// - Parameters:
  ///   - card: The newest image on the card; `nil` without one.
  ///   - hot: What was in memory.
  init(card: CountImage? = nil, hot: [CountRecord] = [], now: Duration) {
    generation = card?.generation ?? 0
    isCardClean = card?.isClean ?? true
    for record in card?.records ?? [] {
      insert(Entry(record: record, savedStamp: record.stamp, savedPulses: record.pulses))
    }
    for record in hot {
      if let index = places[record.name] {
        guard record.stamp > entries[index].record.stamp else { continue }
        entries[index].record = record
        entries[index].since = now
      } else {
        insert(Entry(record: record, since: now))
      }
    }
  }

  private mutating func insert(_ entry: Entry) {
    guard entries.count < CountImage.recordLimit, places[entry.record.name] == nil else { return }
    places[entry.record.name] = entries.count
    entries.append(entry)
  }

  subscript(_ name: String) -> Entry? { places[name].map { entries[$0] } }

  // MARK: The configuration

  /// Makes these the counters that count.
  ///
  /// - Parameter wanted: Names, and what each may cost and be set to.
  /// - Returns: The records that are new or have changed, and the names that had to make room for them.
  mutating func use(
    _ wanted: [(name: String, every: UInt64, after: Duration, base: Double?)], now: Duration
  ) -> (changed: [CountRecord], dropped: [String]) {
    for index in entries.indices { entries[index].limits = nil }
    for (name, every, after, _) in wanted {
      if let index = places[name] { entries[index].limits = (every, after) }
    }
    var changed: [CountRecord] = []
    var dropped: [String] = []
    for (name, every, after, base) in wanted {
      if places[name] == nil {
        if entries.count >= CountImage.recordLimit { dropped += dropForgotten() }
        insert(Entry(record: CountRecord(name: name), limits: (every, after)))
      }
      guard let index = places[name] else { continue }
      let isSame = entries[index].record.base?.bitPattern == base?.bitPattern
      guard !isSame || entries[index].record.stamp == 0 else { continue }
      if !isSame {
        entries[index].record.base = base
        entries[index].record.basePulses = base == nil ? 0 : entries[index].record.pulses
        entries[index].isUrgent = true
      }
      touch(index, now)
      changed.append(entries[index].record)
    }
    return (changed, dropped)
  }

  /// Makes room: one that is not configured goes.
  private mutating func dropForgotten() -> [String] {
    guard let index = entries.firstIndex(where: { $0.limits == nil }) else { return [] }
    let name = entries.remove(at: index).record.name
    places = Dictionary(entries.enumerated().map { ($1.record.name, $0) }, uniquingKeysWith: { first, _ in first })
    return [name]
  }

  // MARK: Counting

  /// - Returns: The record as it is now; `nil` for a counter that is not configured.
  mutating func add(_ pulses: UInt64, missed: UInt64, to name: String, now: Duration) -> CountRecord? {
    guard let index = places[name], entries[index].limits != nil else { return nil }
    entries[index].record.pulses = entries[index].record.pulses.addingSaturated(pulses)
    entries[index].record.missed = entries[index].record.missed.addingSaturated(missed)
    touch(index, now)
    return entries[index].record
  }

  private mutating func touch(_ index: Int, _ now: Duration) {
    entries[index].record.stamp = entries[index].record.stamp.addingSaturated(1)
    if entries[index].since == nil { entries[index].since = now }
  }

  // MARK: Saving

  /// When the next write is due; `nil` while there is nothing to write, or a write is under way.
  func nextWrite(now: Duration) -> Duration? {
    guard !isWriting else { return nil }
    let times = entries.compactMap { due($0, now) }
    guard let due = times.min() else { return nil }
    guard let lastEnd else { return due }
    return max(due, lastEnd + (isFailing ? Self.retryPause : Self.leastPause))
  }

  private func due(_ entry: Entry, _ now: Duration) -> Duration? {
    guard entry.waits else { return nil }
    guard let limits = entry.limits else { return now }
    if isCardClean || entry.isUrgent || entry.unsaved >= (limits.every + 1) / 2 { return now }
    return (entry.since ?? now) + limits.after
  }

  /// - Parameter isLast: Whether nothing is counted any more, so that no pulse comes after it.
  mutating func beginWrite(isLast: Bool = false, now: Duration) -> Write {
    isWriting = true
    return Write(
      image: CountImage(generation: generation &+ 1, isClean: isLast, records: entries.map(\.record)), began: now)
  }

  mutating func writeEnded(_ write: Write, succeeded: Bool, now: Duration) {
    isWriting = false
    isFailing = !succeeded
    lastEnd = now
    guard succeeded else { return }
    generation = write.image.generation
    isCardClean = write.image.isClean
    for record in write.image.records {
      guard let index = places[record.name] else { continue }
      entries[index].savedStamp = record.stamp
      entries[index].savedPulses = record.pulses
      let isUpToDate = entries[index].record.stamp == record.stamp
      entries[index].since = isUpToDate ? nil : write.began
      if isUpToDate { entries[index].isUrgent = false }
    }
  }

  /// Whether a stop has to write: something waits, or the card does not say yet that all is on it.
  var needsLastWrite: Bool { !entries.isEmpty && (!isCardClean || entries.contains(where: \.waits)) }
}
