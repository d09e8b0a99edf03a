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
    "a kernel's name that is too long", "line: GPIO23456789012345678901234567890, direction: input",
    "3:13: gpio.lines.x.line is \"GPIO23456789012345678901234567890\"; expected an integer from 0 to 4095, or the "
      + "kernel's name for the line, up to 31 bytes"),
  .line(
    "a kernel's name that is no file's", "line: A/B, direction: input, chip: \"simulated:/g\"",
    "3:13: gpio.lines.x.line is \"A/B\"; expected an integer from 0 to 4095, or the kernel's name for the line, "
      + "without / up to 31 bytes"),
  .line(
    "an unknown direction", "line: 1, direction: outptu",
    "3:27: gpio.lines.x.direction is \"outptu\"; expected input, output or counter; did you mean \"output\"?"),
  .line(
    "a counter's keys on an input", "line: 1, direction: input, edge: rising, scale: 2, units: l",
    "3:40: gpio.lines.x.edge does not belong here: x is an input; only counters have it",
    "3:55: gpio.lines.x.scale does not belong here: x is an input; only counters and inputs with `measure` have it",
    "3:65: gpio.lines.x.units does not belong here: x is an input; only counters and inputs with `measure` have it"),
  .line(
    "a counter's keys on an output", "line: 1, direction: output, initial_total: 2, measure: frequency, poll: 20ms",
    "3:50: gpio.lines.x.initial_total does not belong here: x is an output; only counters have it",
    "3:62: gpio.lines.x.measure does not belong here: x is an output; only counters have it",
    "3:79: gpio.lines.x.poll does not belong here: x is an output; only inputs have it"),
  .line(
    "what a counter does not do", "line: 1, direction: counter, measure: frequency, safe: on",
    "3:45: gpio.lines.x.measure does not belong here: x is a counter; `direction: input` measures",
    "3:62: gpio.lines.x.safe does not belong here: x is an input; only outputs are driven"),
  .line(
    "a counter that counts nothing",
    "line: 1, direction: counter, edge: up, scale: 0, rate: day, persist_every: 0, interval: 1ms",
    "3:42: gpio.lines.x.edge is \"up\"; expected rising, falling or both",
    "3:53: gpio.lines.x.scale is \"0\"; expected a number from 1e-09 to 1000000000.0",
    "3:62: gpio.lines.x.rate is \"day\"; expected second, minute, hour or off",
    "3:82: gpio.lines.x.persist_every is \"0\"; expected an integer from 1 to 1000000",
    "3:95: gpio.lines.x.interval is \"1ms\"; expected a duration from 100ms to 1d such as 250ms, 5s, 10m or 1h"),
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
  Mistake(
    "one of the kernel's names twice",
    "chip: c\nlines:\n  a: {line: GPIO4, direction: input}\n  b: {line: GPIO4, direction: counter}",
    "4:3: gpio.lines.b is line GPIO4 of c, which gpio.lines.a on line 3 is already"),
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

  @Test func countersAndMeasuredInputsAreRead() throws {
    let (options, messages) = decode(
      """
      chip: /dev/gpiochip0
      lines:
        water: {line: 27, direction: counter, edge: rising, debounce: 5ms, scale: 0.5, units: l}
        power:
          {line: GPIO22, direction: counter, edge: both, bias: pull_up, active_low: true, initial_total: 12.5,
            interval: 1m, rate: minute, persist_every: 10, persist_after: 1h, poll: 5ms}
        fan: {line: 7J1 Header Pin11, direction: input, measure: frequency, interval: 1s}
        pwm: {line: "[PH0]", direction: input, measure: pulse_width, scale: 2, units: ppm}
      """)
    #expect(messages == [])
    let lines = try #require(options).lines
    #expect(lines.map(\.direction) == [.input, .input, .input, .input])
    #expect(
      lines.map(\.selector) == [.offset(27), .name("GPIO22"), .name("7J1 Header Pin11"), .name("[PH0]")])
    var water = GPIOMeter(.count)
    (water.scale, water.units) = (0.5, "l")
    #expect(lines[0].meter == water && lines[0].debounce == .milliseconds(5))
    #expect(
      (water.edge, water.interval, water.rate, water.persistEvery, water.persistAfter)
        == (.rising, .seconds(10), .hour, 100, .seconds(300)))
    var power = GPIOMeter(.count)
    (power.edge, power.initialTotal, power.interval, power.rate) = (.both, 12.5, .seconds(60), .minute)
    (power.persistEvery, power.persistAfter) = (10, .seconds(3600))
    #expect(lines[1].meter == power && lines[1].poll == .milliseconds(5) && lines[1].isActiveLow)
    #expect(lines[2].meter?.quantity == .frequency && lines[3].meter?.quantity == .pulseWidth)
    #expect(
      lines.map(\.keys) == [
        ["water", "water_pulses", "water_rate"], ["power", "power_pulses", "power_rate"], ["fan"], ["pwm"],
      ])
    #expect(lines.map(lines.pinName) == ["27", "power", "fan", "pwm"])
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
