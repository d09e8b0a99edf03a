internal import Telemetry
internal import YAML

/// `deadband: 0.2`: only what differs from the last value sent by at least that. With
/// `deadband: {change: 0.2, at_least_every: 10m}` a value also passes when none has for so long.
///
/// The first passes, and what is no number.
struct DeadbandFilter: Filter {
  static let pauseRange = Duration.seconds(1) ... .seconds(24 * 3600)
  static let entry = FilterEntry(name: "deadband", example: "{deadband: 0.2}") { reader in
    guard let node = reader.node("deadband") else { return nil }
    guard case .mapping = node.value else { return change("deadband", &reader).map { DeadbandFilter(change: $0) } }
    guard var section = reader.mapping("deadband") else { return nil }
    section.require("change")
    let change = change("change", &section)
    let pause = section.duration("at_least_every", in: pauseRange)
    guard section.finish(), let change else { return nil }
    return DeadbandFilter(change: change, longestPause: pause)
  }

  private static func change(_ key: String, _ reader: inout MappingReader) -> Double? {
    guard let change = reader.double(key) else { return nil }
    if change > 0 { return change }
    reader.mismatch(key, expected: "a number above 0")
    return nil
  }

  private let change: Double
  /// Milliseconds.
  private let longestPause: Int64?
  private var last: (number: Double, boottime: Int64)?

  init(change: Double, longestPause: Duration? = nil) {
    self.change = change
    self.longestPause = longestPause.map(milliseconds)
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    guard let number = value.finiteNumber else { return .pass(value) }
    if let last, !differs(number, from: last.number), !isDue(time, since: last.boottime) { return .withheld }
    last = (number, time.boottime)
    return .pass(value)
  }

  /// From 21.5 to 21.7 it is 0.2 to a person, and a little less in binary.
  private func differs(_ number: Double, from last: Double) -> Bool {
    (number - last).magnitude + 2 * max(number.ulp, last.ulp) >= change
  }

  private func isDue(_ time: CaptureTime, since boottime: Int64) -> Bool {
    longestPause.map { hasElapsed($0, since: boottime, at: time) } ?? false
  }

  static func == (a: DeadbandFilter, b: DeadbandFilter) -> Bool {
    a.change == b.change && a.longestPause == b.longestPause && a.last?.number == b.last?.number
      && a.last?.boottime == b.last?.boottime
  }
}
