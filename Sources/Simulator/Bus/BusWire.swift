/// The bytes on their way to one end of a line: when each is complete, and when the receiver hands them over. Times are
/// nanoseconds of one clock.
struct BusWire {
  private struct Byte {
    var value: UInt8
    /// When its stop bit is over.
    var completion: UInt64
  }

  private let timing: WireTiming
  private var flight: [Byte] = []

  init(_ timing: WireTiming) { self.timing = timing }

  var isEmpty: Bool { flight.isEmpty }

  /// Puts bytes on the wire, after those that are there.
  ///
  /// - Parameter start: When the first one's start bit begins.
  mutating func add(_ bytes: some Sequence<UInt8>, at start: UInt64) {
    var completion = start
    for byte in bytes {
      completion += timing.characterTime
      flight.append(Byte(value: byte, completion: completion))
    }
  }

  /// Inverts the bytes that are not complete then: two have sent at once.
  mutating func spoil(after time: UInt64) {
    for index in flight.indices where flight[index].completion > time { flight[index].value ^= 0xFF }
  }

  /// When the receiver hands something over next.
  var due: UInt64? {
    guard let first = flight.first else { return nil }
    let full = flight.count >= timing.capacity ? flight[timing.capacity - 1].completion : .max
    return min(first.completion + timing.latencyTime, full)
  }

  /// What the receiver hands over at `due`; nothing before.
  mutating func take(at now: UInt64) -> [UInt8] {
    guard let due, due <= now else { return [] }
    let count = flight.prefix(timing.capacity).prefix { $0.completion <= due }.count
    defer { flight.removeFirst(count) }
    return flight.prefix(count).map(\.value)
  }

  mutating func removeAll() { flight = [] }
}
