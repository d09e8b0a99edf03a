internal import Telemetry

/// The filters of one value, as `filters.NAME` lists them.
public struct FilterChain: Sendable, Equatable {
  /// The most filters of one value.
  static let limit = 8
  /// The most values with filters a sensor has.
  static let valueLimit = 64

  private(set) var filters: [any Filter]

  init(_ filters: [any Filter]) {
    self.filters = filters
  }

  /// Puts a value through all of them, in order; one that keeps it ends its way.
  mutating func pass(_ value: Value, at time: CaptureTime) -> FilterVerdict {
    var value = value
    for index in filters.indices {
      switch filters[index].pass(value, at: time) {
      case .pass(let next): value = next
      case .withheld: return .withheld
      case .rejected: return .rejected
      }
    }
    return .pass(value)
  }

  public static func == (a: FilterChain, b: FilterChain) -> Bool {
    a.filters.elementsEqual(b.filters) { (a: any Filter, b: any Filter) in areEqual(a, b) }
  }

  private static func areEqual<Same: Filter>(_ a: Same, _ b: any Filter) -> Bool {
    a == b as? Same
  }
}
