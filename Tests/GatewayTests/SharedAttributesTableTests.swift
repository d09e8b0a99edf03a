import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct SharedAttributeTableTests {
  private var table = SharedAttributeTable()

  private func update(_ key: String, _ value: JSON) -> AttributeUpdate {
    AttributeUpdate(changed: [.init(key, value)])
  }

  @Test mutating func aChangeHeardOfTwiceIsOneChange() {
    let change = SharedAttributeChange(key: "rate", value: .integer(5))
    #expect(table.apply(update("rate", .integer(5))) == [change])
    #expect(table.apply(update("rate", .integer(5))) == [], "the other poll")
    table.beginReading()
    #expect(table.finishReading([.init("rate", .double(5))]) == [], "the reading, in another spelling")
    #expect(table.apply(update("rate", .integer(6))) == [SharedAttributeChange(key: "rate", value: .integer(6))])
  }

  @Test mutating func deletionsComeFromPollsAndFromReadings() {
    table.beginReading()
    #expect(table.finishReading([.init("a", .bool(true)), .init("b", .string("x"))]).count == 2)
    #expect(table.apply(AttributeUpdate(deleted: ["a", "never there"])) == [.init(key: "a", value: nil)])
    #expect(table.apply(AttributeUpdate(deleted: ["a"])) == [])
    table.beginReading()
    #expect(table.finishReading([]) == [.init(key: "b", value: nil)])
    #expect(table.values.isEmpty && table.bytes == 0)
  }

  @Test mutating func whatAPollTellsWhileReadingIsNewer() {
    _ = table.apply(AttributeUpdate(changed: [.init("changed", .integer(1)), .init("deleted", .integer(1))]))
    table.beginReading()
    _ = table.apply(AttributeUpdate(changed: [.init("changed", .integer(2)), .init("new", .integer(2))]))
    _ = table.apply(AttributeUpdate(deleted: ["deleted"]))
    let old: [JSON.Member] = [
      .init("changed", .integer(1)), .init("deleted", .integer(1)), .init("else", .integer(1)),
    ]
    #expect(table.finishReading(old) == [.init(key: "else", value: .integer(1))])
    #expect(table.values.map(\.0) == ["changed", "else", "new"])
    table.beginReading()
    #expect(table.finishReading(old).count == 3, "the next reading is believed again")
  }

  @Test mutating func aReadingThatTooMuchWasToldMeanwhileIsNotBelieved() {
    _ = table.apply(update("a", .integer(1)))
    table.beginReading()
    let many = (0...SharedAttributeTable.keyLimit).map { "k\($0)" }
    _ = table.apply(AttributeUpdate(deleted: many))
    #expect(table.finishReading([]) == [])
    table.beginReading()
    #expect(table.finishReading([]) == [.init(key: "a", value: nil)])
  }

  @Test mutating func namesAreComparedAsBytes() {
    _ = table.apply(update("\u{E9}", .integer(1)))
    _ = table.apply(update("e\u{301}", .integer(2)))
    #expect(table.count == 2)
  }

  @Test mutating func theNumberOfKeysIsBounded() {
    let limit = SharedAttributeTable.keyLimit
    let many = (0..<limit + 5).map { JSON.Member("k\($0)", .integer(Int64($0))) }
    #expect(table.apply(AttributeUpdate(changed: many)).count == limit)
    #expect(table.count == limit && table.refused == 5)
    #expect(table.apply(update("k0", .integer(-1))).count == 1, "what is kept may change")
    _ = table.apply(AttributeUpdate(deleted: ["k1"]))
    #expect(table.apply(update("k\(limit)", .null)).count == 1, "there is room again")
  }

  @Test mutating func bytesAreBoundedAndAnOldValueDoesNotStandForOneTooLarge() {
    let large = JSON.string(String(repeating: "x", count: SharedAttributeTable.byteLimit))
    _ = table.apply(update("a", .integer(1)))
    #expect(table.apply(update("a", large)) == [])
    #expect(table.values.isEmpty && table.bytes == 0 && table.refused == 1)
    let half = JSON.string(String(repeating: "x", count: SharedAttributeTable.byteLimit / 2))
    #expect(table.apply(update("a", half)).count == 1)
    #expect(table.apply(update("b", half)) == [])
    #expect(table.apply(update("a", .integer(1))).count == 1)
    #expect(table.apply(update("b", half)).count == 1)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let a: JSON
    let b: JSON
    let same: Bool
    var testDescription: String { "\(a.text) \(same ? "is" : "is not") \(b.text)" }
  }

  static let rows = [
    Row(a: .integer(10_000_000), b: .double(1.0e7), same: true),
    Row(a: .double(0.5), b: .double(0.5), same: true),
    Row(a: .integer(1), b: .double(1.5), same: false),
    Row(a: .integer(1), b: .bool(true), same: false),
    Row(a: .integer(1), b: .string("1"), same: false),
    Row(a: .null, b: .null, same: true),
    Row(a: .integer(.max), b: .double(0x1p63), same: false),
    Row(a: .string("\u{E9}"), b: .string("e\u{301}"), same: false),
    Row(a: .array([.integer(1), .integer(2)]), b: .array([.double(1), .double(2)]), same: true),
    Row(a: .array([.integer(1), .integer(2)]), b: .array([.integer(2), .integer(1)]), same: false),
    Row(a: .array([.integer(1)]), b: .array([.integer(1), .integer(2)]), same: false),
    Row(
      a: .object([.init("a", .integer(1)), .init("b", .object([.init("c", .double(2))]))]),
      b: .object([.init("b", .object([.init("c", .integer(2))])), .init("a", .integer(1))]), same: true),
    Row(a: .object([.init("a", .integer(1))]), b: .object([.init("b", .integer(1))]), same: false),
    Row(a: .object([.init("a", .integer(1))]), b: .object([]), same: false),
  ]
  @Test(arguments: rows) func sameness(_ row: Row) {
    #expect(row.a.isSame(as: row.b) == row.same)
    #expect(row.b.isSame(as: row.a) == row.same)
  }
}

