/// Appends a record's values as they stand in a body: `{"temperature":21.5,"door":true}`.
///
/// Of several values of one key the last that can be sent is written.
///
/// - Parameters:
///   - readings: The record's readings.
///   - buffer: Where to append; untouched where nothing can be sent.
///   - refused: Called for each reading that cannot be sent.
/// - Returns: How many were written.
public func appendValues(
  _ readings: [Reading], to buffer: inout [UInt8], refused: (Reading, UnsendableReason) -> Void
) -> Int {
  let standing = StandingReadings(readings)
  var written = 0
  for (index, reading) in readings.enumerated() {
    if let reason = reading.value.unsendable {
      refused(reading, reason)
      continue
    }
    if standing.isReplaced(index) { continue }
    if reading.key == .values, readings.contains(where: { $0.key == .timestamp && $0.value.unsendable == nil }) {
      refused(reading, .valuesBesideTimestamp)
      continue
    }
    buffer.append(UInt8(ascii: written == 0 ? "{" : ","))
    buffer.append(contentsOf: reading.key.encoded)
    reading.value.append(to: &buffer)
    written += 1
  }
  if written > 0 { buffer.append(UInt8(ascii: "}")) }
  return written
}

extension Key {
  /// The two keys which, side by side, make the server read a record as `{"ts": …, "values": {…}}`.
  fileprivate static let timestamp = Key(checked: "ts")
  fileprivate static let values = Key(checked: "values")
}

/// Knows which readings of a record are followed by another of the same key.
private struct StandingReadings {
  /// Up to here comparing one by one is quicker than hashing.
  private static let few = 32
  private let readings: [Reading]
  private var lastIndices: [Key: Int] = [:]

  init(_ readings: [Reading]) {
    self.readings = readings
    if readings.count <= Self.few { return }
    for (index, reading) in readings.enumerated() where reading.value.unsendable == nil {
      lastIndices[reading.key] = index
    }
  }

  func isReplaced(_ index: Int) -> Bool {
    let key = readings[index].key
    if readings.count > Self.few { return lastIndices[key] != index }
    return readings[(index + 1)...].contains { $0.key == key && $0.value.unsendable == nil }
  }
}
