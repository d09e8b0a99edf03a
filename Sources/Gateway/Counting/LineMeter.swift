internal import Glibc
internal import Hardware
internal import Sensors
internal import Telemetry

/// What one line's edges amount to, and when that is told. Time is `Uptime.monotonic`.
///
/// Something new is told at once, and then at most every `interval`. While nothing comes, a counter's total is told again
/// every quarter of an hour, and a rate each time the silence has halved it.
struct LineMeter: Sendable {
  /// How often a count is told that does not change.
  static let repetition = Duration.seconds(900)
  /// After so long without a pulse a counter's rate is 0: less than one an hour.
  static let counterIdle = Duration.seconds(3600)
  /// The least such time of a frequency; otherwise it is ten intervals.
  static let frequencyIdle = Duration.seconds(60)
  /// Digits of a rate, a width and a frequency: more is noise.
  static let digits = 6

  let name: String
  private(set) var options: GPIOMeter
  private let key: Key?
  private let pulsesKey: Key?
  private let rateKey: Key?
  private var rate: PulseRate
  private var width = PulseWidth()
  private var lastReport: Duration?
  /// Whether something has come that was not told.
  private(set) var hasNews: Bool
  /// Pulses a second, as told.
  private var toldRate: Double?
  /// The newest width or frequency that was told.
  private(set) var latest: Double?

  init(_ name: String, _ options: GPIOMeter, now: Duration) {
    self.name = name
    self.options = options
    key = try? Key(name)
    pulsesKey = try? Key(GPIOLineOptions.pulsesKey(of: name))
    rateKey = try? Key(GPIOLineOptions.rateKey(of: name))
    rate = PulseRate(
      idle: options.quantity == .count ? Self.counterIdle : max(Self.frequencyIdle, options.interval * 10), start: now)
    // A count is there from the start.
    hasNews = options.quantity == .count
  }

  /// Takes other options of the same quantity, and tells what that makes of the value.
  mutating func use(_ options: GPIOMeter) {
    guard options != self.options else { return }
    self.options = options
    if options.quantity == .count { hasNews = true }
  }

  mutating func take(_ edges: [GPIOEdge]) {
    for edge in edges {
      switch options.quantity {
      case .count, .frequency:
        rate.add(1 + UInt64(edge.missed), at: edge.nanoseconds)
        hasNews = true
      case .pulseWidth:
        width.add(edge.value, at: edge.nanoseconds, missed: edge.missed)
        if !width.isEmpty { hasNews = true }
      }
    }
  }

  // MARK: Telling

  private var tellsRate: Bool {
    switch options.quantity {
    case .count: options.rate != .off
    case .frequency: true
    case .pulseWidth: false
    }
  }

  /// When there is something to tell; `nil` while there is nothing.
  func due(now: Duration) -> Duration? {
    if hasNews { return lastReport.map { $0 + options.interval } ?? now }
    var next: Duration?
    if options.quantity == .count { next = (lastReport ?? now) + max(options.interval, Self.repetition) }
    if tellsRate, let fall = rate.nextFall(below: toldRate) {
      // A millisecond later the silence is surely long enough.
      let time = Duration.nanoseconds(Int64(clamping: fall)) + .milliseconds(1)
      let allowed = max(time, lastReport.map { $0 + options.interval } ?? time)
      next = next.map { min($0, allowed) } ?? allowed
    }
    return next
  }

  /// What is to be told now.
  ///
  /// - Parameter count: A counter's; `nil` for what is only measured.
  mutating func report(now: Duration, _ count: CountRecord?) -> [Reading] {
    hasNews = false
    lastReport = now
    var readings: [Reading] = []
    func add(_ key: Key?, _ value: Value) { if let key { readings.append(Reading(key, value)) } }
    switch options.quantity {
    case .count:
      guard let count else { return [] }
      add(key, total(count))
      if options.hasPulses { add(pulsesKey, .long(Int64(clamping: count.pulses))) }
      toldRate = rate.close(at: now.nanosecondsSinceBoot)
      if let told = scaledRate(toldRate) { add(rateKey, .double(told)) }
    case .frequency:
      toldRate = rate.close(at: now.nanosecondsSinceBoot)
      latest = toldRate.map(scaled)
      if let latest { add(key, .double(latest)) }
    case .pulseWidth:
      if let mean = width.close() { latest = scaled(mean) }
      if let latest { add(key, .double(latest)) }
    }
    return readings
  }

  /// The bare count as a whole number, or what it stands for.
  func total(_ count: CountRecord) -> Value {
    guard options.hasPulses else { return .long(Int64(clamping: count.pulses)) }
    let pulses = Double(count.pulses) - Double(count.base == nil ? 0 : count.basePulses)
    return .double(LinearScale(scale: options.scale ?? 1, offset: count.base ?? 0)(pulses))
  }

  /// A counter's rate as it is now, in its units.
  func currentRate(now: Duration) -> Double? { scaledRate(rate.estimate(at: now.nanosecondsSinceBoot)) }

  private func scaledRate(_ perSecond: Double?) -> Double? {
    guard let seconds = options.rate.seconds, let perSecond else { return nil }
    return scaled(perSecond * seconds)
  }

  private func scaled(_ value: Double) -> Double { (value * (options.scale ?? 1)).rounded(toDigits: Self.digits) }
}

extension GPIOMeter.RateUnit {
  /// `nil` where no rate is told.
  fileprivate var seconds: Double? {
    switch self {
    case .second: 1
    case .minute: 60
    case .hour: 3600
    case .off: nil
    }
  }
}

extension Double {
  /// To so many significant digits; what is no number stays as it is.
  func rounded(toDigits digits: Int) -> Double {
    guard isFinite, self != 0 else { return self }
    let shift = Double(digits - 1) - log10(magnitude).rounded(.down)
    let power = pow(10, shift.magnitude)
    let result = shift >= 0 ? (self * power).rounded() / power : (self / power).rounded() * power
    return result.isFinite ? result : self
  }
}
