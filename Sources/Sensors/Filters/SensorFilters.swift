public import Telemetry

/// The filters of one sensor at work, between its decoder and all that uses its samples.
public struct SensorFilters: Sendable {
  private var places: [Key: Int] = [:]
  private var chains: [FilterChain] = []
  /// Values left out because they said nothing new.
  public private(set) var withheld: UInt64 = 0
  /// Values left out because they could not be true.
  public private(set) var rejected: UInt64 = 0

  /// Filters that have seen nothing yet.
  public init(_ options: SensorOptions) {
    for (name, chain) in options.filters where !chain.filters.isEmpty {
      // As a reader cleans a name that a line brings along.
      guard let key = options.naming.key(cleaning: name), places[key] == nil else { continue }
      places[key] = chains.count
      chains.append(chain)
    }
  }

  /// Whether nothing is filtered, so that `apply` may as well not be called.
  public var isEmpty: Bool { chains.isEmpty }

  /// Changes values and takes readings out, in place; what is left keeps its order. Nothing may be left.
  public mutating func apply(to sample: inout Sample) {
    if chains.isEmpty { return }
    var kept = 0
    for index in sample.readings.indices {
      if let place = places[sample.readings[index].key] {
        switch chains[place].pass(sample.readings[index].value, at: sample.time) {
        case .pass(let value): sample.readings[index].value = value
        case .withheld:
          withheld &+= 1
          continue
        case .rejected:
          rejected &+= 1
          continue
        }
      }
      if kept != index { sample.readings.swapAt(kept, index) }
      kept += 1
    }
    sample.readings.removeLast(sample.readings.count - kept)
  }
}
