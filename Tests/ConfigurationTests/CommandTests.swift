import Configuration
import Telemetry
import Testing
import ThingsBoard

/// What comes down: `downlink`, `rpc`, `claim`; and `attributes`.
@Suite struct CommandTests {
  static let downlink = [
    Row(
      "a word unknown", "downlink: {rpc: onn}",
      "f:3:17: downlink.rpc is \"onn\"; expected on, off or an interval from 10s to 1d such as 5m; did you mean \"on\"?"
    ),
    Row(
      "too often", "downlink: {shared_attributes: 9s}",
      "f:3:31: downlink.shared_attributes is \"9s\"; expected on, off or an interval from 10s to 1d such as 5m"),
    Row(
      "too seldom", "downlink: {shared_attributes: 2d}",
      "f:3:31: downlink.shared_attributes is \"2d\"; expected on, off or an interval from 10s to 1d such as 5m"),
    Row(
      "a truth value", "downlink: {rpc: true}",
      "f:3:17: downlink.rpc is \"true\"; expected on, off or an interval from 10s to 1d such as 5m"),
    Row(
      "another way", "downlink: {attributes: on}",
      "f:3:12: unknown key \"attributes\" in downlink; expected rpc or shared_attributes"),
  ]

  static let attributes = [
    Row("a list", "attributes: {a: [1]}", "f:3:17: attributes.a is a list; expected text, a number, true or false"),
    Row("nothing", "attributes: {a: }", "f:3:17: attributes.a has no value; write one or remove the key"),
    Row(
      "a key the server chokes on", "attributes: {\"a<b\": 1}",
      "f:3:14: \"a<b\" cannot be a key: the key holds \"<\", which the server refuses as HTML; leave it out"),
    Row(
      "a number beyond all", "attributes: {a: 1e30}",
      "f:3:17: attributes.a is \"1e30\", 2^63 or more, which ThingsBoard would store as text; write a smaller number, "
        + "or text"),
    Row(
      "attributes without number",
      "attributes: {\((0...256).map { "a\($0): x" }.joined(separator: ","))}",
      "f:3:13: attributes has 257 entries; at most 256 are possible"),
    Row(
      "a list in the section's place", "attributes: []",
      "f:3:13: attributes is a list; expected names, each on a line \"name: value\""),
  ]

