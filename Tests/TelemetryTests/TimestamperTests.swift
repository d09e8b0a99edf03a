import Testing

@testable import Telemetry

@Suite struct OneKeyOneMillisecond {
  /// A record: its keys, capture time and clock, and where it must go.
  struct Step: Sendable {
    var keys: String
    var time: Int64
    var now: Int64
    var timestamp: Int64
    var replaced: Int
    init(_ keys: String, at time: Int64, now: Int64? = nil, _ timestamp: Int64, replaced: Int = 0) {
      (self.keys, self.time, self.now) = (keys, time, now ?? time)
      (self.timestamp, self.replaced) = (timestamp, replaced)
    }
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let floor: Int64?
    let steps: [Step]
    init(_ description: String, floor: Int64? = nil, _ steps: [Step]) {
      (testDescription, self.floor, self.steps) = (description, floor, steps)
    }
  }

  static let hour: Int64 = 3_600_000
  /// 1,001 records of one key at once: all there is room for up to the limit.
  static func burst(_ key: String, at time: Int64) -> [Step] {
    (0...1_000).map { Step(key, at: time, time + $0) }
  }

  static let rows = [
    Row("a record takes its time", [Step("a", at: 5_000, 5_000), Step("a", at: 5_001, 5_001)]),
    Row("keys do not disturb each other", [Step("a", at: 5_000, 5_000), Step("b", at: 5_000, 5_000)]),
    Row(
      "the same millisecond", [Step("a", at: 5_000, 5_000), Step("a", at: 5_000, 5_001), Step("a", at: 5_000, 5_002)]),
    Row(
      "all keys must be free", [Step("a", at: 5_000, 5_000), Step("ab", at: 5_000, 5_001), Step("b", at: 5_000, 5_002)]),
    Row(
      "a key's values keep their order",
      [
        Step("a", at: 5_000, 5_000), Step("a", at: 5_000, 5_001), Step("ab", at: 5_000, 5_002),
        Step("b", at: 5_001, 5_003),
      ]),
    Row("a key twice in a record", [Step("aab", at: 5_000, 5_000, replaced: 1)]),
    Row("captured a while ago", [Step("a", at: 5_000, now: 5_900, 5_000), Step("a", at: 5_000, now: 5_900, 5_001)]),
    Row(
      "past a second ahead the newest stands",
      burst("a", at: 5_000) + [
        Step("a", at: 5_000, 6_000, replaced: 1), Step("ab", at: 5_000, 6_000, replaced: 1),
        Step("ab", at: 5_000, 6_000, replaced: 2), Step("a", at: 5_001, 6_001),
        Step("a", at: 5_001, 6_001, replaced: 1),
        Step("c", at: 5_001, 5_001),
      ]),
    Row(
      "at the limit a value does not go back into a gap",
      burst("b", at: 5_000).dropLast() + [Step("ab", at: 5_000, 6_000), Step("a", at: 5_000, 6_000, replaced: 1)]),
    Row(
      "set back by less than a second",
      [
        Step("a", at: 5_000, 5_000), Step("a", at: 4_100, 5_001), Step("a", at: 5_001, 5_002),
        Step("b", at: 4_000, 4_000),
      ]),
    Row(
      "set back by a second sharp",
      [Step("a", at: 5_000, 5_000), Step("a", at: 4_000, 5_000, replaced: 1), Step("a", at: 4_001, 5_001)]),
    Row("set back by an hour", [Step("a", at: hour, hour), Step("a", at: 5_000, 5_000), Step("a", at: 5_000, 5_001)]),
    Row(
      "set back and forth: steps over what it used before",
      [
        Step("a", at: hour, hour), Step("a", at: hour, hour + 1), Step("a", at: 5_000, 5_000),
        Step("a", at: hour, hour + 2), Step("a", at: hour + 1, hour + 3), Step("a", at: hour + 10, hour + 10),
      ]),
    Row(
      "coming back to what it used before by itself",
      [
        Step("a", at: hour, hour), Step("a", at: 5_000, 5_000), Step("a", at: hour - 1_001, hour - 1_001),
        Step("a", at: hour - 999, hour + 1), Step("a", at: hour - 998, hour + 2),
      ]),
    Row(
      "set back into a burst",
      burst("a", at: hour) + [
        Step("a", at: hour - 500, hour - 500), Step("a", at: hour - 1, hour - 1),
        Step("a", at: hour, hour + 1_000, replaced: 1), Step("a", at: hour + 1, hour + 1_001),
      ]),
    Row(
      "set back several times",
      [
        Step("a", at: 4 * hour, 4 * hour), Step("a", at: 3 * hour, 3 * hour), Step("a", at: 2 * hour, 2 * hour),
        Step("a", at: hour, hour), Step("a", at: 2 * hour, 2 * hour + 1), Step("a", at: 3 * hour, 3 * hour + 1),
        Step("a", at: 4 * hour, 4 * hour + 1),
      ]),
    Row(
      "set back again to what it had passed",
      [
        Step("a", at: hour, hour), Step("a", at: hour - 5_000, hour - 5_000), Step("a", at: hour + 5_000, hour + 5_000),
        Step("a", at: hour, hour + 1), Step("a", at: hour - 2_000, hour - 2_000),
      ]),
    Row(
      "a capture time ahead of the clock",
      [Step("a", at: hour, now: 5_000, hour), Step("a", at: hour, now: 5_000, hour, replaced: 1)]),
    Row(
      "after a restart", floor: 5_300,
      [Step("a", at: 5_000, 5_301), Step("b", at: 5_000, 5_301), Step("a", at: 5_000, 5_302)]),
    Row("after a restart, long ago", floor: 5_300, [Step("a", at: hour, hour)]),
    Row(
      "after a restart, the queue's end a second ahead", floor: 6_000,
      [Step("a", at: 5_000, 6_000, replaced: 1), Step("a", at: 5_001, 6_001)]),
    Row(
      "after a restart with the clock set back", floor: hour,
      [Step("a", at: 5_000, 5_000), Step("a", at: hour - 500, hour + 1)]),
    Row(
      "the ends of time",
      [
        Step("a", at: .max, .max), Step("a", at: .max, .max, replaced: 1), Step("a", at: .min, .min),
        Step("a", at: .min, .min + 1),
      ]),
  ]

