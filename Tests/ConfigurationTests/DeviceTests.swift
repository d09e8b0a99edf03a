import Configuration
import Telemetry
import Testing
import ThingsBoard

/// `devices:`, and who speaks of them.
@Suite struct DeviceTests {
  static let mistakes = [
    Row("text", "devices: TOP", "f:3:10: devices is text; expected keys, each on a line \"key: value\""),
    Row("a list", "devices: [TOP]", "f:3:10: devices is a list; expected keys, each on a line \"key: value\""),
    Row(
      "devices without number",
      "devices: {\((0...2000).map { "d\($0): {}" }.joined(separator: ","))}",
      "f:3:10: devices has 2001 entries; at most 2000 are possible"),
    Row(
      "the gateway's own name", "devices: {gateway: {token: B2}}",
      "f:3:11: \"gateway\" cannot be a device's name: the gateway itself is called so"),
    Row(
      "a name with a space", "devices: {\"a b\": {token: B2}}",
      "f:3:11: \"a b\" cannot be a name; expected up to 64 letters, digits, _ . - with a letter, digit or _ first"),
    Row(
      "a token in the mapping's place", "devices: {pump: TOP}",
      "f:3:17: devices.pump is text; expected keys, each on a line \"key: value\""),
    Row(
      "a space missing", "devices: {pump:TOP, b: {token:TOP}}",
      "f:3:11: a space is missing after the colon of \"pump\" in devices",
      "f:3:24: devices.b has no \"token\", \"token_file\", \"credential\" or \"provision\"; one is required",
      "f:3:25: a space is missing after the colon of \"token\" in devices.b"),
    Row(
      "no credential", "devices: {pump: {name: x}}",
      "f:3:17: devices.pump has no \"token\", \"token_file\", \"credential\" or \"provision\"; one is required"),
    Row(
      "two credentials", "devices: {pump: {token: TOP, provision: {key: TOP, secret: TOP}}}",
      "f:3:41: devices.pump has token and provision; expected one of them"),
    Row("a token with a space", "devices: {pump: {token: TOP 1}}", "f:3:25: devices.pump.token has white space in it"),
    Row(
      "an unknown key", "devices: {pump: {token: TOP, TOP-1: TOP}}",
      "f:3:30: unknown key (not shown) in devices.pump; expected name, token, token_file, credential, provision, "
        + "downlink, attributes or rpc"),
    Row(
      "what is the gateway's alone", "devices: {pump: {token: TOP, claim: {}, ota: {}}}",
      "f:3:30: unknown key \"claim\" in devices.pump; only the gateway itself can be claimed",
      "f:3:41: unknown key \"ota\" in devices.pump; packages are the gateway's alone"),
    Row(
      "a name with a placeholder unknown", "devices: {pump: {token: TOP, name: \"{host}\"}}",
      "f:3:36: devices.pump.name has \"{host}\"; expected {hostname}, {machine_id}, {serial_number} or {mac}"),
    Row(
      "a way down unknown", "devices: {pump: {token: TOP, downlink: {rpc: onn, attributes: on}}}",
      "f:3:46: devices.pump.downlink.rpc is \"onn\"; expected on, off or an interval from 10s to 1d such as 5m; did you "
        + "mean \"on\"?",
      "f:3:51: unknown key \"attributes\" in devices.pump.downlink; expected rpc or shared_attributes"),
    Row(
      "sections in which a token stands", "devices: {pump: {token: TOP, downlink: TOP, rpc: TOP, attributes: TOP}}",
      "f:3:40: devices.pump.downlink is text; expected keys, each on a line \"key: value\"",
      "f:3:50: devices.pump.rpc is text; expected keys, each on a line \"key: value\"",
      "f:3:67: devices.pump.attributes is text; expected names, each on a line \"name: value\""),
    Row(
      "an attribute without value", "devices: {pump: {token: TOP, attributes: {site: }}}",
      "f:3:49: devices.pump.attributes.site has no value; write one or remove the key"),
    Row(
      "programs and calls", "devices: {pump: {token: TOP, rpc: {run: {}, call: {}, run_time_limit: 1m}}}",
      "f:3:36: unknown key \"run\" in devices.pump.rpc; programs and calls are the gateway's alone and stand under its own "
        + "rpc",
      "f:3:45: unknown key \"call\" in devices.pump.rpc; programs and calls are the gateway's alone and stand under its "
        + "own rpc",
      "f:3:55: unknown key \"run_time_limit\" in devices.pump.rpc; programs and calls are the gateway's alone and stand "
        + "under its own rpc"),
    Row(
      "an alias nearly right", "devices: {pump: {token: TOP, rpc: {alias: {a: {method: setGpoi}}}}}",
      "f:3:56: devices.pump.rpc.alias.a.method is \"setGpoi\"; expected checkStatus, getGpio, getGpioStatus, getStatus, "
        + "getValue, modbusRead, modbusWrite, pulseGpio, readNow, setGpio, setGpioStatus or setValue; did you mean \"setGpio\"?"
    ),
  ]

