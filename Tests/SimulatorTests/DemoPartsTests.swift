import Testing

@testable import Simulator

@Suite struct DemoPartsTests {
  @Test("A template's lines hold its values, and the same ones every time")
  func template() throws {
    let template = try #require(SensorTemplate("N={n},T={t} °C;{count}"))
    #expect(template.names == ["n", "t", "count"])
    let value = try #require(template.value(of: "t", 42))
    #expect(template.line(42) == "N=42,T=\(value) °C;42\n")
    #expect(template.value(of: "t", 43) != value)
    #expect(template.value(of: "x", 42) == nil)
  }

  @Test(
    "A template without a name, with an empty one or an open brace is none", arguments: ["T=1", "", "T={}", "T={t"])
  func badTemplate(_ text: String) { #expect(SensorTemplate(text) == nil) }

  @Test(
    "A log line's priority is read from its prefix",
    arguments: [
      ("<4>the line is dead", 4, "the line is dead"), ("<7>x", 7, "x"), ("no prefix", 6, "no prefix"),
      ("<9>x", 6, "<9>x"), ("<>", 6, "<>"),
    ])
  func logLine(_ text: String, _ priority: Int, _ message: String) {
    let line = LogLine(text)
    #expect(line.priority == priority)
    #expect(line.message == message)
    #expect(line.isWarning == (priority == 4))
  }

  @Test("The daemon's status is read as far as it is there")
  func status() throws {
    func read(_ text: String) throws -> DaemonStatus { DaemonStatus(try LiteralJSON.parse(Array(text.utf8)).document) }
    let full = try read(
      #"{"ports":{"a":{"state":"open"},"b":{"state":"waiting"},"c":3},"queue":{"records":12,"bytes":900,"#
        + #""oldest_age_ms":1500},"uplink":{"state":"backing_off","next_try_in_ms":250}}"#)
    #expect(full.ports == ["a": "open", "b": "waiting"])
    #expect(DemoText.queue(full) == "12 records, 900 B, oldest 1.5 s; uplink backing off, next try in 0.2 s")
    #expect(DemoText.queue(try read("[]")) == "unknown: the daemon does not answer")
    #expect(DemoText.queue(nil) == "unknown: the daemon does not answer")
  }

  @Test("A rate is counted over the last seconds, not over all time")
  func rate() {
    var meter = RateMeter()
    var rates: [Double] = []
    for second in 0...20 {
      rates.append(meter.rate(of: "x", count: second < 10 ? 0 : (second - 10) * 30, at: .seconds(second)))
    }
    #expect(rates.first == 0)
    #expect(rates.last == 30)
  }

  @Test("A line of the view has no control characters and is cut to the width")
  func fits() {
    #expect(DemoText.fit("a\u{1B}[2Jb\n", 80) == "a·[2Jb·")
    #expect(DemoText.fit("abcdef", 4) == "abc…")
  }

  @Test("The configuration names each port's link and each sensor's format")
  func configuration() {
    let configuration = DemoConfiguration(
      serverURL: "http://127.0.0.1:1", directory: "/d", sensors: Array(DemoSensor.all.prefix(1)))
    #expect(
      configuration.yaml == """
        server:
          url: http://127.0.0.1:1
        device:
          name: demo
          token: DEMO_TOKEN_4b1f
        state_directory: /d/state
        gpio: {chip: "simulated:/d/chip", lines: {relay: {line: 23, direction: output}}}
        ports:
          arduino: {path: /d/arduino, baud: 115200}
        sensors:
          climate:
            port: arduino
            protocol: line
            template: "N={n},T={temperature},H={humidity}"
            prefix: true

        """)
  }
}
