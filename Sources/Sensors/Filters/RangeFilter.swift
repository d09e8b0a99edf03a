internal import Telemetry
internal import YAML

/// `range: {min: -40, max: 85}`, or one of both: numbers outside cannot be true; they are left out and counted. What is no
/// number passes.
struct RangeFilter: Filter {
  static let entry = FilterEntry(name: "range", example: "{range: {min: -40, max: 85}}") { reader in
    guard var section = reader.mapping("range") else { return nil }
    let least = section.double("min")
    let greatest = section.double("max")
    if !section.has("min"), !section.has("max"), !section.hasNearMiss(of: ["min", "max"]) {
      reader.error(at: "range", "\(section.path) has neither \"min\" nor \"max\"; one is required")
    }
    if let least, let greatest, least > greatest {
      section.mismatch("max", expected: "a number that is not below min")
    }
    guard section.finish() else { return nil }
    return RangeFilter(least: least ?? -.infinity, greatest: greatest ?? .infinity)
  }

  private let least: Double
  private let greatest: Double

  init(least: Double, greatest: Double) {
    self.least = least
    self.greatest = greatest
  }

  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    guard let number = value.finiteNumber else { return .pass(value) }
    return number < least || number > greatest ? .rejected : .pass(value)
  }
}
