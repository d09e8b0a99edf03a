import Telemetry
import Testing
import YAML

@testable import Sensors

/// A row: what comes out of filters for what goes in, one value a second.
private struct Passage: Sendable, CustomStringConvertible {
  let description: String
  let filters: String
  let into: [Value]
  /// `nil` for a value that is kept back.
  let out: [Value?]

  init(_ sentence: String, _ filters: String, _ into: [Value], _ out: [Value?]) {
    (description, self.filters, self.into, self.out) = (sentence, filters, into, out)
  }
}

private func doubles(_ numbers: Double?...) -> [Value?] { numbers.map { $0.map(Value.double) } }
private func doubles(_ numbers: Double...) -> [Value] { numbers.map(Value.double) }
private func longs(_ numbers: Int64?...) -> [Value?] { numbers.map { $0.map(Value.long) } }
private func longs(_ numbers: Int64...) -> [Value] { numbers.map(Value.long) }

private let passages = [
  Passage("none", "[]", doubles(1, 1), doubles(1, 1)),
  Passage(
    "a median hides an outlier", "[{median: 3}]", doubles(21, 21.2, 99, 21.4, 21.6), doubles(21, 21, 21.2, 21.4, 21.6)),
  Passage("a median of LONGs is one", "[{median: 3}]", longs(5, 1, 9, 2, 2), longs(5, 1, 5, 2, 2)),
  Passage(
    "LONGs beyond 2^53 stay apart", "[{median: 3}]", longs(9_007_199_254_740_993, 9_007_199_254_740_992, 1),
    longs(9_007_199_254_740_993, 9_007_199_254_740_992, 9_007_199_254_740_992)),
  Passage(
    "a LONG that leaves after a DOUBLE is a DOUBLE", "[{median: 3}]", [.long(5), .double(9.5), .double(1)],
    [.long(5), .double(5), .double(5)]),
  Passage(
    "a median forgets", "[{median: 3}]", doubles(9, 9, 9, 1, 1, 1), doubles(9, 9, 9, 9, 1, 1)),
  Passage(
    "a mean of what there is, then of the newest", "[{mean: 2}]", [.long(1), .long(2), .double(4)],
    doubles(1, 1.5, 3)),
  Passage("a mean does not collect errors", "[{mean: 3}]", doubles(0.1, 0.1, 0.1), doubles(0.1, 0.1, 0.1)),
  Passage(
    "a mean from end to end of the range", "[{mean: 2}]", doubles(0x1p1023, -0x1p1023), doubles(0x1p1023, 0)),
  Passage(
    "a deadband counts from what was sent", "[{deadband: 0.2}]", doubles(21.5, 21.6, 21.7, 21.8, 21.5),
    doubles(21.5, nil, 21.7, nil, 21.5)),
  Passage("a deadband of LONGs", "[{deadband: 2}]", longs(1, 2, 3, 4, -9), longs(1, nil, 3, nil, -9)),
  Passage(
    "a deadband that speaks now and then", "[{deadband: {change: 5, at_least_every: 2s}}]", doubles(1, 2, 3, 4, 5),
    doubles(1, nil, 3, nil, 5)),
  Passage("a throttle", "[{throttle: 2s}]", doubles(1, 2, 3, 4, 5), doubles(1, nil, 3, nil, 5)),
  Passage(
    "a throttle of text", "[{throttle: 1h}]", [.string("a"), .string("b")], [.string("a"), nil]),
  Passage("a range", "[{range: {min: -40, max: 85}}]", doubles(-41, -40, 85, 85.1), doubles(nil, -40, 85, nil)),
  Passage("half a range", "[{range: {min: 0}}]", longs(-1, 0, .max), longs(nil, 0, .max)),
  Passage(
    "rounding", "[{round: 1}]", doubles(21.449, 21.45, -0.04, 1e300, 4_503_599_627_370_497),
    doubles(21.4, 21.5, 0, 1e300, 4_503_599_627_370_497)),
  Passage("rounding to nothing behind the point", "[{round: 0}]", doubles(2.5, -2.5), doubles(3, -3)),
  Passage("rounding leaves LONGs", "[{round: 1}]", longs(21, .max), longs(21, .max)),
  Passage(
    "changes", "[{change: true}]", [.bool(true), .bool(true), .bool(false), .string("x"), .string("x"), .long(1)],
    [.bool(true), nil, .bool(false), .string("x"), nil, .long(1)]),
  Passage(
    "one after the other", "[{median: 3}, {round: 0}, {change: true}]", doubles(1.1, 1.2, 80, 1.3, 2.9, 2.8),
    doubles(1, nil, nil, nil, 3, nil)),
  Passage(
    "what is kept back does not reach the next", "[{range: {max: 50}}, {mean: 2}]", doubles(1, 99, 3),
    doubles(1, nil, 2)),
]

