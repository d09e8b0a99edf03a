/// What is made of a line's edges instead of telling its level: `direction: counter`, or an input's `measure`.
public struct GPIOMeter: Sendable, Equatable {
  public enum Quantity: Sendable {
    /// How many edges there were, for ever.
    case count
    /// How long the line is on, in milliseconds.
    case pulseWidth
    /// How often it comes on, in hertz.
    case frequency
  }

  /// Which edges count; of the line as `active_low` has it.
  public enum Edge: String, Sendable, CaseIterable { case rising, falling, both }

  /// What a counter's rate is told per.
  public enum RateUnit: String, Sendable, CaseIterable { case second, minute, hour, off }

  public var quantity: Quantity
  /// Which edges a counter counts.
  public var edge = Edge.rising
  /// What one pulse, millisecond or hertz stands for.
  public var scale: Double?
  /// Of what is scaled; shown by `baudgate status`.
  public var units: String?
  /// The least time between two reports.
  public var interval = Duration.seconds(10)
  public var rate = RateUnit.hour
  /// What the meter showed when this was written into the file; a counter's total goes on from there.
  public var initialTotal: Double?
  /// The most pulses a power cut may cost.
  public var persistEvery: UInt64 = 100
  /// How long a pulse may wait for the card.
  public var persistAfter = Duration.seconds(300)

  public init(_ quantity: Quantity) { self.quantity = quantity }

  /// The edges the kernel is asked for.
  var edges: Edge {
    switch quantity {
    case .count: edge
    case .pulseWidth: .both
    case .frequency: .rising
    }
  }
}

extension GPIOMeter.Edge {
  /// Whether a change to this level is one of them.
  func contains(_ value: Bool) -> Bool {
    switch self {
    case .rising: value
    case .falling: !value
    case .both: true
    }
  }
}

extension GPIOLineOptions {
  /// The edges the kernel is asked for.
  var edges: GPIOMeter.Edge { meter?.edges ?? .both }

  /// The telemetry keys of the line; an output has none.
  public var keys: [String] {
    guard direction == .input else { return [] }
    guard let meter, meter.quantity == .count else { return [name] }
    var keys = [name]
    if meter.hasPulses { keys.append(Self.pulsesKey(of: name)) }
    if meter.rate != .off { keys.append(Self.rateKey(of: name)) }
    return keys
  }

  public static func pulsesKey(of name: String) -> String { "\(name)_pulses" }
  public static func rateKey(of name: String) -> String { "\(name)_rate" }
}

extension GPIOMeter {
  /// Whether the bare count is told beside the total, since the two differ.
  public var hasPulses: Bool { quantity == .count && (scale != nil || initialTotal != nil) }
}