  static let rpc = [
    Row(
      "a method that is not bound", "rpc: {bind: {setValeu: relay}}",
      "f:3:14: unknown key \"setValeu\" in rpc.bind; did you mean \"setValue\"?"),
    Row(
      "a method that is an alias", "rpc: {bind: {lamp: relay}}",
      "f:3:14: unknown key \"lamp\" in rpc.bind; expected setValue, getValue or checkStatus; "
        + "another method is an alias: {method: setGpio, params: {pin: LINE}}"),
    Row(
      "a line that is not there", "rpc: {bind: {setValue: relay}}",
      "f:3:24: rpc.bind.setValue is \"relay\"; there are no lines under gpio"),
    Row(
      "a line that is a list", "rpc: {bind: {setValue: [relay]}}",
      "f:3:24: rpc.bind.setValue is a list; expected text"),
    Row("no method", "rpc: {alias: {a: {}}}", "f:3:18: rpc.alias.a has no \"method\", which is required"),
    Row(
      "a method nearly right", "rpc: {alias: {a: {method: setGpoi}}}",
      "f:3:27: rpc.alias.a.method is \"setGpoi\"; expected checkStatus, getGpio, getGpioStatus, getStatus, getValue, "
        + "modbusRead, modbusWrite, pulseGpio, readNow, reboot, run, serialWrite, …; did you mean \"setGpio\"?"),
    Row(
      "an alias of itself", "rpc: {alias: {reboot: {method: reboot}}}",
      "f:3:32: rpc.alias.reboot.method is \"reboot\", which is an alias itself; "
        + "expected the method that does the work, such as setGpio"),
    Row(
      "a circle", "rpc: {alias: {setGpio: {method: getGpio}, getGpio: {method: setGpio}}}",
      "f:3:33: rpc.alias.setGpio.method is \"getGpio\", which is an alias itself; "
        + "expected the method that does the work, such as setGpio",
      "f:3:61: rpc.alias.getGpio.method is \"setGpio\", which is an alias itself; "
        + "expected the method that does the work, such as setGpio"),
    Row(
      "an alias with a word too many", "rpc: {alias: {a: {method: reboot, parms: 1}}}",
      "f:3:35: unknown key \"parms\" in rpc.alias.a; did you mean \"params\"?"),
    Row(
      "an alias without a name", "rpc: {alias: {\"\\e\": {method: reboot}}}",
      "f:3:15: \"\\u{1b}\" cannot be a method; expected up to 255 bytes without control characters"),
    Row(
      "a program by its name", "rpc: {run: {r: [mmcli, -r]}}",
      "f:3:16: rpc.run.r[0] is \"mmcli\"; expected the program's absolute path such as /usr/bin/mmcli: "
        + "no shell looks for it"),
    Row(
      "no program", "rpc: {run: {r: []}}",
      "f:3:16: rpc.run.r is a list; expected a program and its arguments such as [/usr/bin/mmcli, -m, \"0\", -r]"),
    Row(
      "a command line", "rpc: {run: {r: /bin/true -x}}",
      "f:3:16: rpc.run.r is \"/bin/true -x\"; expected a list such as [a, b]"),
    Row("a word that is none", "rpc: {run: {r: [/bin/true, ~]}}", "f:3:28: rpc.run.r[1] is nothing; expected text"),
    Row(
      "words without number", "rpc: {run: {r: [/bin/true\(String(repeating: ",x", count: 64))]}}",
      "f:3:16: rpc.run.r has 65 words; at most 64 are possible"),
    Row(
      "a command with a space", "rpc: {run: {\"a b\": [/bin/true]}}",
      "f:3:13: \"a b\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
    Row(
      "endless patience", "rpc: {run_time_limit: 2h}",
      "f:3:23: rpc.run_time_limit is \"2h\"; expected a duration from 1s to 1h such as 250ms, 5s, 10m or 1h"),
    Row(
      "a call without anything", "rpc: {call: {c: {}}}", "f:3:17: rpc.call.c has no \"method\", which is required",
      "f:3:17: rpc.call.c has no \"interval\", which is required"),
    Row(
      "a call too often", "rpc: {call: {c: {method: m, interval: 1ms}}}",
      "f:3:39: rpc.call.c.interval is \"1ms\"; expected a duration from 1s to 1d such as 250ms, 5s, 10m or 1h"),
    Row(
      "values nowhere", "rpc: {call: {c: {method: m, interval: 1m, values: {t: a..b, u: [a], v: }}}}",
      "f:3:55: rpc.call.c.values.t is \"a..b\"; expected where in the answer it is, such as outside.temperature",
      "f:3:64: rpc.call.c.values.u is a list; expected where in the answer it is, such as outside.temperature",
      "f:3:72: rpc.call.c.values.v is nothing; expected where in the answer it is, such as outside.temperature"),
    Row(
      "a key of a call", "rpc: {call: {c: {method: m, interval: 1m, values: {\"{{a}}\": a}}}}",
      "f:3:52: \"{{a}}\" cannot be a key: the key holds \"{{\", which the server refuses as a template; leave it out"),
    Row(
      "one key from two calls",
      "rpc: {call: {c: {method: m, interval: 1m, values: {t: a}}, d: {method: m, interval: 1m, values: {t: b}}}}",
      "f:3:98: rpc.call.d sends the key \"t\", which rpc.call.c on line 3 sends already; rename it"),
    Row(
      "a key of a sensor",
      Sample.sensors + "rpc: {call: {c: {method: m, interval: 1m, values: {t: a}}}}",
      "f:7:52: rpc.call.c sends the key \"t\", which sensors.climate on line 6 sends already; rename it"),
    Row("an unknown key", "rpc: {aliases: {}}", "f:3:7: unknown key \"aliases\" in rpc; did you mean \"alias\"?"),
  ]

  static let claim = [
    Row(
      "a duration too long", "claim: {duration: 31d}",
      "f:3:19: claim.duration is text; expected a duration from 1s to 30d such as 250ms, 5s, 10m or 1h"),
    Row(
      "a button that is not there", "claim: {button: knob}",
      "f:3:17: claim.button is \"knob\"; there are no lines under gpio"),
    Row("no truth value", "claim: {at_boot: yes}", "f:3:18: claim.at_boot is text; expected true or false"),
    Row(
      "two secrets", "claim: {secret: TOP, secret_file: /TOP}",
      "f:3:35: claim has secret and secret_file; expected one of them"),
    Row("misspelt", "claim: {atboot: true}", "f:3:9: unknown key \"atboot\" in claim; did you mean \"at_boot\"?"),
  ]

  @Test(arguments: downlink + attributes + rpc + claim) func reports(_ row: Row) {
    #expect(errors(Sample.head + row.text + "\n") == row.expected)
  }

  // MARK: What is right

  @Test func readsDownlink() throws {
    let configuration = try load(Sample.head + "downlink: {rpc: off, shared_attributes: 10s}\n").get()
    #expect(configuration.downlink.rpc == .off)
    #expect(configuration.downlink.sharedAttributes == .every(.seconds(10)))
  }

  @Test func typesAttributesByTheirSpelling() throws {
    let text = """
      attributes:
        site: north
        floor: 2
        minus: -3
        hexadecimal: 0x1F
        height: 1.50
        exponent: 1e3
        indoors: true
        outdoors: "false"
        word: yes
        version: 1.2.3
        "bad key?": ä
      """
    let configuration = try load(Sample.head + text + "\n" + Sample.sensors).get()
    #expect(
      try configuration.attributes == [
        Reading(Key("site"), .string("north")), Reading(Key("floor"), .long(2)), Reading(Key("minus"), .long(-3)),
        Reading(Key("hexadecimal"), .long(31)), Reading(Key("height"), .double(1.5)),
        Reading(Key("exponent"), .double(1000)), Reading(Key("indoors"), .bool(true)),
        Reading(Key("outdoors"), .string("false")), Reading(Key("word"), .string("yes")),
        Reading(Key("version"), .string("1.2.3")), Reading(Key("bad key?"), .string("ä")),
      ])
    #expect(configuration.warnings.isEmpty)
  }

