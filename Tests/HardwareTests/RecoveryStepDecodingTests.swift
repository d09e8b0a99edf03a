import Hardware
import Testing
import YAML

/// `silent` of a port and its like, as `line:column: message`.
private func decode(
  _ text: String, in range: ClosedRange<Duration> = RecoveryStep.silentRange
) -> (steps: [RecoveryStep], messages: [String]) {
  let diagnostics = Diagnostics(file: "f")
  var steps: [RecoveryStep] = []
  if let node = YAMLNode.load(Array("silent: \(text)".utf8), file: "f", diagnostics: diagnostics),
    var reader = MappingReader(node, path: "ports.p", isSecret: true, diagnostics: diagnostics)
  {
    steps = RecoveryStep.steps("silent", from: &reader, in: range)
    _ = reader.finish()
  }
  return (steps, diagnostics.errors.map { "\($0.line):\($0.column): \($0.message)" })
}

@Suite struct RecoveryStepDecodingTests {
  static let mistakes: [(text: String, messages: [String])] = [
    ("on", ["1:9: ports.p.silent is text; expected a list of steps such as [{after: 30m, run: reboot}]"]),
    (
      "{after: 5m, run: a}",
      ["1:9: ports.p.silent is a mapping; expected a list of steps such as [{after: 30m, run: reboot}]"]
    ),
    ("", ["1:8: ports.p.silent has no value; write one or remove the key"]),
    ("[reopen]", ["1:10: ports.p.silent[0] is \"reopen\"; expected keys, each on a line \"key: value\""]),
    (
      "[{}]",
      [
        "1:10: ports.p.silent[0] has no \"after\", which is required",
        "1:10: ports.p.silent[0] has no \"run\", which is required",
      ]
    ),
    (
      "[{after: 9s, run: a}, {after: 8d, run: b}]",
      [
        "1:18: ports.p.silent[0].after is \"9s\"; expected a duration from 10s to 7d such as 250ms, 5s, 10m or 1h",
        "1:39: ports.p.silent[1].after is \"8d\"; expected a duration from 10s to 7d such as 250ms, 5s, 10m or 1h",
      ]
    ),
    (
      "[{after: 5m, run: a}, {after: 300s, run: b}]",
      [
        "1:39: ports.p.silent[1].after is \"5m\", but the step before it comes after 5m; expected the steps in the order "
          + "of their time"
      ]
    ),
    (
      "[{after: 5m, run: ''}, {aftr: 6m, run: b}]",
      [
        "1:27: ports.p.silent[0].run is \"\"; expected text that is not empty",
        "1:33: unknown key \"aftr\" in ports.p.silent[1]; did you mean \"after\"?",
      ]
    ),
    (
      "[\((1...9).map { "{after: \($0)m, run: a}" }.joined(separator: ","))]",
      ["1:9: ports.p.silent has 9 steps; at most 8 are possible"]
    ),
  ]

  @Test(arguments: mistakes) func reports(_ text: String, _ messages: [String]) {
    #expect(decode(text).messages == messages)
  }

  @Test func readsStepsByTime() {
    let (steps, messages) = decode(
      "[{after: 10s, run: reopen}, {run: power-cycle, after: 1h}, {after: 7d, run: reboot}]")
    #expect(messages == [])
    #expect(
      steps == [
        RecoveryStep(after: .seconds(10), run: "reopen"), RecoveryStep(after: .seconds(3600), run: "power-cycle"),
        RecoveryStep(after: .seconds(7 * 86400), run: "reboot"),
      ])
    #expect(decode("[]").steps == [])
    #expect(decode("[{after: 1m, run: a}]", in: RecoveryStep.unreachableRange).messages == [])
    #expect(decode("[{after: 59s, run: a}]", in: RecoveryStep.unreachableRange).messages.count == 1)
  }
}