  @Test(arguments: mistakes) func reports(_ row: Row) {
    let found = errors(Sample.head + row.text + "\n")
    #expect(found == row.expected)
    #expect(!found.joined().contains("TOP"))
  }

  @Test(arguments: ["run", "reboot", "serialWrite"]) func theBoardIsTheGatewaysAlone(_ method: String) {
    #expect(
      errors(Sample.head + "devices: {pump: {token: B2, rpc: {alias: {a: {method: \(method)}}}}}\n") == [
        "f:3:55: devices.pump.rpc.alias.a.method is \"\(method)\", which is the gateway's alone: a device's owner must not "
          + "restart the board or write to a port that others share"
      ])
  }

  // MARK: Two that are one

  static let twins = [
    Row(
      "the gateway's token", "devices: {pump: {token: A1}}",
      "f:3:25: devices.pump has the same token as device on line 2 (not shown); each device needs a token of its own"),
    Row(
      "one token for two", "devices:\n  a: {token: TOP}\n  b: {token: TOP}",
      "f:5:14: devices.b has the same token as devices.a on line 4 (not shown); each device needs a token of its own"),
    Row(
      "one name for two that provision themselves",
      "devices:\n  a: {provision: {key: TOP, secret: TOP}, name: b}\n  b: {provision: {key: TOP, secret: TOP}}",
      "f:5:3: devices.b has the name \"b\", as devices.a on line 4 has; the server gives one name to one device only"),
  ]

  @Test(arguments: twins) func tellsTwinsApart(_ row: Row) {
    let found = errors(Sample.head + row.text + "\n")
    #expect(found == row.expected)
    #expect(!found.joined().contains("TOP"))
  }

  @Test func aTokenInAFileIsComparedAsWell() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("A1\n", to: "token")
    let text = Sample.head + "devices: {pump: {token_file: \(file)}}\n"
    #expect(
      errors(text) == [
        "f:3:30: devices.pump has the same token as device on line 2 (not shown); each device needs a token of its own"
      ])
    var surroundings = Surroundings()
    surroundings.readsTokens = false
    #expect(errors(text, in: surroundings) == [])
    #expect(errors(text.replacing("{token: A1}", with: "{token: A2}")) == [])
  }

  @Test func namesMayBeEqualWhereTokensTellApart() {
    #expect(errors(Sample.head + "devices: {a: {token: B1, name: x}, b: {token: B2, name: x}}\n") == [])
  }

  // MARK: The HTTP integration

  static let integration = "server: {url: https://h, transport: http_integration}\ndevice: {name: g, token: KEY}\n"

  @Test func theIntegrationGoesByNames() throws {
    let text = Self.integration + "devices: {a: {token: KEY}, b: {token: KEY, name: bee}}\n"
    let devices = try load(text).get().devices
    #expect(devices.map(\.device.name) == ["a", "bee"])
    #expect(devices.allSatisfy { $0.downlink.rpc == .off && $0.downlink.sharedAttributes == .off })
    #expect(
      errors(Self.integration + "devices: {a: {token: K1, name: g}}\n") == [
        "f:3:32: devices.a has the name \"g\", as device on line 2 has; readings are sent under it"
      ])
  }

  @Test func theIntegrationTakesReadingsOnly() {
    let reason = "needs server.transport device_api: the HTTP integration only takes readings"
    #expect(
      errors(Self.integration + "devices: {a: {provision: {key: k, secret: s}, downlink: {rpc: 5m}}}\n") == [
        "f:3:15: devices.a.provision \(reason)",
        "f:3:63: devices.a.downlink.rpc \(reason); remove it or write off",
      ])
  }

  // MARK: What is right

  @Test func readsDevices() throws {
    let text = """
      server: {url: https://h, link: metered}
      device: {token: A1}
      downlink: {rpc: 1m}
      devices:
        pump:
          provision: {key: k, secret: s}
          downlink: {shared_attributes: off}
          attributes: {site: north, floor: 2}
          rpc:
            bind: {setValue: relay}
            alias: {off: {method: setGpio, params: {pin: relay, value: 0}}}
        valve: {token: C3, name: "valve-{mac}", downlink: , rpc: , attributes: }
      gpio: {chip: gpiochip0, lines: {relay: {line: 1, direction: output, device: pump}}}
      ports: {p: {path: /d}}
      sensors: {s: {port: p, protocol: line, template: "{t}", device: valve}}
      """
    let configuration = try load(text).get()
    #expect(configuration.warnings.isEmpty)
    #expect(configuration.devices.map(\.name) == ["pump", "valve"])
    let (pump, valve) = (configuration.devices[0], configuration.devices[1])
    #expect(pump.device.name == "pump")
    #expect(pump.device.identity == .provision(ProvisionOptions(key: Secret("k"), secret: Secret("s"))))
    #expect(pump.downlink.rpc == .every(.seconds(60)))
    #expect(pump.downlink.sharedAttributes == .off)
    #expect(try pump.attributes == [Reading(Key("site"), .string("north")), Reading(Key("floor"), .long(2))])
    #expect(pump.rpc.bind == ["setValue": "relay"])
    #expect(pump.rpc.alias["off"]?.method == "setGpio")
    #expect(valve.device.name == "valve-{mac}")
    #expect(valve.downlink == configuration.downlink)
    #expect(valve.downlink.sharedAttributes == .every(.seconds(900)))
    #expect(valve.rpc == RPCOptions() && valve.attributes.isEmpty)
    #expect(configuration.gpio.lines.first?.device == "pump")
    #expect(configuration.sensors.first?.device == "valve")
    #expect(configuration.secrets.map { $0.reveal() } == ["A1", "k", "s", "C3"])
    #expect(try load(Sample.head + "devices:\n").get().devices.isEmpty)
  }

  @Test func takesAsManyAsAreAllowed() throws {
    let text = Sample.head + "devices: {\((0..<2000).map { "d\($0): {token: T\($0)}" }.joined(separator: ","))}\n"
    #expect(try load(text).get().devices.count == ConnectedDevice.limit)
  }

  @Test func showsNoToken() throws {
    let configuration = try load(Sample.head + "devices: {pump: {token: TOP-1}}\n").get()
    #expect(!"\(configuration)".contains("TOP"))
    var dumped = ""
    dump(configuration, to: &dumped)
    #expect(!dumped.contains("TOP"))
  }
}

