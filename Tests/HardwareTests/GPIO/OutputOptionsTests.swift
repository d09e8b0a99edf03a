import Testing
import YAML

@testable import Hardware

/// What `gpio:` says of outputs as a whole: `safe_after` and `interlocks`.
@Suite struct OutputOptionsTests {
  private static func decode(_ text: String) -> (options: GPIOOptions?, messages: [String]) {
    let diagnostics = Diagnostics(file: "f")
    var options: GPIOOptions?
    if let node = YAMLNode.load(Array(text.utf8), file: "f", diagnostics: diagnostics),
      var reader = MappingReader(node, path: "gpio", diagnostics: diagnostics)
    {
      options = GPIOOptions(from: &reader)
    }
    return (options, diagnostics.errors.map { "\($0.line):\($0.column): \($0.message)" })
  }

  @Test func aLinesOwnWordGoesBeforeTheSections() throws {
    let (options, messages) = Self.decode(
      """
      chip: gpiochip0
      safe_after: 10m
      lines:
        a: {line: 1, direction: output}
        b: {line: 2, direction: output, safe: on, safe_after: 30s}
        c: {line: 3, direction: output, safe_after: never}
        d: {line: 4, direction: output, safe: hold}
        e: {line: 5, direction: input}
      """)
    #expect(messages == [])
    #expect(try #require(options).lines.map(\.safeAfter) == [.seconds(600), .seconds(30), nil, nil, nil])
  }

  @Test func interlocksAreListsOrMappings() throws {
    let (options, messages) = Self.decode(
      """
      chip: gpiochip0
      interlocks:
        - [up, down]
        - {lines: [left, right, up], gap: 500ms}
      lines:
        up: {line: 1, direction: output, safe: on}
        down: {line: 2, direction: output}
        left: {line: 3, direction: output, chip: "simulated:/a"}
        right: {line: 4, direction: output, device: pump}
      """)
    #expect(messages == [])
    #expect(
      try #require(options).interlocks == [
        GPIOInterlock(["up", "down"]), GPIOInterlock(["left", "right", "up"], gap: .milliseconds(500)),
      ])
    #expect(Self.decode("chip: c\ninterlocks: []").options == GPIOOptions())
  }

  struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let message: String

    init(_ description: String, _ text: String, _ message: String) {
      (testDescription, self.text, self.message) = (description, text, message)
    }
  }

  /// Four lines, the last an input.
  private static let lines =
    "chip: c\nlines: {up: {line: 1, direction: output}, down: {line: 2, direction: output, initial: on}, "
    + "both: {line: 3, direction: output, safe: on}, kept: {line: 5, direction: output, safe: hold}, "
    + "door: {line: 4, direction: input}}\n"

  static let mistakes = [
    Mistake(
      "too short a time", lines + "safe_after: 5s",
      "3:13: gpio.safe_after is \"5s\"; expected never, or a duration from 10s to 30d such as 10m"),
    Mistake(
      "no time", lines + "safe_after: on",
      "3:13: gpio.safe_after is \"on\"; expected never, or a duration from 10s to 30d such as 10m"),
    Mistake(
      "on an input", "chip: c\nlines: {x: {line: 1, direction: input, safe_after: 10m}}",
      "2:52: gpio.lines.x.safe_after does not belong here: x is an input; only outputs are driven"),
    Mistake(
      "with hold", "chip: c\nlines: {x: {line: 1, direction: output, safe: hold, safe_after: 10m}}",
      "2:65: gpio.lines.x.safe_after means nothing with \"safe: hold\", which has no safe value; write safe: on or safe: "
        + "off, or remove it"),
    Mistake(
      "no list", lines + "interlocks: up", "3:13: gpio.interlocks is \"up\"; expected a list such as [a, b]"),
    Mistake(
      "one line", lines + "interlocks: [[up]]",
      "3:14: gpio.interlocks[0] is no list of 2 to 16 outputs; expected such as [up, down]"),
    Mistake(
      "no list in the list", lines + "interlocks: [up, down]",
      "3:14: gpio.interlocks[0] is no list of 2 to 16 outputs; expected such as [up, down]"),
    Mistake("twice", lines + "interlocks: [[up, up]]", "3:19: gpio.interlocks[0] has \"up\" twice"),
    Mistake(
      "an unknown name", lines + "interlocks: [[up, dwon]]",
      "3:19: gpio.interlocks[0] has \"dwon\"; gpio.lines has both, door, down, kept and up; did you mean \"down\"?"),
    Mistake(
      "an input", lines + "interlocks: [[up, door]]",
      "3:19: gpio.interlocks[0] has \"door\", which is no output; only outputs are driven"),
    Mistake(
      "on from the start", lines + "interlocks: [[down, both]]",
      "3:14: gpio.interlocks[0]: down and both would be on together from the start; write initial: off for all but one"),
    Mistake(
      "on at the end", lines + "interlocks: [[both, kept]]",
      "3:14: gpio.interlocks[0]: both has \"safe: on\" and kept \"safe: hold\", so that both may be on when the daemon "
        + "ends; write safe: off for all but one"),
    Mistake(
      "too long a gap", lines + "interlocks: [{lines: [up, down], gap: 5s}]",
      "3:39: gpio.interlocks[0].gap is \"5s\"; expected a duration from 0s to 1s such as 250ms, 5s, 10m or 1h"),
    Mistake(
      "a mapping without lines", lines + "interlocks: [{gap: 1s}]",
      "3:14: gpio.interlocks[0] has no \"lines\", which is required"),
    Mistake(
      "a name that is none", lines + "interlocks: [[up, [down]]]",
      "3:19: gpio.interlocks[0] has something that is no name of a line"),
  ]

  @Test(arguments: mistakes) func aMistakeIsTold(_ mistake: Mistake) {
    let (options, messages) = Self.decode(mistake.text)
    // Some cross-checks tell more than one thing of the same lines.
    #expect(messages.first == mistake.message)
    #expect(options == nil)
  }
}