/// What numeric filters leave alone.
private let strangers: [Value] = [
  .string("21.5"), .bool(true), .json(.array([])), .double(.infinity), .double(-.infinity),
]

@Suite struct FilterTests {
  private static func sensor(_ filters: String, name: String = "t", options: String = "json: true") throws
    -> SensorOptions
  {
    let (sensors, messages) = load("s:\n  port: p\n  protocol: line\n  \(options)\n  filters: {\(name): \(filters)}")
    guard let sensor = sensors.first else { throw Unusable(description: messages.joined(separator: "\n")) }
    return sensor
  }

  private static func passed(_ values: [Value], _ filters: inout SensorFilters, _ key: String = "t") throws -> [Value?]
  {
    try values.enumerated().map { index, value in
      let time = CaptureTime(milliseconds: 0, boottime: 5000 + Int64(index) * 1000)
      var sample = Sample(time: time, readings: [Reading(try Key(key), value)])
      filters.apply(to: &sample)
      return sample.readings.first?.value
    }
  }

  @Test(arguments: passages) fileprivate func passes(_ row: Passage) throws {
    var filters = SensorFilters(try Self.sensor(row.filters))
    #expect(try Self.passed(row.into, &filters) == row.out)
    let keptBack = row.out.count { $0 == nil }
    #expect(filters.withheld + filters.rejected == UInt64(keptBack))
  }

