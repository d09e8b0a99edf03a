/// Gives each record of one device a millisecond in which none of its keys has a value yet ("one key, one millisecond":
/// the server keeps one value per device, key and millisecond).
///
/// - A record takes its capture time where that is later than the last value of each of its keys.
/// - Else it takes the millisecond after the latest of them, so that a key's values keep their order, as long as that is
///   not more than `longestLead` ahead of the clock.
/// - Else, where no millisecond up to that limit is left, it takes the limit itself: the newest value of that millisecond
///   stands, and what it replaces is counted.
/// - Else the clock was set back by more than that, and the record takes its capture time. Of the future it left, each
///   key remembers its latest runs of used milliseconds and steps over them when the clock gets there again; of the past
///   before them it remembers nothing.
///
/// Keys that are not known, after a restart or because there were too many, count as used up to the `floor`.
public struct Timestamper: Sendable {
  /// How far a record may be ahead of the clock, in milliseconds: a key carries 1,000 values a second.
  public static let longestLead: Int64 = 1_000
  /// Keys that are remembered; above, those whose last value is oldest go.
  public static let defaultCapacity = 10_000

  private let capacity: Int
  private var slots: [Key: Int] = [:]
  /// By slot.
  private var used: [UsedMilliseconds] = []
  private var floor: UsedMilliseconds?
  /// The slots of the record being placed; kept for its storage.
  private var record: [Int] = []

  /// - Parameters:
  ///   - floor: The newest timestamp found in the queue after a restart, in milliseconds since 1970: the second up to it
  ///     counts as used for every key.
  ///   - capacity: The most keys to remember.
  public init(floor: Int64? = nil, capacity: Int = Timestamper.defaultCapacity) {
    self.capacity = max(1, capacity)
    raiseFloor(to: floor)
  }

  /// Finds the millisecond for a record and marks it used. Takes time in proportion to the record's keys.
  ///
  /// - Parameters:
  ///   - readings: The record's readings; those that are not sent take no place.
  ///   - milliseconds: When it was captured, in milliseconds since 1970.
  ///   - now: What the clock says, in milliseconds since 1970.
  /// - Returns: The record's timestamp, and how many values it replaces, those of a key that occurs twice in it
  ///   included.
  public mutating func place(
    _ readings: [Reading], at milliseconds: Int64, now: Int64
  ) -> (timestamp: Int64, replaced: Int) {
    let limit = max(milliseconds, now.addingSaturated(Self.longestLead))
    var timestamp = milliseconds
    var mayBeFull = false
    record.removeAll(keepingCapacity: true)
    for reading in readings where reading.value.unsendable == nil {
      let slot = slot(of: reading.key)
      record.append(slot)
      timestamp = max(timestamp, used[slot].free(from: milliseconds, before: limit))
      if used[slot].last >= limit { mayBeFull = true }
    }
    // What lies between is used by one of the keys, so the limit is the only place left.
    if mayBeFull, record.contains(where: { used[$0].isFull(from: timestamp, through: limit) }) { timestamp = limit }
    var replaced = 0
    for slot in record where used[slot].insert(timestamp) { replaced += 1 }
    if used.count > capacity { forget(now: now) }
    return (timestamp, replaced)
  }

  /// Keys remembered at present.
  var count: Int { used.count }

  private mutating func slot(of key: Key) -> Int {
    if let slot = slots[key] { return slot }
    slots[key] = used.count
    used.append(floor ?? UsedMilliseconds())
    return used.count - 1
  }

  /// Forgets keys until half of the capacity is free.
  private mutating func forget(now: Int64) {
    let limit = now.addingSaturated(Self.longestLead)
    // A floor in a future the clock was set back from protects nothing any more.
    if let last = floor?.last, last > limit { floor = nil }
    forget(through: now)
    if used.count > capacity / 2 { forget(through: limit) }
    if used.count > capacity / 2 {
      // What is left are such futures; there are too many to remember them.
      slots = [:]
      used = []
    }
  }

  /// Forgets the keys without a value after a millisecond; up to the last value before it unknown keys count as used.
  private mutating func forget(through milliseconds: Int64) {
    var kept: [UsedMilliseconds] = []
    for (key, slot) in slots {
      let known = used[slot]
      raiseFloor(to: known.last(through: milliseconds))
      slots[key] = known.last > milliseconds ? kept.count : nil
      if known.last > milliseconds { kept.append(known) }
    }
    used = kept
  }

  private mutating func raiseFloor(to milliseconds: Int64?) {
    guard let milliseconds, milliseconds > floor?.last ?? .min else { return }
    floor = UsedMilliseconds(milliseconds.addingSaturated(-Self.longestLead)...milliseconds)
  }
}

extension Int64 {
  fileprivate func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    if overflow { return other > 0 ? .max : .min }
    return sum
  }
}
