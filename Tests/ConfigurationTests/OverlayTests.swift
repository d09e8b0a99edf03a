import Configuration
import Sensors
import Telemetry
import Testing

/// A file with something to lay over it, and what is laid.
enum Overlaid {
  /// `sensors` begins on line 5, `climate` on line 6, `house` on line 7.
  static let file = """
    server: {url: http://127.0.0.1:8080}
    device: {token: FILE_TOKEN}
    ports:
      arduino: {path: /dev/ttyUSB0}
    sensors:
      climate: {port: arduino, protocol: line, template: "T={t},H={h}", units: {h: "%"}, stale_after: 5m}
      house: {port: arduino, protocol: line, template: "U={u}"}
    upload: {max_batch: 7}
    rpc: {call: {weather: {method: getWeather, interval: 10m}}, run: {restart: [/bin/true]}}

    """

  static func load(
    _ overlay: String, over file: String = file
  ) -> Result<GatewayConfiguration, ConfigurationErrors> {
    do throws(ConfigurationErrors) {
      let overlay = try ConfigurationOverlay(parsing: Array(overlay.utf8))
      return GatewayConfiguration.load(Array(file.utf8), file: "f", overlay: overlay, in: Surroundings())
    } catch {
      return .failure(error)
    }
  }

  static func errors(_ overlay: String, over file: String = file) -> [String] {
    switch load(overlay, over: file) {
    case .success: []
    case .failure(let errors): errors.lines
    }
  }
}

/// What the server may set, and that the rest of the file stays.
@Suite struct OverlayTests {
  @Test func setsWhatItMay() throws {
    let configuration = try Overlaid.load(
      """
      {"sensors": {"climate": {"units": {"t": "°C"}, "scale": {"t": 0.1}, "offset": {"h": 2}, "stale_after": "1h"},
        "house": {"report": "json"}},
       "upload": {"interval": "2s", "max_bytes": "64KB"}, "downlink": {"rpc": "off", "shared_attributes": "5m"},
       "log": {"level": "debug"}, "queue": {"persist_after": "1m"}, "rpc": {"call": {"weather": {"interval": "1h"}}}}
      """
    ).get()
    let climate = try #require(configuration.sensors.first)
    #expect(climate.units == ["t": "°C", "h": "%"])
    #expect(climate.staleAfter == .seconds(3600))
    #expect(climate.port == "arduino")
    #expect(configuration.sensors.last?.report == .json)
    #expect(configuration.upload.interval == .seconds(2))
    #expect(configuration.upload.maxBatch == 7)
    #expect(configuration.upload.maxBytes == 65536)
    #expect(configuration.downlink.rpc == .off)
    #expect(configuration.downlink.sharedAttributes == .every(.seconds(300)))
    #expect(configuration.logLevel == .debug)
    #expect(configuration.queue.persistAfter == .seconds(60))
    #expect(configuration.rpc.calls.map(\.interval) == [.seconds(3600)])
    #expect(configuration.rpc.run.keys.sorted() == ["restart"])
  }

  @Test(arguments: [
    "{}", #"{"sensors": {}}"#, #"{"sensors": {"climate": {}}, "upload": {}, "rpc": {"call": {"weather": {}}}}"#,
    #"{"sensors": {"climate": {"units": {"h": "%"}, "stale_after": "5m"}}, "upload": {"max_batch": 7}}"#,
  ]) func whatIsTheSameChangesNothing(_ overlay: String) throws {
    let plain = try load(Overlaid.file).get()
    let overlaid = try Overlaid.load(overlay).get()
    #expect(overlaid.sensors == plain.sensors)
    #expect(overlaid.upload == plain.upload)
    #expect(overlaid.rpc == plain.rpc)
    #expect(overlaid.warnings == plain.warnings)
  }