  @Test(arguments: ["{median: 3}", "{mean: 3}", "{deadband: 1}", "{range: {max: 1}}", "{round: 0}"])
  func leavesWhatIsNoNumber(_ filter: String) throws {
    var filters = SensorFilters(try Self.sensor("[\(filter)]"))
    #expect(try Self.passed(strangers, &filters) == strangers)
    // Not in its memory either.
    #expect(try Self.passed([.double(0)], &filters) == [.double(0)])
    guard case .double(let number) = try #require(try Self.passed([.double(.nan)], &filters).first) else {
      Issue.record("NaN is gone")
      return
    }
    #expect(number.isNaN)
    #expect(try Self.passed([.double(1)], &filters).first != .double(.nan))
  }

  @Test(arguments: ["{throttle: 1m}", "{change: true}"]) func keepsNaNFromStayingForGood(_ filter: String) throws {
    var filters = SensorFilters(try Self.sensor("[\(filter)]"))
    #expect(try Self.passed([.double(.nan)], &filters).count == 1)
    let later = CaptureTime(milliseconds: 0, boottime: 90_000)
    var sample = Sample(time: later, readings: [Reading(try Key("t"), .double(1))])
    filters.apply(to: &sample)
    #expect(sample.readings.count == 1)
  }

  /// Against a sorted window, for numbers of every kind.
  @Test(arguments: [3, 5, 99]) func theMedianIsTheMiddleOfTheWindow(_ size: Int) {
    var filter = MedianFilter(size: size)
    var seen: [Double] = []
    var state: UInt64 = 88172645463325252
    for _ in 0..<500 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      let number = Double(Int64(bitPattern: state) >> 56) / 4
      seen.append(number)
      let window = seen.suffix(size).sorted()
      #expect(filter.pass(.double(number), at: noon) == .pass(.double(window[(window.count - 1) / 2])))
    }
  }

  @Test func aClockThatRunsBackwardsSilencesNothing() throws {
    for filter in ["{throttle: 1d}", "{deadband: {change: 9, at_least_every: 1d}}"] {
      var filters = SensorFilters(try Self.sensor("[\(filter)]"))
      for (boottime, count): (Int64, Int) in [(9_000, 1), (1_000, 1), (1_500, 0)] {
        var sample = Sample(
          time: CaptureTime(milliseconds: 0, boottime: boottime), readings: [Reading(try Key("t"), .long(1))])
        filters.apply(to: &sample)
        #expect(sample.readings.count == count)
      }
    }
  }

  @Test func takesReadingsOutOfTheMiddle() throws {
    let names = ["a", "t", "b", "u", "t", "c"]
    var filters = SensorFilters(try Self.sensor("[{change: true}], u: [{range: {max: 2}}]"))
    let readings = try names.enumerated().map { Reading(try Key($1), .long(Int64($0))) }
    var sample = Sample(time: noon, readings: readings)
    filters.apply(to: &sample)
    #expect(sample.readings.map(\.key.name) == ["a", "t", "b", "t", "c"])
    #expect(filters.rejected == 1)
    filters.apply(to: &sample)
    #expect(sample.readings.map(\.key.name) == ["a", "t", "b", "t", "c"])
    sample.readings = [Reading(try Key("t"), .long(4)), Reading(try Key("u"), .long(3))]
    filters.apply(to: &sample)
    #expect(sample.readings.isEmpty)
    #expect((filters.withheld, filters.rejected) == (1, 2))
  }

  @Test func followsTheKeysOfItsSensor() throws {
    var filters = SensorFilters(try Self.sensor("[{change: true}]", options: "template: \"{t}\"\n  prefix: true"))
    #expect(try Self.passed([.long(1), .long(1)], &filters, "s.t") == [.long(1), nil])
    #expect(try Self.passed([.long(1), .long(1)], &filters, "t") == [.long(1), .long(1)])
  }

  @Test func withoutFiltersNothingIsDone() throws {
    #expect(SensorFilters(try Self.sensor("[]")).isEmpty)
    let plain = load("s: {port: p, protocol: line, json: true}").sensors
    #expect(plain.first?.filters.isEmpty == true)
  }

  /// So that a reload changes only what differs.
  @Test func optionsAreEqualWhereTheyFilterAlike() throws {
    #expect(try Self.sensor("[{median: 5}, {deadband: 1}]") == Self.sensor("[{median: 5}, {deadband: 1.0}]"))
    for other in ["[{median: 7}, {deadband: 1}]", "[{deadband: 1}, {median: 5}]", "[{median: 5}]", "[]"] {
      #expect(try Self.sensor("[{median: 5}, {deadband: 1}]") != Self.sensor(other))
    }
  }

  @Test func everyFiltersExampleIsOne() throws {
    for entry in Filters.all {
      #expect(try Self.sensor("[\(entry.example)]").filters["t"]?.filters.count == 1)
    }
  }
}

/// A row per mistake, with the exact words it earns.
@Suite struct FilterMistakeTests {
  fileprivate struct Mistake: Sendable, CustomStringConvertible {
    let description: String
    let filters: String
    let messages: [String]

    init(_ sentence: String, _ filters: String, _ messages: String...) {
      (description, self.filters, self.messages) = (sentence, filters, messages)
    }
  }