/// What of a configuration belongs to which device.
@Suite struct OwnershipTests {
  /// On lines 3 to 7.
  private static let devices = """
    devices: {pump: {token: B2RPC}, valve: {token: C3}}
    ports: {p: {path: /d}}
    sensors: {s: {port: p, protocol: line, template: "{t}", device: pump}}
    gpio: {chip: c, lines: {
      own: {line: 1, direction: output}, relay: {line: 2, direction: output, device: pump}}}

    """
  private static func file(pump rpc: String) -> String {
    Sample.head + devices.replacing("RPC", with: ", rpc: {\(rpc)}")
  }
  private static let plain = Sample.head + devices.replacing("RPC", with: "")

  static let references = [
    Row(
      "a device nearly right", plain.replacing("device: pump}}\n", with: "device: pmp}}\n"),
      "f:5:65: sensors.s.device is \"pmp\"; devices has pump and valve; did you mean \"pump\"?"),
    Row(
      "a line's device", plain.replacing("device: pump}}}", with: "device: x}}}"),
      "f:7:82: gpio.lines.relay.device is \"x\"; devices has pump and valve"),
    Row(
      "the gateway by its name", plain.replacing("device: pump}}\n", with: "device: gateway}}\n"),
      "f:5:65: sensors.s.device is \"gateway\"; devices has pump and valve; without \"device\" it is the gateway's own"),
    Row(
      "no devices", Sample.head + Sample.sensors.replacing("port: arduino", with: "device: pump, port: arduino"),
      "f:6:21: sensors.climate.device is \"pump\"; there are no devices"),
    Row(
      "a refused device is still a name",
      plain.replacing("C3", with: "''").replacing("device: pump}}\n", with: "device: valve}}\n"),
      "f:3:45: devices.valve.token is text; expected text that is not empty"),
    Row(
      "one key of one device",
      plain.replacing(
        "device: pump}}\n", with: "device: pump}, u: {port: p, protocol: line, template: \"{t}\", device: pump}}\n"),
      "f:5:72: sensors.u sends the key \"t\", which sensors.s on line 5 sends already; set prefix: true on one of them"),
    Row(
      "a line of another device", plain + "rpc: {bind: {setValue: relay}}\n",
      "f:8:24: rpc.bind.setValue is \"relay\", which is a line of devices.pump on line 7; gpio.lines has own"),
    Row(
      "a line of the gateway", file(pump: "bind: {getValue: own}"),
      "f:3:52: devices.pump.rpc.bind.getValue is \"own\", which is a line of the gateway on line 7; gpio.lines has relay "
        + "of devices.pump"),
    Row(
      "a line nearly right", file(pump: "bind: {getValue: rely}"),
      "f:3:52: devices.pump.rpc.bind.getValue is \"rely\"; gpio.lines has relay of devices.pump; did you mean \"relay\"?"
    ),
    Row(
      "no line of its own", plain.replacing("C3", with: "C3, rpc: {bind: {getValue: relay}}"),
      "f:3:72: devices.valve.rpc.bind.getValue is \"relay\", which is a line of devices.pump on line 7; gpio.lines has none "
        + "of devices.valve"),
    Row(
      "an input that is to be set",
      file(pump: "bind: {setValue: relay}").replacing("direction: output, device", with: "direction: input, device"),
      "f:3:52: devices.pump.rpc.bind.setValue is \"relay\", which is an input on line 7; expected an output"),
  ]

