import Testing
import YAML

@testable import Hardware

/// `gpio:` as a file has it, and what is said of it as `line:column: message`.
private func decode(_ text: String) -> (options: GPIOOptions?, messages: [String]) {
  let diagnostics = Diagnostics(file: "f")
  var options: GPIOOptions?
  if let node = YAMLNode.load(Array(text.utf8), file: "f", diagnostics: diagnostics),
    var reader = MappingReader(node, path: "gpio", diagnostics: diagnostics)
  {
    options = GPIOOptions(from: &reader)
  }
  return (options, diagnostics.errors.map { "\($0.line):\($0.column): \($0.message)" })
}

private struct Mistake: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let text: String
  let messages: [String]

  init(_ description: String, _ text: String, _ messages: String...) {
    self.init(description, text, messages)
  }

  private init(_ description: String, _ text: String, _ messages: [String]) {
    testDescription = description
    self.text = text
    self.messages = messages
  }

  /// One line `x` on a chip that is there.
  static func line(_ description: String, _ options: String, _ messages: String...) -> Mistake {
    Mistake(description, "chip: gpiochip0\nlines:\n  x: {\(options)}", messages)
  }
}

private let mistakes: [Mistake] = [
  .line(
    "neither number nor direction", "safe: off", "3:6: gpio.lines.x has no \"line\", which is required",
    "3:6: gpio.lines.x has no \"direction\", which is required"),
  .line(
    "a number beyond any chip", "line: 4096, direction: input",
    "3:13: gpio.lines.x.line is \"4096\"; expected an integer from 0 to 4095"),
  .line(
    "a number in quotes", "line: \"23\", direction: input",
    "3:13: gpio.lines.x.line is \"23\"; expected an integer from 0 to 4095 without quotes"),
  .line(
    "a line by the kernel's name", "line: GPIO23, direction: input",
    "3:13: gpio.lines.x.line \"GPIO23\" is not supported yet by this version (lines by the kernel's name); expected an "
      + "integer from 0 to 4095"),
  .line(
    "an unknown direction", "line: 1, direction: outptu",
    "3:27: gpio.lines.x.direction is \"outptu\"; expected input or output; did you mean \"output\"?"),
  .line(
    "a counter, whose keys are not judged", "line: 1, direction: counter, edge: rising, scale: 0.5, units: l, foo: 1",
    "3:27: gpio.lines.x.direction \"counter\" is not supported yet by this version (counters)"),
  .line(
    "a counter's keys on an input", "line: 1, direction: input, edge: rising, scale: 2, units: l",
    "3:34: gpio.lines.x.edge is not supported yet by this version (counters)",
    "3:48: gpio.lines.x.scale is not supported yet by this version (counters)",
    "3:58: gpio.lines.x.units is not supported yet by this version (counters)"),
  .line(
    "a device without a name", "line: 1, direction: input, device: ''",
    "3:42: gpio.lines.x.device is \"\"; expected text that is not empty"),
  .line(
    "what an input is not driven to", "line: 1, direction: input, safe: on, initial: off",
    "3:40: gpio.lines.x.safe does not belong here: x is an input; only outputs are driven",
    "3:53: gpio.lines.x.initial does not belong here: x is an input; only outputs are driven"),
  .line(
    "what only inputs have", "line: 1, direction: output, bias: pull_up, debounce: 5ms",
    "3:41: gpio.lines.x.bias does not belong here: x is an output; only inputs have it",
    "3:60: gpio.lines.x.debounce does not belong here: x is an output; only inputs have it"),
  .line(
    "unknown words", "line: 1, direction: output, safe: offf, initial: hold",
    "3:41: gpio.lines.x.safe is \"offf\"; expected on, off or hold; did you mean \"off\"?",
    "3:56: gpio.lines.x.initial is \"hold\"; expected on or off"),
  .line(
    "a bias that is none", "line: 1, direction: input, bias: pullup, active_low: on",
    "3:40: gpio.lines.x.bias is \"pullup\"; expected as_is, pull_up, pull_down or disabled; did you mean \"pull_up\"?",
    "3:60: gpio.lines.x.active_low is \"on\"; expected true or false"),
  .line(
    "a debounce beyond sense", "line: 1, direction: input, debounce: 11s",
    "3:44: gpio.lines.x.debounce is \"11s\"; expected a duration from 0s to 10s such as 250ms, 5s, 10m or 1h"),
  .line(
    "another program's word", "line: 1, direction: input, pull: up",
    "3:34: unknown key \"pull\" in gpio.lines.x; the key is \"bias\""),
  .line(
    "a chip that is no path", "line: 1, direction: input, chip: dev/gpiochip0",
    "3:40: gpio.lines.x.chip is \"dev/gpiochip0\"; expected a path such as /dev/gpiochip0, a chip's name or label, or "
      + "simulated: with an absolute path"),
  .line(
    "a simulated chip without a directory", "line: 1, direction: input, chip: \"simulated:\"",
    "3:40: gpio.lines.x.chip is \"simulated:\"; expected a path such as /dev/gpiochip0, a chip's name or label, or "
      + "simulated: with an absolute path"),
  Mistake(
    "a line that is no mapping", "chip: c\nlines:\n  x: 23",
    "3:6: gpio.lines.x is \"23\"; expected keys, each on a line \"key: value\""),
  Mistake(
    "no chip at all", "lines:\n  x: {line: 1, direction: input}\n  y: {line: 2, direction: input, chip: c}",
    "1:1: gpio.lines.x has no chip; write gpio.chip for all lines, or chip in each"),
  Mistake(
    "a chip that is wrong is one message", "chip: a/b\nlines:\n  x: {line: 1, direction: input}",
    "1:7: gpio.chip is \"a/b\"; expected a path such as /dev/gpiochip0, a chip's name or label, or simulated: with an "
      + "absolute path"),
  Mistake(
    "a name that is a number", "chip: c\nlines:\n  23: {line: 1, direction: input}",
    "3:3: \"23\" cannot be a line's name, since a number means a line's number"),
  Mistake(
    "a name that is none", "chip: c\nlines:\n  a b: {line: 1, direction: input}",
    "3:3: \"a b\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
  Mistake(
    "one line twice, however its chip is written",
    """
    chip: /dev/gpiochip0
    lines:
      a: {line: 1, direction: input}
      b: {line: 1, direction: output, chip: gpiochip0}
      c: {line: 1, direction: output, chip: gpiochip1}
      d: {line: 1, direction: output, chip: "simulated:/g"}
      e: {line: 1, direction: output, chip: "simulated:/g/"}
    """,
    "4:3: gpio.lines.b is line 1 of gpiochip0, which gpio.lines.a on line 3 is already",
    "7:3: gpio.lines.e is line 1 of simulated:/g, which gpio.lines.d on line 6 is already"),
  Mistake("an unknown key", "chip: c\nline: {}", "2:1: unknown key \"line\" in gpio; did you mean \"lines\"?"),
  Mistake(
    "more lines than any board has",
    "chip: c\nlines:\n" + (0...256).map { "  x\($0): {line: \($0), direction: input}\n" }.joined(),
    "3:3: gpio.lines has 257 entries; at most 256 are possible"),
]

@Suite struct GPIOOptionsDecodingTests {
  @Test func theDesignsExampleIsRead() throws {
    let (options, messages) = decode(
      """
      chip: /dev/gpiochip0
      lines:
        relay: {line: 23, direction: output, safe: off}
        door:  {line: 17, direction: input, bias: pull_up, debounce: 20ms, active_low: true}
        lamp:  {line: 0x10, direction: output, safe: on, chip: "simulated:/run/gpio/"}
        fan:   {line: 0, direction: output, safe: hold, initial: on, chip: pinctrl-bcm2711}
        pump:  {line: 1, direction: output, safe: on, initial: off}
        bell:  {line: 2, direction: output, safe: hold, device: pump-house}
      """)
    #expect(messages == [])
    let lines = try #require(options).lines
    let chip = GPIOChipReference.device("/dev/gpiochip0")
    var door = GPIOLineOptions(name: "door", chip: chip, offset: 17, direction: .input)
    (door.bias, door.debounce, door.isActiveLow) = (.pullUp, .milliseconds(20), true)
    var bell = GPIOLineOptions.output("bell", 2, on: chip, initial: false, safe: .hold)
    bell.device = "pump-house"
    #expect(
      lines == [
        .output("relay", 23, on: chip), door,
        .output("lamp", 16, on: .simulated("/run/gpio"), initial: true, safe: .on),
        .output("fan", 0, on: .device("pinctrl-bcm2711"), initial: true, safe: .hold),
        .output("pump", 1, on: chip, initial: false, safe: .on),
        bell,
      ])
  }

  @Test(arguments: ["chip: c", "chip: c\nlines:", "{}"]) func linesMayBeLeftOut(_ text: String) {
    let (options, messages) = decode(text)
    #expect(messages == [])
    #expect(options == GPIOOptions())
  }

  @Test(arguments: mistakes) private func aMistakeIsTold(_ mistake: Mistake) {
    let (options, messages) = decode(mistake.text)
    #expect(messages == mistake.messages)
    #expect(options == nil)
  }
}
