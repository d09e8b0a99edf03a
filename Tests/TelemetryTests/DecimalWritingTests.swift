import Foundation
import Testing

@testable import Telemetry

@Suite struct DecimalWriting {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let value: Double
    let text: String
    init(_ description: String, _ value: Double, _ text: String) {
      (testDescription, self.value, self.text) = (description, value, text)
    }
  }

  static let rows = [
    Row("an integral value keeps a point", 42, "42.0"),
    Row("zero", 0, "0.0"),
    Row("no negative zero", -0.0, "0.0"),
    Row("a negative value", -12.75, "-12.75"),
    Row("a reading", 21.5, "21.5"),
    Row("zeros behind the point", 1.0005, "1.0005"),
    Row("six decimals", 0.000001, "0.000001"),
    Row("seven decimals", 0.0000001, "0.0000001"),
    Row("no exponent for small values", 1e-10, "0.0000000001"),
    Row("fifteen decimals", 1e-15, "0.000000000000001"),
    Row("sixteen decimals round up", 5e-16, "0.000000000000001"),
    Row("just below", 5e-16.nextDown, "0.0"),
    Row("just below, negative", -5e-16.nextDown, "0.0"),
    Row("1e-16", 1e-16, "0.0"),
    Row("the smallest double", .leastNonzeroMagnitude, "0.0"),
    Row("the smallest normal double", .leastNormalMagnitude, "0.0"),
    Row("17 decimals are rounded", 0.1 + 0.2, "0.3"),
    Row("16 decimals are rounded", 0.1234567890123456, "0.123456789012346"),
    Row("a tie goes to the even digit, 2^-16", 0x1p-16, "0.000015258789062"),
    Row("a tie goes to the even digit, 3·2^-16", 0x3p-16, "0.000045776367188"),
    Row("rounding carries to the integral part", 1.0.nextDown, "1.0"),
    Row("a third", 1.0 / 3, "0.333333333333333"),
    Row("fifteen decimals beside an integral digit", 2.0 / 3 + 8, "8.666666666666666"),
    Row("a float's double", Double(Float(21.3)), "21.299999237060547"),
    Row("nine decimals", 123456789.123456789, "123456789.12345679"),
    Row("below 1e7", 9_999_999.5, "9999999.5"),
    Row("1e7", 1e7, "10000000.0"),
    Row("1e15 less a bit", 1e15.nextDown, "999999999999999.9"),
    Row("1e15", 1e15, "1000000000000000.0"),
    Row("the last half", 0x1p52 - 0.5, "4503599627370495.5"),
    Row("2^53 - 1", 0x1p53 - 1, "9007199254740991.0"),
    Row("2^53", 0x1p53, "9007199254740992.0"),
    Row("2^53 + 2", 0x1p53 + 2, "9007199254740994.0"),
    Row("1e16", 1e16, "10000000000000000.0"),
    Row("the integral part is exact", 0x1p60, "1152921504606846976.0"),
    Row("below 2^63", 0x1p63.nextDown, "9223372036854774784.0"),
    Row("-2^63, inside a JSON value", -0x1p63, "-9223372036854776000.0"),
    Row("1e22, inside a JSON value", 1e22, "10000000000000000000000.0"),
    Row(
      "the largest double, inside a JSON value", .greatestFiniteMagnitude,
      "17976931348623157" + String(repeating: "0", count: 292) + ".0"),
    Row("not a number", .nan, "null"),
    Row("infinite", -.infinity, "null"),
  ]

  @Test(arguments: rows) func theTextOf(_ row: Row) {
    #expect(row.value.decimalText == row.text)
    #expect(text { row.value.appendLongDecimal(to: &$0) } == row.text)
  }

  @Test func theShortWayWritesWhatTheLongWayWrites() {
    var generator = SeededGenerator(1)
    var short = 0
    for _ in 0..<60_000 {
      let value = Self.randomReading(using: &generator)
      var fast: [UInt8] = []
      guard value.appendShortDecimal(to: &fast) else {
        #expect(fast.isEmpty)
        continue
      }
      short += 1
      var slow: [UInt8] = []
      value.appendLongDecimal(to: &slow)
      if fast != slow { Issue.record("\(value): \(quoted(fast)) by the short way, \(quoted(slow)) by the long one") }
    }
    #expect(short > 10_000)
  }

  /// Values with few digits, their neighbours, and any.
  static func randomReading(using generator: inout SeededGenerator) -> Double {
    let digits = Double(Int64.random(in: -1_000_000_000_000_000...1_000_000_000_000_000, using: &generator))
    let shift = pow(10, Double(Int.random(in: 0...18, using: &generator)))
    let scaled = (digits / pow(10, Double(Int.random(in: 0...15, using: &generator)))).rounded() / shift
    switch Int.random(in: 0...3, using: &generator) {
    case 0: return scaled.nextUp
    case 1: return Double(Float(scaled))
    default: return scaled
    }
  }

  @Test func anyDoubleReadsBackOrDiffersByLessThanHalfADigit() {
    var generator = SeededGenerator(2)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      if !value.isFinite { continue }
      checkText(of: value)
    }
    for _ in 0..<20_000 { checkText(of: Double.random(in: -20...20, using: &generator)) }
    // 2^-40 to 2^10: where rounding to 15 decimals begins and ends.
    for _ in 0..<20_000 {
      let exponent = Int.random(in: -60...10, using: &generator)
      checkText(of: Double(sign: .plus, exponent: exponent, significand: .random(in: 1..<2, using: &generator)))
    }
  }

  private func checkText(of value: Double) {
    let text = value.decimalText
    let decimals = text.utf8.reversed().prefix { $0 != UInt8(ascii: ".") }.count
    // Plain conditions: the macros are too slow for as many values.
    let hasForm = text.utf8.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    guard hasForm, (1...15).contains(decimals), let back = Double(text) else {
      Issue.record("\(value) as \(text)")
      return
    }
    if back == value { return }
    // 15 decimals do not suffice: C's printf, which rounds exactly, is the judge.
    var expected = String(format: "%.15f", value)
    while expected.hasSuffix("0"), !expected.hasSuffix(".0") { expected.removeLast() }
    if expected == "-0.0" { expected = "0.0" }
    if text != expected || value.magnitude >= 10 { Issue.record("\(value) as \(text) rather than \(expected)") }
    if abs(back - value) > 0.5e-15 + value.ulp / 2 { Issue.record("\(value) as \(text)") }
  }

  @Test(arguments: [
    (0, "0"), (7, "7"), (-40, "-40"), (Int64.max, "9223372036854775807"), (Int64.min, "-9223372036854775808"),
  ]) func integersAreExact(_ value: Int64, _ expected: String) {
    #expect(text { value.appendDecimal(to: &$0) } == expected)
  }
}