  @Test(arguments: references) func reports(_ row: Row) {
    #expect(errors(row.text) == row.expected)
  }

  @Test(arguments: [
    (
      plain + "rpc: {alias: {a: {method: setGpio, params: {pin: relay}}}}\n",
      "f:8:50: warning: rpc.alias.a.params.pin is \"relay\", which belongs to devices.pump: it will be refused"
    ),
    (
      plain + "rpc: {alias: {a: {method: readNow, params: {sensor: s}}}}\n",
      "f:8:53: warning: rpc.alias.a.params.sensor is \"s\", which belongs to devices.pump: it will be refused"
    ),
    (
      file(pump: "alias: {a: {method: getGpio, params: {pin: own}}}"),
      "f:3:78: warning: devices.pump.rpc.alias.a.params.pin is \"own\", which belongs to the gateway: it will be refused"
    ),
    (
      file(pump: "alias: {a: {method: getGpio, params: {pin: rela}}}"),
      "f:3:78: warning: devices.pump.rpc.alias.a.params.pin is \"rela\": it will be refused; gpio.lines has relay of "
        + "devices.pump; did you mean \"relay\"?"
    ),
    (
      file(pump: "alias: {a: {method: setValue}}"),
      "f:3:43: warning: devices.pump.rpc.alias.a means \"setValue\", which devices.pump.rpc.bind binds to no line: it will "
        + "be refused"
    ),
    (
      file(pump: "bind: {setValue: relay}").replacing(", rpc:", with: ", downlink: {rpc: off}, rpc:"),
      "f:3:51: warning: devices.pump.rpc has commands, but devices.pump.downlink.rpc is off and none will come"
    ),
  ]) func warns(_ text: String, _ warning: String) throws {
    #expect(try load(text).get().warnings == [warning])
  }

  @Test func theSameKeyOfTwoDevicesIsTwoKeys() throws {
    let text =
      Sample.head + """
        devices: {pump: {token: B2}, valve: {token: C3}}
        ports: {p: {path: /d}}
        sensors:
          own: {port: p, protocol: line, template: "a{t}"}
          one: {port: p, protocol: line, template: "b{t}", device: pump}
          two: {port: p, protocol: line, template: "c{t}", device: valve}
        gpio: {chip: c, lines: {door: {line: 1, direction: input, device: pump}}}
        rpc: {call: {c: {method: m, interval: 1m, values: {door: a}}}}
        claim: {button: door}
        """
    let configuration = try load(text).get()
    #expect(configuration.sensors.map(\.device) == [nil, "pump", "valve"])
    #expect(configuration.claim?.button == "door")
    #expect(configuration.warnings.isEmpty)
  }

  // MARK: Sensors that are off

  @Test func aDisabledSensorIsCheckedAndLeftOut() throws {
    let text =
      Sample.head + Sample.sensors + "  spare: {port: arduino, protocol: line, template: \"A={t}\", enabled: false}\n"
    let configuration = try load(text).get()
    #expect(configuration.sensors.map(\.name) == ["climate", "spare"])
    #expect(configuration.enabledSensors.map(\.name) == ["climate"])
    #expect(
      errors(text.replacing("spare: {port: arduino", with: "spare: {port: arduin")) == [
        "f:7:17: sensors.spare.port is \"arduin\"; ports has arduino; did you mean \"arduino\"?"
      ])
  }

  @Test func aPortWhoseSensorsAreOffStaysClosed() throws {
    let text =
      Sample.head + Sample.sensors.replacing("protocol: line", with: "protocol: line, enabled: false")
      + "downlink: {rpc: off}\n"
    #expect(
      try load(text).get().warnings == [
        "f:1:1: warning: no sensor is enabled; nothing will be sent",
        "f:4:3: warning: ports.arduino has no sensor and, without commands, stays closed",
      ])
  }
}
