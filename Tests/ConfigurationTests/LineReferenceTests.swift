import Configuration
import Hardware
import Testing

/// GPIO lines, and what in the rest of the file speaks of them.
@Suite struct LineReferenceTests {
  /// On line 3.
  private static let gpio =
    "gpio: {chip: /dev/gpiochip0, lines: {relay: {line: 23, direction: output}, door: {line: 17, direction: input}}}\n"

  static let mistakes = [
    Row(
      "a line nearly right", "rpc: {bind: {setValue: rely}}",
      "f:4:24: rpc.bind.setValue is \"rely\"; gpio.lines has relay and door; did you mean \"relay\"?"),
    Row(
      "a line far off", "rpc: {bind: {getValue: x}}",
      "f:4:24: rpc.bind.getValue is \"x\"; gpio.lines has relay and door"),
    Row(
      "an input that is to be set", "rpc: {bind: {setValue: door, getValue: door, checkStatus: door}}",
      "f:4:24: rpc.bind.setValue is \"door\", which is an input on line 3; expected an output"),
    Row(
      "a section with another mistake is checked as well", "rpc: {bind: {setValue: rely}, run_time_limit: 0s}",
      "f:4:24: rpc.bind.setValue is \"rely\"; gpio.lines has relay and door; did you mean \"relay\"?",
      "f:4:47: rpc.run_time_limit is \"0s\"; expected a duration from 1s to 1h such as 250ms, 5s, 10m or 1h"),
    Row(
      "an output for a button", "claim: {button: relay}",
      "f:4:17: claim.button is \"relay\", which is an output on line 3; expected an input"),
    Row(
      "a button nearly right", "claim: {button: dor}",
      "f:4:17: claim.button is \"dor\"; gpio.lines has relay and door; did you mean \"door\"?"),
    Row(
      "a method that is bound and an alias", "rpc: {bind: {setValue: relay}, alias: {setValue: {method: reboot}}}",
      "f:4:40: rpc.alias.setValue: rpc.bind has \"setValue\" on line 4 already"),
    Row(
      "a sensor that sends an input's name", Sample.sensors.replacing("{t}", with: "{door}"),
      "f:3:76: gpio.lines.door sends the key \"door\", which sensors.climate on line 7 sends already; rename the line"),
    Row(
      "a call that sends an input's name", "rpc: {call: {c: {method: m, interval: 1m, values: {door: a}}}}",
      "f:4:52: rpc.call.c sends the key \"door\", which gpio.lines.door on line 3 sends already; rename it"),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(Sample.head + Self.gpio + row.text + "\n") == row.expected)
  }

  @Test func aRefusedLineIsStillAName() {
    let text =
      Self.gpio.replacing("line: 23", with: "line: -1") + "rpc: {bind: {setValue: relay}}\nclaim: {button: door}\n"
    #expect(
      errors(Sample.head + text) == [
        "f:3:52: gpio.lines.relay.line is \"-1\"; expected an integer from 0 to 4095"
      ])
  }

  @Test func anOutputsNameIsNoKey() throws {
    let text = Sample.head + Self.gpio + Sample.sensors.replacing("{t}", with: "{relay}")
    #expect(try load(text).get().warnings.isEmpty)
  }

  @Test func linesAreBoundAndNamed() throws {
    let text =
      Sample.head + Self.gpio + """
        rpc:
          bind: {setValue: relay, getValue: door, checkStatus: relay}
          alias:
            byName: {method: setGpio, params: {pin: relay, value: 1}}
            byNumber: {method: setGpio, params: {pin: 23, value: 1}}
            byBoth: {method: getGpio, params: {pin: "23"}}
            bound: {method: setValue}
        claim: {button: door}
        """
    let configuration = try load(text).get()
    #expect(configuration.gpio.lines.map(\.name) == ["relay", "door"])
    #expect(configuration.rpc.bind == ["setValue": "relay", "getValue": "door", "checkStatus": "relay"])
    #expect(configuration.claim?.button == "door")
    #expect(configuration.warnings.isEmpty)
  }
}

/// Lines that are counted or measured: they send more keys, and have no level.
@Suite struct MeteredLineTests {
  /// On line 3.
  private static let gpio =
    "gpio: {chip: c, lines: {water: {line: 27, direction: counter, scale: 2}, fan: {line: 4, direction: input, measure: frequency}}}\n"

  static let mistakes = [
    Row(
      "a counter as a button", "claim: {button: water}",
      "f:4:17: claim.button is \"water\", which is counted or measured on line 3, so it has no level; expected an input"
    ),
    Row(
      "a measured input as a level", "rpc: {bind: {getValue: fan}}",
      "f:4:24: rpc.bind.getValue is \"fan\", which is counted or measured on line 3, so it has no level; expected an "
        + "input or output"),
    Row(
      "a call that sends a counter's rate", "rpc: {call: {c: {method: m, interval: 1m, values: {water_rate: a}}}}",
      "f:4:52: rpc.call.c sends the key \"water_rate\", which gpio.lines.water on line 3 sends already; rename it"),
    Row(
      "a call that sends a counter's pulses", "rpc: {call: {c: {method: m, interval: 1m, values: {water_pulses: a}}}}",
      "f:4:52: rpc.call.c sends the key \"water_pulses\", which gpio.lines.water on line 3 sends already; rename it"),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    #expect(errors(Sample.head + Self.gpio + row.text + "\n") == row.expected)
  }

  @Test func theyAreReadAsSensorsAre() throws {
    let text =
      Sample.head + Self.gpio + """
        rpc:
          alias:
            total: {method: readNow, params: {sensor: water}}
            turns: {method: readNow, params: {sensor: fan}}
        """
    #expect(try load(text).get().warnings.isEmpty)
  }
}
