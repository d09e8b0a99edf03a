import Telemetry
import Testing

@testable import Sensors

private struct Mistake: Sendable, CustomStringConvertible {
  let description: String
  /// The options of sensor `s`, beside `port: p` where they do not begin with it and `protocol: line`.
  let options: String
  let messages: [String]
  var head = "port: p\nprotocol: line\n"
}

private let mistakes = [
  Mistake(
    description: "a missing port and protocol", options: "prefix: true",
    messages: [
      #"2:3: sensors.s has no "port", which is required"#, #"2:3: sensors.s has no "protocol", which is required"#,
    ], head: ""),
  Mistake(
    description: "a misspelt protocol key is one message", options: "port: p\nprotocl: line\ntemplate: \"{t}\"",
    messages: [#"3:3: unknown key "protocl" in sensors.s; did you mean "protocol"?"#], head: ""),
  Mistake(
    description: "an unknown protocol", options: "port: p\nprotocol: lines\nfoo: 1",
    messages: [
      #"3:13: sensors.s.protocol is "lines"; expected one of line, modbus_rtu, modbus_ascii, w1, iio, "#
        + #"hwmon or thermal; did you mean "line"?"#
    ], head: ""),
  Mistake(
    description: "a protocol of a later version, whose keys are not judged",
    options: "port: p\nprotocol: sml\nunit: 1\nregisters: {}",
    messages: [#"3:13: sensors.s.protocol "sml" is not supported yet by this version"#], head: ""),
  Mistake(
    description: "an interval where nothing is asked", options: "template: \"{t}\"\ninterval: 1s",
    messages: [
      "5:13: sensors.s.interval does not belong here: line sends by itself"
    ]),
  Mistake(
    description: "a device and a switch that are none", options: "template: \"{t}\"\ndevice: [d]\nenabled: off",
    messages: [
      "5:11: sensors.s.device is a list; expected text",
      #"6:12: sensors.s.enabled is "off"; expected true or false"#,
    ]),
  Mistake(
    description: "an unknown report", options: "template: \"{t}\"\nreport: jsn",
    messages: [#"5:11: sensors.s.report is "jsn"; expected telemetry, json or attribute; did you mean "json"?"#]),
  Mistake(
    description: "no format", options: "prefix: true",
    messages: [
      "2:3: sensors.s has no format; a line sensor needs exactly one of template, csv, key_value, json or regex"
    ]),
  Mistake(
    description: "two formats", options: "template: \"{t}\"\ncsv: [a]\nseparator: \";\"",
    messages: [
      "5:8: sensors.s has template and csv; a line sensor needs exactly one of template, csv, key_value, json or regex"
    ]),
  Mistake(
    description: "a format that is off", options: "json: false",
    messages: ["4:9: sensors.s.json is false; remove it, or write true"]),
  Mistake(
    description: "an unknown key", options: "templat: \"{t}\"",
    messages: [
      "2:3: sensors.s has no format; a line sensor needs exactly one of template, csv, key_value, json or regex",
      #"4:3: unknown key "templat" in sensors.s; did you mean "template"?"#,
    ]),
  Mistake(
    description: "an option of another format", options: "template: \"{t}\"\nseparator: \";\"\ntypes: {t: int}",
    messages: [
      #"5:3: unknown key "separator" in sensors.s; it belongs to csv: [..], and inside key_value: {..}"#,
      #"6:3: unknown key "types" in sensors.s; it belongs to regex:"#,
    ]),
  Mistake(
    description: "a template without placeholders", options: "template: \"T=\"",
    messages: [#"4:13: sensors.s.template "T=": no value has a name; nothing would be read"#]),
  Mistake(
    description: "a template that only skips", options: "template: \"{_}\"",
    messages: [#"4:13: sensors.s.template "{_}": no value has a name; nothing would be read"#]),
  Mistake(
    description: "placeholders without text between them", options: "template: \"T={a}{b}\"",
    messages: [
      #"4:13: sensors.s.template "T={a}{b}": at character 6: two placeholders without text between them; nothing tells where one ends"#
    ]),
  Mistake(
    description: "a brace that is not closed", options: "template: \"T={a\"",
    messages: [
      #"4:13: sensors.s.template "T={a": at character 3: "{" has no "}"; write {{ for a brace in the line"#
    ]),
  Mistake(
    description: "a brace that is not opened", options: "template: \"{t}°}\"",
    messages: [
      #"4:13: sensors.s.template "{t}°}": at character 5: "}" ends no placeholder; write }} for a brace in the line"#
    ]),
  Mistake(
    description: "a line end in a template", options: "template: \"{t}\\n\"",
    messages: [#"4:13: sensors.s.template "{t}\n": at character 4: a line end; each line is matched by itself"#]),
  Mistake(
    description: "a placeholder without a name", options: "template: \"T={}\"",
    messages: [
      #"4:13: sensors.s.template "T={}": at character 3: "" cannot be a key: the key is blank; give it a name"#
    ]),
  Mistake(
    description: "a name the server would choke on", options: "template: \"T={<t>}\"",
    messages: [
      #"4:13: sensors.s.template "T={<t>}": at character 3: "<t>" cannot be a key: the key holds "<", which the server refuses as HTML; leave it out"#
    ]),
  Mistake(
    description: "an unknown type", options: "template: \"{t:txt}\"",
    messages: [
      #"4:13: sensors.s.template "{t:txt}": at character 1: "txt" is no type; expected int or text, or no type for a number; did you mean "text"?"#
    ]),
  Mistake(
    description: "a name twice in a template", options: "template: \"{t},{t}\"",
    messages: [
      #"4:13: sensors.s.template "{t},{t}": "t" stands there twice; each name needs a value of its own"#
    ]),
  Mistake(
    description: "a bad column stands at its place", options: "csv: [a, b:float, _:int]",
    messages: [
      #"4:12: sensors.s.csv[1]: "float" is no type; expected int or text, or no type for a number"#,
      #"4:21: sensors.s.csv[2]: "_" skips and has no type"#,
    ]),
  Mistake(
    description: "a list without names", options: "csv: [_, _]",
    messages: ["4:8: sensors.s.csv: no value has a name; nothing would be read"]),
  Mistake(
    description: "a separator of two characters", options: "csv: [a, b]\nseparator: \", \"",
    messages: [#"5:14: sensors.s.separator is ", "; expected one ASCII character such as ";" or "\t""#]),
  Mistake(
    description: "equal separator and assign", options: "key_value: {separator: \";\", assign: \";\"}",
    messages: ["4:39: sensors.s.key_value: separator and assign are the same character"]),
  Mistake(
    description: "an unknown key inside key_value", options: "key_value: {seperator: \";\"}",
    messages: [#"4:15: unknown key "seperator" in sensors.s.key_value; did you mean "separator"?"#]),
  Mistake(
    description: "a pattern PCRE2 refuses", options: "regex: '(?<t>[0-9+'",
    messages: [
      #"4:10: sensors.s.regex: missing terminating ] for character class, at character 11 of "(?<t>[0-9+""#
    ]),
  Mistake(
    description: "a pattern without names", options: "regex: '([0-9]+)'",
    messages: [
      "4:10: sensors.s.regex has no named group such as (?<temperature>[-0-9.]+); nothing would be read"
    ]),
  Mistake(
    description: "a type for a group that is not there", options: "regex: '(?<count>[0-9]+)'\ntypes: {cuont: int}",
    messages: [
      #"5:11: sensors.s.types has "cuont", which the sensor does not deliver; did you mean "count"?"#
    ]),
  Mistake(
    description: "an unknown type of a group", options: "regex: '(?<n>[0-9]+)'\ntypes: {n: long}",
    messages: [
      #"5:14: sensors.s.types.n: "long" is no type; expected int or text, or no type for a number"#
    ]),
  Mistake(
    description: "a scale for a value that is not there",
    options: "template: \"{temperature}\"\nscale: {temprature: 2}",
    messages: [
      #"5:11: sensors.s.scale has "temprature", which the sensor does not deliver; did you mean "temperature"?"#
    ]),
  Mistake(
    description: "a scale for text, of 0 and of no number",
    options: "csv: [a, b:text, c]\nscale: {a: 0, b: 2, c: x}",
    messages: [
      #"5:14: sensors.s.scale.a is "0"; expected a number other than 0"#,
      #"5:17: sensors.s.scale has "b", which is text"#,
      #"5:26: sensors.s.scale.c is "x"; expected a number other than 0"#,
    ]),
  Mistake(
    description: "a unit for a value that is not there", options: "template: \"{t}\"\nunits: {x: C}",
    messages: [#"5:11: sensors.s.units has "x", which the sensor does not deliver; it delivers t"#]),
  Mistake(
    description: "a line limit beyond its bounds", options: "template: \"{t}\"\nmax_line: 70000",
    messages: [#"5:13: sensors.s.max_line is "70000"; expected an integer from 16 to 65536"#]),
  Mistake(
    description: "several mistakes come at once", options: "template: \"{t}\"\nprefix: yes\nstale_after: 5\nfoo: 1",
    messages: [
      #"5:11: sensors.s.prefix is "yes"; expected true or false"#,
      #"6:16: sensors.s.stale_after is "5"; expected a duration from 1s to 30d such as 250ms, 5s, 10m or 1h"#,
      #"7:3: unknown key "foo" in sensors.s; expected port, protocol, prefix, report, units, filters, stale_after, device, enabled, max_line, scale, offset, …"#,
    ]),
]

@Test(arguments: mistakes) private func aMistakeIsTold(_ mistake: Mistake) {
  let body = (mistake.head + mistake.options).split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  let (sensors, messages) = load("s:\n\(body)")
  #expect(messages == mistake.messages)
  #expect(sensors.isEmpty)
}

@Test func aNameThatCannotBeAKeyIsRefusedWhereItBecomesOne() {
  let body = "\n  port: p\n  protocol: line\n  json: true\n"
  #expect(load("\"a<b\":\(body)").messages.isEmpty)
  #expect(load("\"a<b\":\(body)  prefix: true\n").messages.count == 1)
  #expect(load("\"a<b\":\(body)  report: json\n").messages.count == 1)
}

@Test func optionsAreKept() throws {
  let (sensors, messages) = load(
    """
    climate:
      port: arduino
      protocol: line
      template: "T={temperature},H={humidity}"
      prefix: true
      units: {temperature: °C}
      stale_after: 5m
    """)
  #expect(messages.isEmpty)
  let sensor = try #require(sensors.first)
  #expect(sensor.name == "climate")
  #expect(sensor.port == "arduino")
  #expect(sensor.protocolName == "line")
  #expect(sensor.prefix)
  #expect(sensor.report == .telemetry)
  #expect(sensor.units == ["temperature": "°C"])
  #expect(sensor.staleAfter == .seconds(300))
  #expect(sensor.keys?.map(\.name) == ["climate.temperature", "climate.humidity"])
}

@Test(arguments: [
  ("template: \"{a},{b}\"", ["a", "b"]), ("csv: [a, _, b]", ["a", "b"]), ("key_value: true", nil),
  ("key_value: {keys: [a]}", ["a"]), ("json: true", nil), ("json: true\nreport: json", ["s"]),
  ("template: \"{a}\"\nreport: json", ["s"]), ("regex: '(?<a>.)'", ["a"]),
])
func theKeysAreKnownBeforehandWhereTheConfigurationNamesThem(options: String, keys: [String]?) throws {
  let lines = options.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  let sensor = try #require(load("s:\n  port: p\n  protocol: line\n\(lines)").sensors.first)
  #expect(sensor.keys?.map(\.name) == keys)
}

@Test func equalOptionsAreEqual() {
  let text = { (template: String) in "s:\n  port: p\n  protocol: line\n  \(template)\n" }
  #expect(load(text("template: \"{a}\"")).sensors == load(text("template: \"{a}\"")).sensors)
  #expect(load(text("template: \"{a}\"")).sensors != load(text("template: \"{b}\"")).sensors)
  #expect(load(text("regex: '(?<a>.)'")).sensors == load(text("regex: '(?<a>.)'")).sensors)
  #expect(load(text("regex: '(?<a>.)'")).sensors != load(text("regex: '(?<a>..)'")).sensors)
  #expect(load(text("regex: '(?<a>.)'")).sensors != load(text("json: true")).sensors)
}
