@testable import Telemetry

/// SplitMix64: the same numbers in every run, so that a failure can be found again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

extension Double {
  /// What is sent for the value.
  var decimalText: String { TelemetryTests.text { appendDecimal(to: &$0) } }
}

func text(_ write: (inout [UInt8]) -> Void) -> String {
  var buffer: [UInt8] = []
  write(&buffer)
  return String(decoding: buffer, as: UTF8.self)
}