  @Test(arguments: [
    ("\"21.5\"", true), ("007", true), ("'-.5'", true), ("\"7.\"", false), ("\"1e5\"", false), ("\"+7\"", false),
    ("\" 7\"", false), ("99999999999999999999", false), ("\"-\"", false), ("\"\"", false),
  ]) func warnsOfTextTheServerStoresAsANumber(_ text: String, _ isNumber: Bool) throws {
    let configuration = try load(Sample.head + "attributes: {a: \(text)}\n" + Sample.sensors).get()
    let bare = text.filter { $0 != "\"" && $0 != "'" }
    guard case .string(bare) = configuration.attributes.first?.value else {
      Issue.record("\(configuration.attributes)")
      return
    }
    let warning =
      "f:3:17: warning: attributes.a is the text \"\(bare)\", which the server stores as a number all the same"
    #expect(configuration.warnings == (isNumber ? [warning] : []))
  }

  @Test func readsCommands() throws {
    let text = """
      rpc:
        bind:
        alias:
          modem off: {method: run, params: {command: restart-modem}}
          blink: {method: reboot, params: [1, 1.5, "1", yes, true, ~, {a: {b: []}}]}
          status: {method: getStatus}
        run: {restart-modem: [/usr/bin/mmcli, -m, 0, -r, ""]}
        run_time_limit: 1m
        call:
          weather: {method: getWeather, params: {city: Bonn}, interval: 10m, values: {t: outside.temperature, h: humidity}}
          ping: {method: ping, interval: 1s}
      """
    let configuration = try load(Sample.head + text + "\n" + Sample.sensors.replacing("{t}", with: "{x}")).get()
    let rpc = configuration.rpc
    #expect(rpc.bind.isEmpty)
    #expect(
      rpc.alias == [
        "modem off": CommandAlias(
          method: "run", params: .object([JSON.Member("command", .string("restart-modem"))])),
        "blink": CommandAlias(
          method: "reboot",
          params: .array([
            .integer(1), .double(1.5), .string("1"), .string("yes"), .bool(true), .null,
            .object([JSON.Member("a", .object([JSON.Member("b", .array([]))]))]),
          ])),
        "status": CommandAlias(method: "getStatus", params: nil),
      ])
    #expect(rpc.run == ["restart-modem": ["/usr/bin/mmcli", "-m", "0", "-r", ""]])
    #expect(rpc.runTimeLimit == .seconds(60))
    #expect(
      try rpc.calls == [
        ScheduledCall(
          name: "weather", method: "getWeather", params: .object([JSON.Member("city", .string("Bonn"))]),
          interval: .seconds(600), values: [(["outside", "temperature"], Key("t")), (["humidity"], Key("h"))]),
        ScheduledCall(name: "ping", method: "ping", params: .object([]), interval: .seconds(1), values: []),
      ])
    #expect(configuration.warnings.isEmpty)
  }

  @Test(arguments: [
    (
      "alias: {a: {method: setValue}}",
      "f:7:15: warning: rpc.alias.a means \"setValue\", which rpc.bind binds to no line: it will be refused"
    ),
    (
      "alias: {a: {method: setGpio, params: {pin: lamp}}}",
      "f:7:50: warning: rpc.alias.a.params.pin is \"lamp\": it will be refused; gpio.lines has none"
    ),
    (
      "alias: {a: {method: readNow, params: {sensor: climat}}}",
      "f:7:53: warning: rpc.alias.a.params.sensor is \"climat\": it will be refused; sensors has climate; "
        + "did you mean \"climate\"?"
    ),
    (
      "alias: {a: {method: serialWrite, params: {port: x}}}",
      "f:7:55: warning: rpc.alias.a.params.port is \"x\": it will be refused; ports has arduino"
    ),
    (
      "alias: {a: {method: run, params: {command: 7}}}, run: {b: [/b]}",
      "f:7:50: warning: rpc.alias.a.params.command is \"7\": it will be refused; rpc.run has b"
    ),
  ]) func warnsOfAnAliasThatCanOnlyFail(_ rpc: String, _ warning: String) throws {
    #expect(try load(Sample.head + Sample.sensors + "rpc: {\(rpc)}\n").get().warnings == [warning])
  }

  @Test func warnsOfCommandsThatNeverCome() throws {
    let text = Sample.head + Sample.sensors + "downlink: {rpc: off}\nrpc: {alias: {a: {method: reboot}}}\n"
    #expect(
      try load(text).get().warnings == [
        "f:8:1: warning: rpc has commands, but downlink.rpc is off and none will come"
      ])
  }

  @Test func readsClaim() throws {
    #expect(try load(Sample.head).get().claim == nil)
    #expect(try load(Sample.head + "claim: {}\n").get().claim == ClaimOptions())
    let directory = try TemporaryDirectory()
    let file = try directory.write("c1\n", to: "claim")
    let claim = try load(Sample.head + "claim: {secret_file: \(file), duration: 1h, at_boot: true}\n").get().claim
    #expect(claim?.secret == Secret("c1"))
    #expect(claim?.duration == .seconds(3600))
    #expect(claim?.atBoot == true)
    #expect(claim?.button == nil)
  }
}
