import Testing

@testable import Hardware

/// Times of a line. Worked out by hand from the standard: 3.5 characters of start, data, parity and stop bits.
@Suite struct BusTimingTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let line: SerialOptions
    let character: Double
    let silence: Double
    init(_ line: SerialOptions, character: Double, silence: Double) {
      testDescription = line.notation
      (self.line, self.character, self.silence) = (line, character, silence)
    }
  }

  static func line(_ baud: Int, _ parity: SerialOptions.Parity = .none, _ stop: Int = 1, bits: Int = 8) -> SerialOptions
  {
    SerialOptions(path: "/dev/ttyUSB0", baud: baud, dataBits: bits, parity: parity, stopBits: stop)
  }

  /// In microseconds.
  static let rows = [
    Row(line(9600), character: 1041.667, silence: 3645.833),
    Row(line(9600, .even), character: 1145.833, silence: 4010.417),
    Row(line(9600, .none, 2), character: 1145.833, silence: 4010.417),
    Row(line(9600, .even, 1, bits: 7), character: 1041.667, silence: 3645.833),
    Row(line(19_200, .even), character: 572.917, silence: 2005.208),
    Row(line(19_201), character: 520.806, silence: 1750),
    Row(line(38_400, .even), character: 286.458, silence: 1750),
    Row(line(115_200), character: 86.806, silence: 1750),
    Row(line(20_000_000), character: 0.5, silence: 1750),
    Row(line(50), character: 200_000, silence: 700_000),
    Row(line(0), character: 10_000_000, silence: 35_000_000),
  ]

  @Test(arguments: rows) func aLineHasItsTimes(_ row: Row) {
    let timing = BusTiming(row.line)
    #expect(abs(timing.character / .microseconds(1) - row.character) < 0.001)
    #expect(abs(timing.silence / .microseconds(1) - row.silence) < 0.001)
  }
}