  fileprivate static let mistakes = [
    Mistake(
      "a filter misspelt", "{t: [{medain: 5}]}",
      #"5:18: unknown key "medain" in sensors.s.filters.t[0]; did you mean "median"?"#),
    Mistake(
      "a filter unknown", "{t: [{kalman: 5}]}",
      #"5:18: unknown key "kalman" in sensors.s.filters.t[0]; expected median, mean, deadband, throttle, range, round "#
        + "or change"),
    Mistake(
      "a word for a filter", "{t: [change]}",
      #"5:17: sensors.s.filters.t[0] is "change"; expected a filter such as {change: true}"#),
    Mistake(
      "two in one item", "{t: [{median: 5, round: 1}]}",
      "5:17: sensors.s.filters.t[0] has median and round; each filter is an item of its own: [{median: 5}, {round: 1}]"),
    Mistake(
      "none in an item", "{t: [{}]}",
      "5:17: sensors.s.filters.t[0] has no filter; each filter is an item of its own: [{median: 5}, {round: 1}]"),
    Mistake(
      "no list", "{t: {median: 5}}",
      "5:16: sensors.s.filters.t is a mapping; expected a list of filters such as [{median: 5}, {deadband: 0.2}]"),
    Mistake(
      "no mapping", "[median]",
      #"5:12: sensors.s.filters is a list; expected names, each on a line "name: value""#),
    Mistake(
      "a value the sensor does not deliver", "{u: []}",
      #"5:13: sensors.s.filters has "u", which the sensor does not deliver; it delivers t"#),
    Mistake(
      "an even median", "{t: [{median: 4}]}",
      #"5:26: sensors.s.filters.t[0].median is "4"; expected an odd number, of which one value is in the middle"#),
    Mistake(
      "too large a window", "{t: [{median: 101}, {mean: 1001}]}",
      #"5:26: sensors.s.filters.t[0].median is "101"; expected an integer from 3 to 99"#,
      #"5:39: sensors.s.filters.t[1].mean is "1001"; expected an integer from 2 to 1000"#),
    Mistake(
      "no change", "{t: [{deadband: 0}, {deadband: {at_least_every: 1m}}, {change: false}]}",
      #"5:28: sensors.s.filters.t[0].deadband is "0"; expected a number above 0"#,
      #"5:43: sensors.s.filters.t[1].deadband has no "change", which is required"#,
      "5:75: sensors.s.filters.t[2].change is false; remove it, or write true"),
    Mistake(
      "an empty range", "{t: [{range: {}}, {range: {min: 2, max: 1}}, {range: {mim: 1}}]}",
      #"5:25: sensors.s.filters.t[0].range has neither "min" nor "max"; one is required"#,
      #"5:52: sensors.s.filters.t[1].range.max is "1"; expected a number that is not below min"#,
      #"5:66: unknown key "mim" in sensors.s.filters.t[2].range; did you mean "min"?"#),
    Mistake(
      "a time without a unit", "{t: [{throttle: 5}]}",
      #"5:28: sensors.s.filters.t[0].throttle is "5"; expected a duration from 10ms to 1d such as 250ms, 5s, 10m or 1h"#
    ),
    Mistake(
      "too many", "{t: [\(Array(repeating: "{round: 1}", count: 9).joined(separator: ", "))]}",
      "5:16: sensors.s.filters.t has 9 filters; at most 8 are possible"),
    Mistake(
      "too many values", "{\((0..<65).map { "v\($0): []" }.joined(separator: ", "))}",
      "5:12: sensors.s.filters has 65 entries; at most 64 are possible"),
    Mistake(
      "one JSON value", "{t: []}\n  report: json",
      "5:12: sensors.s.filters needs report: telemetry: with report: json a reading is one value, and part of it "
        + "cannot be left out"),
  ]

  @Test(arguments: mistakes) fileprivate func reports(_ mistake: Mistake) {
    let (sensors, messages) = load(
      "s:\n  port: p\n  protocol: line\n  template: \"{t}\"\n  filters: \(mistake.filters)")
    #expect(messages == mistake.messages)
    #expect(sensors.isEmpty)
  }
}