  static func record(_ keys: String) -> [Reading] {
    keys.map { Reading(Key(checked: String($0)), .long(1)) }
  }

  @Test(arguments: rows) func aRecordGoesTo(_ row: Row) {
    var timestamper = Timestamper(floor: row.floor)
    for (index, step) in row.steps.enumerated() {
      let (timestamp, replaced) = timestamper.place(Self.record(step.keys), at: step.time, now: step.now)
      #expect(timestamp == step.timestamp, "step \(index)")
      #expect(replaced == step.replaced, "step \(index)")
    }
  }

  @Test func aValueThatIsNotSentTakesNoPlace() {
    var timestamper = Timestamper()
    _ = timestamper.place([Reading(Key(checked: "a"), .double(.nan))], at: 5_000, now: 5_000)
    let (timestamp, replaced) = timestamper.place(Self.record("a"), at: 5_000, now: 5_000)
    #expect(timestamp == 5_000)
    #expect(replaced == 0)
  }

  /// Remembers every value ever placed, and says what the rule says in the plainest way.
  struct Model {
    var used: [Key: Set<Int64>] = [:]
    var last: [Key: Int64] = [:]

    mutating func place(_ readings: [Reading], at time: Int64, now: Int64) -> (timestamp: Int64, replaced: Int) {
      let newest = readings.compactMap { last[$0.key] }.max() ?? Int64.min
      let timestamp = min(max(time, newest < time ? time : newest + 1), max(time, now + 1_000))
      return (timestamp, insert(readings, at: timestamp))
    }

    /// Returns how many of the keys had a value there.
    mutating func insert(_ readings: [Reading], at timestamp: Int64) -> Int {
      for reading in readings { last[reading.key] = max(last[reading.key] ?? timestamp, timestamp) }
      return readings.count { !used[$0.key, default: []].insert(timestamp).inserted }
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func withAClockThatGoesForwardItDoesAsTheModel(_ seed: UInt64) {
    var generator = SeededGenerator(seed)
    var timestamper = Timestamper()
    var model = Model()
    var now: Int64 = 1_700_000_000_000
    for _ in 0..<2_000 {
      now += [0, 0, 0, 0, 0, 1, 3, 300].randomElement(using: &generator) ?? 0
      let time = now - Int64.random(in: 0...2, using: &generator)
      let readings = Self.randomRecord(of: 6, using: &generator)
      let expected = model.place(readings, at: time, now: now)
      let actual = timestamper.place(readings, at: time, now: now)
      if actual != expected {
        Issue.record("\(actual) where the model says \(expected)")
        return
      }
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func withAnyClockItStaysWithinItsBounds(_ seed: UInt64) {
    var generator = SeededGenerator(seed)
    var timestamper = Timestamper(floor: seed % 2 == 0 ? 1_700_000_000_200 : nil)
    var model = Model()
    var now: Int64 = 1_700_000_000_000
    for _ in 0..<2_000 {
      now += [0, 0, 0, 0, 1, 2, 50, -3, -800, 900, -2_500, 2_500].randomElement(using: &generator) ?? 0
      let time = now + Int64.random(in: -3...1, using: &generator)
      let readings = Self.randomRecord(of: 4, using: &generator)
      let (timestamp, replaced) = timestamper.place(readings, at: time, now: now)
      let isWithin = (time...max(time, now + 1_000)).contains(timestamp)
      // What it counts it has replaced; the floor alone may claim more than there was.
      let truth = model.insert(readings, at: timestamp)
      if !isWithin || replaced > (seed % 2 == 1 ? truth : readings.count) {
        Issue.record("\(timestamp), \(replaced) replaced for \(time) at \(now)")
        return
      }
    }
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>) func forgettingKeysNeverReplacesInSilence(_ seed: UInt64) {
    var generator = SeededGenerator(seed)
    var timestamper = Timestamper(floor: seed % 2 == 0 ? 1_700_003_600_000 : nil, capacity: 8)
    var model = Model()
    var now: Int64 = 1_700_000_000_000
    for _ in 0..<2_000 {
      now += [0, 0, 0, 0, 1, 5, 400].randomElement(using: &generator) ?? 0
      let readings = Self.randomRecord(of: 60, using: &generator)
      let (timestamp, replaced) = timestamper.place(readings, at: now, now: now)
      let isWithin = (now...now + 1_000).contains(timestamp)
      if !isWithin || replaced < model.insert(readings, at: timestamp) || timestamper.count > 8 {
        Issue.record("\(timestamp), \(replaced) replaced at \(now), \(timestamper.count) keys")
        return
      }
    }
  }

  private static func randomRecord(of keys: Int, using generator: inout SeededGenerator) -> [Reading] {
    let count = Int.random(in: 1...3, using: &generator)
    return (0..<count).map { _ in
      Reading(Key(checked: "k\(Int.random(in: 0..<keys, using: &generator))"), .long(1))
    }
  }
}
