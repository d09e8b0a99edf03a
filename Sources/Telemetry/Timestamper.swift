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
  private var used: [Key: UsedMilliseconds] = [:]
  private var floor: UsedMilliseconds?

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
  ///   - readings: The record's readings.
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
    for reading in readings {
      guard let known = used[reading.key] ?? floor else { continue }
      timestamp = max(timestamp, known.free(from: milliseconds, before: limit))
      if known.last >= limit { mayBeFull = true }
    }
    // What lies between is used by one of the keys, so the limit is the only place left.
    if mayBeFull, isFull(for: readings, from: timestamp, through: limit) { timestamp = limit }
    var replaced = 0
    for reading in readings {
      if used[reading.key, default: floor ?? UsedMilliseconds()].insert(timestamp) { replaced += 1 }
    }
    if used.count > capacity { forget(now: now) }
    return (timestamp, replaced)
  }

  /// Keys remembered at present.
  var count: Int { used.count }

  private func isFull(for readings: [Reading], from timestamp: Int64, through limit: Int64) -> Bool {
    readings.contains { (used[$0.key] ?? floor)?.isFull(from: timestamp, through: limit) ?? false }
  }

  /// Forgets keys until half of the capacity is free, raising the floor to their last values.
  private mutating func forget(now: Int64) {
    forget(through: now)
    if used.count > capacity / 2 { forget(through: now.addingSaturated(Self.longestLead)) }
    // What is left are futures the clock was set back from; too many keys to remember those.
    if used.count > capacity / 2 { used.removeAll(keepingCapacity: true) }
  }

  /// Forgets the keys without any value after a millisecond; up to their last one the others count as used, too.
  private mutating func forget(through milliseconds: Int64) {
    var newest: Int64?
    for known in used.values {
      if let last = known.last(through: milliseconds) { newest = max(newest ?? last, last) }
    }
    used = used.filter { $0.value.last > milliseconds }
    raiseFloor(to: newest)
  }

  private mutating func raiseFloor(to milliseconds: Int64?) {
    guard let milliseconds, milliseconds > floor?.last ?? Int64.min else { return }
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
