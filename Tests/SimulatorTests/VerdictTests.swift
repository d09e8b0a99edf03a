import Testing

@testable import Simulator

@Suite struct VerdictTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var sentence: String
    var change: @Sendable (inout [String: [StoredValue]]) -> Void
    var fault: String?
    var testDescription: String { sentence }
  }

  @Test(arguments: [
    Row(sentence: "All there once is a pass", change: { _ in }),
    Row(
      sentence: "A line that is not there is missing",
      change: { for key in $0.keys { $0[key]?.removeAll { $0.ts == 1001 } } }, fault: "climate: lines missing: 1"),
    Row(
      sentence: "A line under a second time stamp is stored twice",
      change: { values in
        for key in values.keys {
          if let value = values[key]?[1] {
            values[key]?.append(StoredValue(ts: 5000, type: value.type, text: value.text))
          }
        }
      }, fault: "climate: lines stored more than once: 1"),
    Row(
      sentence: "A line that was never sent is told",
      change: { $0["climate.n"]?.append(StoredValue(ts: 9000, type: .double, text: "77.0")) },
      fault: "climate: lines stored and never fully sent: 77"),
    Row(
      sentence: "Another value than the line's is told", change: { $0["climate.T"]?[2].text = "1.5" },
      fault: "climate.T: wrong values in lines: 2"),
    Row(
      sentence: "Another type than DOUBLE is told", change: { $0["climate.n"]?[0].type = .long },
      fault: "climate.n: stored as LONG"),
    Row(
      sentence: "A value at a time without a line is told",
      change: { $0["climate.T"]?[0] = StoredValue(ts: 1, type: .double, text: "20.5") },
      fault: "climate.T has 20.5 at 1, where no line is"),
  ])
  func judges(_ row: Row) throws {
    let template = try #require(SensorTemplate("N={n},T={T}"))
    let sensor = DemoSensor(
      name: "climate", port: "arduino", timing: .uart(baud: 9600), rate: 1, template: template, format: "",
      description: "")
    var values: [String: [StoredValue]] = [:]
    for number in 0..<3 {
      for name in template.names {
        let text = try #require(template.value(of: name, number).flatMap { Double($0) })
        values["climate.\(name)", default: []].append(
          StoredValue(ts: 1000 + Int64(number), type: .double, text: "\(text)"))
      }
    }
    row.change(&values)
    var verdict = Verdict()
    verdict.check(sensor, sent: [0, 1, 2]) { values[$0] ?? [] }
    #expect(verdict.expected == 6)
    if let fault = row.fault {
      #expect(!verdict.isGood)
      #expect(verdict.faults.contains(fault), "\(verdict.faults)")
      #expect(verdict.summary.hasPrefix("FAIL"))
    } else {
      #expect(verdict.faults.isEmpty, "\(verdict.faults)")
      #expect(verdict.summary.hasPrefix("PASS: 6 of 6 readings arrived once"))
    }
  }

  @Test("Nothing sent is no pass")
  func nothing() { #expect(!Verdict().isGood) }
}
