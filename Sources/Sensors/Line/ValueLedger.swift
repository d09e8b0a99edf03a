internal import Telemetry

/// Holds a key of a line that types its values itself to the type it had first.
///
/// Members of one JSON document (`report: json`) have no type on the server and are let through.
struct ValueLedger: Sendable {
  private var ledger: TypeLedger?

  init(_ naming: KeyNaming) {
    ledger = naming.report == .telemetry ? TypeLedger() : nil
  }

  /// Appends the reading, or why it is left out.
  mutating func admit(_ reading: Reading, into result: inout LineResult) {
    guard let verdict = ledger?.admit(reading) else {
      result.readings.append(reading)
      return
    }
    switch verdict {
    case .success(let admitted): result.readings.append(admitted)
    case .failure(let change):
      result.omit(LineMismatch(.typeChanged, "\(change)"))
    }
  }
}