@Suite struct SharedAttributesRereadTests {
  private var schedule = RereadSchedule(timing: .standard, every: PollTiming.standard.rereading)
  private var generator = SplitMix(seed: 5)

  init() { schedule.start(at: .seconds(100), first: .seconds(1000)) }

  /// Reads all at once, as over a link without delay.
  private mutating func read(at now: Duration) {
    #expect(schedule.begin(at: now) == true)
    #expect(schedule.due == nil, "not twice at a time")
    schedule.succeeded(at: now)
  }

  @Test mutating func aGapIsReadWhenANewPollHasSettled() {
    schedule.gapAppeared(newestOpenedAt: nil, at: .seconds(100))
    #expect(schedule.due == .seconds(160))
    schedule.pollOpened(at: .seconds(105))
    #expect(schedule.due == .seconds(106))
    #expect(schedule.begin(at: .milliseconds(105_999)) == false)
    read(at: .seconds(106))
    #expect(schedule.due == .seconds(1006))
  }

  @Test mutating func withoutAnyPollTheyAreReadOnceAMinute() {
    schedule.gapAppeared(newestOpenedAt: nil, at: .seconds(100))
    for second in [160, 220, 280] {
      #expect(schedule.due == .seconds(second))
      read(at: .seconds(second))
    }
  }

  @Test mutating func gapsWithoutEndDoNotPutOffReadingForEver() {
    var readings = 0
    // A change each half second: no poll ever settles.
    for half in 0..<600 {
      let now = Duration.seconds(100) + .milliseconds(500 * half)
      schedule.gapAppeared(newestOpenedAt: nil, at: now)
      schedule.pollOpened(at: now)
      if schedule.begin(at: now) {
        readings += 1
        schedule.succeeded(at: now)
      }
    }
    #expect((4...6).contains(readings))
  }

  @Test mutating func aGapWhileReadingIsReadAgain() {
    schedule.gapAppeared(newestOpenedAt: nil, at: .seconds(100))
    schedule.pollOpened(at: .seconds(100))
    #expect(schedule.begin(at: .seconds(101)) == true)
    schedule.gapAppeared(newestOpenedAt: nil, at: .milliseconds(101_100))
    schedule.succeeded(at: .milliseconds(101_200))
    schedule.pollOpened(at: .milliseconds(101_300))
    #expect(schedule.due == .milliseconds(102_300))
  }

  @Test mutating func onASlowLinkAPollGetsMoreTime() {
    schedule.gapAppeared(newestOpenedAt: nil, at: .seconds(100))
    schedule.pollOpened(at: .seconds(100))
    #expect(schedule.begin(at: .seconds(101)) == true)
    schedule.succeeded(at: .seconds(103))
    #expect(schedule.due == .seconds(104), "a reading took 2 s, so a poll may have needed more than the second it had")
    #expect(schedule.begin(at: .seconds(104)) == true)
    schedule.succeeded(at: .seconds(106))
    #expect(schedule.due == .seconds(1006))
  }

  @Test mutating func failuresBackOff() {
    schedule.gapAppeared(newestOpenedAt: nil, at: .seconds(100))
    schedule.pollOpened(at: .seconds(100))
    var now = Duration.seconds(101)
    for attempt in 1...20 {
      #expect(schedule.begin(at: now) == true)
      let (next, inARow) = schedule.failed(.overloaded, at: now, using: &generator)
      #expect(inARow == attempt && next <= .seconds(60))
      now += next
      #expect(schedule.due == now)
    }
    read(at: now)
    #expect(schedule.due == now + .seconds(900))
  }

  @Test mutating func aRegularReadingThatFailsIsRepeated() {
    #expect(schedule.begin(at: .seconds(1000)) == true)
    let (next, _) = schedule.failed(.overloaded, at: .seconds(1000), using: &generator)
    #expect(next <= .seconds(1) && schedule.due == .seconds(1000) + next)
    schedule.stop()
    #expect(schedule.due == nil)
  }
}