  /// By value: those of other values stay, and an empty list takes the file's away.
  @Test func laysFiltersOverFilters() throws {
    let file = Overlaid.file.replacing("stale_after: 5m", with: "filters: {t: [{median: 5}], h: [{round: 1}]}")
    let expected = Overlaid.file.replacing("stale_after: 5m", with: "filters: {t: [{deadband: 0.5}], h: [{round: 1}]}")
    let overlay = #"{"sensors": {"climate": {"filters": {"t": [{"deadband": 0.5}]}}}}"#
    #expect(try Overlaid.load(overlay, over: file).get().sensors == load(expected).get().sensors)
    let none = #"{"sensors": {"climate": {"filters": {"t": []}}}}"#
    let climate = try #require(try Overlaid.load(none, over: file).get().sensors.first)
    #expect(SensorFilters(climate).isEmpty == false)
    #expect(
      Overlaid.errors(#"{"sensors": {"climate": {"filters": {"t": [{"median": 4}]}}}}"#) == [
        "attribute baudgate, sensors.climate.filters.t[0].median: sensors.climate.filters.t[0].median is \"4\"; "
          + "expected an odd number, of which one value is in the middle"
      ])
  }

  @Test func sectionsTheFileHasNotOrHasEmptyAreAdded() throws {
    let bare = Sample.head + Sample.sensors + "upload:\n"
    let overlaid = try Overlaid.load(#"{"upload": {"max_batch": 9}, "log": {"level": "error"}}"#, over: bare).get()
    #expect(overlaid.upload.maxBatch == 9)
    #expect(overlaid.logLevel == .error)
  }

  @Test func withoutAnOverlayTheFileCounts() {
    #expect(errors(Overlaid.file + "uplod: {}\n").map { $0.prefix(7) } == ["f:10:1:"])
  }

  @Test func saysTheSameInTheSameWords() throws {
    let one = try ConfigurationOverlay(parsing: Array(#"{ "b": [ {"d": 1, "c": 2.0} ], "a": true }"#.utf8))
    let other = try ConfigurationOverlay(
      .object([
        .init("a", .bool(true)), .init("b", .array([.object([.init("c", .double(2)), .init("d", .integer(1))])])),
      ])
    )
    #expect(one == other)
    #expect(one.text == #"{"a":true,"b":[{"c":2.0,"d":1}]}"#)
    #expect(try ConfigurationOverlay(parsing: Array(one.text.utf8)) == one)
  }
}

/// A row per mistake somebody at the dashboard can make, with the exact words they get.
@Suite struct OverlayMistakeTests {
  static let types = [
    Row(
      "a number for a duration", #"{"upload": {"interval": 5}}"#,
      "attribute baudgate, upload.interval: upload.interval is \"5\"; expected a duration from 100ms to 1h such as "
        + "250ms, 5s, 10m or 1h"),
    Row(
      "text for a number", #"{"upload": {"max_batch": "5"}}"#,
      "attribute baudgate, upload.max_batch: upload.max_batch is \"5\"; expected an integer from 1 to 10000 "
        + "without quotes"),
    Row(
      "a fraction for an integer", #"{"upload": {"max_batch": 5.0}}"#,
      "attribute baudgate, upload.max_batch: upload.max_batch is \"5.0\"; expected an integer from 1 to 10000"),
    Row(
      "true for on", #"{"downlink": {"rpc": true}}"#,
      "attribute baudgate, downlink.rpc: downlink.rpc is \"true\"; expected on, off or an interval from 10s to 1d "
        + "such as 5m"),
    Row(
      "a list for a mapping", #"{"sensors": {"climate": {"scale": [1]}}}"#,
      "attribute baudgate, sensors.climate.scale: sensors.climate.scale is a list; expected names, each on a line "
        + "\"name: value\""),
    Row(
      "text for a scale", #"{"sensors": {"climate": {"scale": {"t": "a"}}}}"#,
      "attribute baudgate, sensors.climate.scale.t: sensors.climate.scale.t is \"a\"; expected a number other than 0"),
    Row(
      "an object for a word", #"{"log": {"level": {"a": 1}}}"#,
      "attribute baudgate, log.level: log.level is a mapping; expected debug, info, notice, warning or error"),
    Row(
      "no object where one stands", #"{"sensors": ["climate"], "log": "debug", "rpc": {"call": 5}}"#,
      "attribute baudgate, log: log is text; expected an object",
      "attribute baudgate, rpc.call: rpc.call is a number; expected an object",
      "attribute baudgate, sensors: sensors is a list; expected an object"),
    Row(
      "text for a section", #"{"upload": "fast"}"#,
      "attribute baudgate, upload: upload is \"fast\"; expected keys, each on a line \"key: value\""),
    Row(
      "null", #"{"log": null, "sensors": {"climate": {"stale_after": null}}, "upload": {"interval": null}}"#,
      "attribute baudgate, log: null removes nothing; leave log out, and the file's own value counts",
      "attribute baudgate, sensors.climate.stale_after: null removes nothing; leave sensors.climate.stale_after out, "
        + "and the file's own value counts",
      "attribute baudgate, upload.interval: null removes nothing; leave upload.interval out, and the file's own "
        + "value counts"),
    Row(
      "attributes off", #"{"downlink": {"shared_attributes": "off"}}"#,
      "attribute baudgate, downlink.shared_attributes: downlink.shared_attributes cannot be off here: nothing could "
        + "take it back; expected on or an interval such as 5m"),
  ]

  static let keys = [
    Row(
      "a section misspelt", #"{"uplaod": {"interval": "1s"}}"#,
      "attribute baudgate, uplaod: unknown key \"uplaod\"; did you mean \"upload\"?"),
    Row(
      "a section unknown", #"{"mqtt": {"password": "SECRET"}}"#,
      "attribute baudgate, mqtt: unknown key \"mqtt\"; expected sensors, upload, downlink, log, rpc or queue"),
    Row(
      "a key unknown to the decoder", #"{"upload": {"intervall": "1s"}}"#,
      "attribute baudgate, upload.intervall: unknown key \"intervall\" in upload; did you mean \"interval\"?"),
    Row(
      "a sensor's key misspelt", #"{"sensors": {"climate": {"scael": {}}}}"#,
      "attribute baudgate, sensors.climate.scael: unknown key \"scael\"; did you mean \"scale\"?"),
    Row(
      "a sensor that is not there", #"{"sensors": {"climat": {"enabled": false}}}"#,
      "attribute baudgate, sensors.climat: \"climat\" is not in the file, and none can be added remotely; "
        + "sensors has climate and house; did you mean \"climate\"?"),
    Row(
      "a call that is not there", #"{"rpc": {"call": {"x": {"interval": "1s"}}}}"#,
      "attribute baudgate, rpc.call.x: \"x\" is not in the file, and none can be added remotely; "
        + "rpc.call has weather"),
    Row(
      "a value the sensor does not deliver", #"{"sensors": {"climate": {"units": {"temp erature": "°C"}}}}"#,
      "attribute baudgate, sensors.climate.units.\"temp erature\": sensors.climate.units has \"temp erature\", which "
        + "the sensor does not deliver; it delivers t and h"),
    Row(
      "keys with points", #"{"upload.interval": "1s"}"#,
      "attribute baudgate, \"upload.interval\": unknown key \"upload.interval\"; expected sensors, upload, downlink, "
        + "log, rpc or queue"),
  ]

  private static let credentials = "credentials and the way to the server stay in the file"
  private static let programs = "what runs on the board stays in the file"
  static let fixed = [
    Row(
      "credentials", #"{"device": {"token": "SECRET"}, "server": {"url": "SECRET"}, "token": "SECRET"}"#,
      "attribute baudgate, device: cannot be set remotely: \(credentials)",
      "attribute baudgate, server: cannot be set remotely: \(credentials)",
      "attribute baudgate, token: cannot be set remotely: \(credentials)"),
    Row(
      "nearly a credential", #"{"divice": {"token": "SECRET"}}"#,
      "attribute baudgate, divice: unknown key \"divice\"; did you mean \"device\", which stays in the file?"),
    Row(
      "a credential at a sensor", #"{"sensors": {"climate": {"token": "SECRET"}}}"#,
      "attribute baudgate, sensors.climate.token: unknown key \"token\"; expected enabled, interval, filters, scale, "
        + "offset, units, stale_after or report"),
    Row(
      "programs", #"{"rpc": {"run": {"x": ["/bin/SECRET"]}, "call": {"weather": {"method": "SECRET"}}}, "ota": 1}"#,
      "attribute baudgate, ota: cannot be set remotely: \(programs)",
      "attribute baudgate, rpc.call.weather.method: cannot be set remotely: \(programs)",
      "attribute baudgate, rpc.run: cannot be set remotely: \(programs)"),
    Row(
      "wires and files", #"{"ports": {}, "queue": {"max_size": "1GB"}, "sensors": {"climate": {"port": "SECRET"}}}"#,
      "attribute baudgate, ports: cannot be set remotely: what is wired to the board, and how it is read, stays in "
        + "the file",
      "attribute baudgate, queue.max_size: cannot be set remotely: where Baudgate keeps its files, and how much, "
        + "stays in the file",
      "attribute baudgate, sensors.climate.port: cannot be set remotely: what is wired to the board, and how it is "
        + "read, stays in the file"),
  ]

  @Test(arguments: types + keys + fixed) func reports(_ row: Row) {
    #expect(Overlaid.errors(row.text) == row.expected)
  }

  static let shapes = [
    Row(
      "no object", "[]",
      "attribute baudgate: is a list; expected an object: ThingsBoard calls the type of the attribute JSON"),
    Row(
      "text", #""{}""#,
      "attribute baudgate: is text; expected an object: ThingsBoard calls the type of the attribute JSON"),
    Row("no JSON", #"{"a":SECRET}"#, "attribute baudgate: is no JSON: byte 5: a byte that cannot stand here"),
    Row(
      "1 MB", #"{"a": "\#(String(repeating: "x", count: 1 << 20))"}"#,
      "attribute baudgate: has 1048585 bytes; at most 65536 (64KB) are read"),
    Row(
      "deep", String(repeating: #"{"a":"#, count: 40) + "1" + String(repeating: "}", count: 40),
      "attribute baudgate: is nested deeper than 16 levels"),
    Row(
      "deeper than any reader goes", String(repeating: "[", count: 10_000),
      "attribute baudgate: is no JSON: byte 64: nested too deeply"),
    Row(
      "many values", #"{"a": [\#(String(repeating: "0,", count: 5000))0]}"#,
      "attribute baudgate: has more than 4096 values"),
    Row("a number beyond all", #"{"a": 1e999}"#, "attribute baudgate: has a number that is beyond a double"),
    Row("NUL", #"{"a": "\u0000"}"#, "attribute baudgate: has text with a NUL character (\\u0000)"),
    Row(
      "one key in two spellings", #"{"\u00e9": 1, "e\u0301": 2}"#, "attribute baudgate: has a name twice in one object"),
    Row(
      "a control character", #"{"a\nb": 1}"#,
      "attribute baudgate: has a name that is empty, longer than 1024 bytes or with a control character in it"),
  ]

  @Test(arguments: shapes) func refusesTheShape(_ row: Row) {
    #expect(Overlaid.errors(row.text) == row.expected)
  }

  /// What the reader of an HTTP answer lets through is more than an overlay may be.
  @Test func refusesAMegabyteThatWasRead() {
    #expect(throws: ConfigurationErrors.self) {
      try ConfigurationOverlay(.object([.init("a", .string(String(repeating: "x", count: 1 << 20)))]))
    }
  }

  /// Nodes of the file keep their place even where the overlay made them wrong.
  @Test func tellsWhatTheOverlayBreaksElsewhere() {
    let file = Overlaid.file.replacing("house: {", with: "t: {")
    #expect(
      Overlaid.errors(#"{"sensors": {"t": {"report": "json"}}}"#, over: file) == [
        "f:7:3: sensors.t sends the key \"t\", which sensors.climate on line 6 sends already; "
          + "set prefix: true on one of them"
      ])
  }

  @Test func tellsAllAtOnceTheOverlayFirst() {
    let errors = Overlaid.errors(
      #"{"upload": {"max_batch": 0}, "server": 1}"#, over: Overlaid.file.replacing("stale_after: 5m", with: "stale: 5m")
    )
    #expect(errors.map { $0.prefix { $0 != ";" } }.count == 3)
    #expect(errors.first?.hasPrefix("attribute baudgate, server: ") == true)
    #expect(errors.dropFirst().first?.hasPrefix("attribute baudgate, upload.max_batch: ") == true)
    #expect(errors.last?.hasPrefix("f:6:") == true)
  }

  @Test func boundsWhatItTells() {
    let names = (0..<3000).map { "\"s\($0)\":{}" }.joined(separator: ",")
    let errors = Overlaid.errors("{\"sensors\":{\(names)}}")
    #expect(errors.count == 101)
    #expect(errors.last == "f: and 2900 more errors")
  }

  /// A mistake of the file is not hidden by what lies over it.
  @Test(arguments: ["sensors: 5", "sensors: {climate: 5}", "5"]) func theFilesMistakesStay(_ text: String) {
    let errors = Overlaid.errors(#"{"sensors": {"climate": {"report": "json"}}}"#, over: text + "\n")
    #expect(errors.contains { $0.hasPrefix("f:1:") && $0.contains("is \"5\"; expected") })
  }
}
