import Testing

@testable import Telemetry

@Suite struct DecimalParsing {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    let value: Double?
    init(_ text: String, _ value: Double?, _ description: String? = nil) {
      (self.text, self.value) = (text, value)
      testDescription = "\(text.prefix(30)) \(description ?? "")"
    }
  }

  static let rows = [
    Row("21.5", 21.5), Row("+21.5", 21.5), Row("-0", -0.0), Row(".5", 0.5), Row("7.", 7), Row("007", 7),
    Row("1e3", 1000), Row("1.5E+3", 1500), Row("25e-1", 2.5), Row("1e22", 1e22), Row("1e23", 1e23),
    Row("9007199254740993", 9_007_199_254_740_992, "is a tie and goes to even"),
    Row("9007199254740993.00000000000000000000000000000001", 9_007_199_254_740_994, "is above the tie"),
    Row("0.1", 0.1), Row("123456789.123456789", 123456789.123456789), Row("5e-324", .leastNonzeroMagnitude),
    Row("2e-324", 0),
    Row("3e-324", .leastNonzeroMagnitude), Row("1e309", .infinity), Row("-1e999999999999999999999", -.infinity),
    Row("0e999999999", 0), Row("1e-999999999999", 0),
    Row(String(repeating: "0", count: 1000) + "1", 1, "has a thousand zeros"),
    Row("0." + String(repeating: "0", count: 1000) + "1e1001", 1, "has a thousand decimals"),
    Row(String(repeating: "9", count: 1024), .infinity, "is just short enough"),
    Row(String(repeating: "9", count: 1025), nil, "is too long"),
    Row("", nil), Row(".", nil), Row("-", nil), Row("+", nil), Row("e5", nil), Row("1e", nil), Row("1e+", nil),
    Row("1.2.3", nil), Row("--1", nil), Row("1 ", nil), Row(" 1", nil), Row("1,5", nil), Row("0x10", nil),
    Row("nan", nil), Row("inf", nil), Row("1_000", nil), Row("1e5.0", nil), Row("1d", nil), Row("٣", nil),
    Row("1\0", nil),
  ]

  @Test(arguments: rows) func theValueOf(_ row: Row) {
    let value = Double(decimal: Array(row.text.utf8)[...])
    #expect(value == row.value)
    #expect(value?.sign == row.value?.sign)
  }

  @Test func everyDoubleIsReadFromItsDescription() {
    var generator = SeededGenerator(3)
    for _ in 0..<20_000 {
      let any = Double(bitPattern: generator.next())
      let reading = DecimalWriting.randomReading(using: &generator)
      for value in [any, reading] where value.isFinite {
        let read = Double(decimal: Array(value.description.utf8)[...])
        if read != value { Issue.record("\(value) was read as \(read.map(\.description) ?? "nothing")") }
      }
    }
  }

  @Test func aSliceIsReadWhereItStands() {
    let line = Array("T=-21.25C".utf8)
    #expect(Double(decimal: line[2..<8]) == -21.25)
  }
}
