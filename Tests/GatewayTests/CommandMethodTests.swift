import Configuration
import EventLoop
import Hardware
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Every method with the params dashboards send, and every error.
@Suite struct CommandMethodTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let method: String
    let params: String
    /// The reply, or an error's code, a colon and words that its message has.
    let expected: String
    init(_ method: String, _ params: String, _ expected: String) {
      self.method = method
      self.params = params
      self.expected = expected
    }
    var testDescription: String { "\(method) \(params)" }
  }

  static let rows = [
    Row("setGpio", #"{"pin":"relay","value":1}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpio", #"{"pin":23,"value":true}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpio", #"{"pin":"23","value":"1"}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpio", #"{"pin":23.0,"value":"on"}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpio", #"{"value":"OFF","pin":"relay"}"#, #"{"pin":"relay","value":0}"#),
    Row("setGpio", #"{"pin":"relay","value":"0"}"#, #"{"pin":"relay","value":0}"#),
    Row("setGpio", #"{"pin":"relay","value":false}"#, #"{"pin":"relay","value":0}"#),
    Row("setGpio", #"{"pin":"relay","value":0.0}"#, #"{"pin":"relay","value":0}"#),
    Row("setGpio", #"{"pin":"relay","enabled":true}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpio", #"{"pin":"5","value":1}"#, #"{"pin":"5","value":1}"#),
    Row("setGpio", #"{"pin":"relay","value":2}"#, "bad_params: value 2: expected 1, 0"),
    Row("setGpio", #"{"pin":"relay","value":null}"#, "bad_params: needs a value"),
    Row("setGpio", #"{"pin":"relay"}"#, "bad_params: needs a value"),
    Row("setGpio", #"{"value":1}"#, #"bad_params: needs a pin: {"pin":"relay""#),
    Row("setGpio", #""relay""#, "bad_params: needs a pin"),
    Row("setGpio", "null", "bad_params: needs a pin"),
    Row("setGpio", #"{"pin":-1,"value":1}"#, "bad_params: neither"),
    Row("setGpio", #"{"pin":[1],"value":1}"#, "bad_params: neither"),
    Row("setGpio", #"{"pin":1e300,"value":1}"#, "bad_params: neither"),
    Row("setGpio", #"{"pin":"relais","value":1}"#, "no_such_pin: gpio.lines has relay, door"),
    Row("setGpio", #"{"pin":99,"value":1}"#, "no_such_pin: \"99\""),
    Row("setGpio", #"{"pin":4,"value":1}"#, "no_such_pin: several chips have a line 4"),
    Row("setGpio", #"{"pin":"left","value":1}"#, #"{"pin":"left","value":1}"#),
    Row("setGpio", #"{"pin":"door","value":1}"#, "not_output: door is an input"),

    Row("getGpio", #"{"pin":"door"}"#, #"{"pin":"door","value":1}"#),
    Row("getGpio", #""door""#, #"{"pin":"door","value":1}"#),
    Row("getGpio", "17", #"{"pin":"door","value":1}"#),
    Row("getGpio", #""17""#, #"{"pin":"door","value":1}"#),
    Row("getGpio", "null", "bad_params: needs a pin"),
    Row("getGpio", "true", "bad_params: neither"),
    Row("getGpio", "{}", "bad_params: needs a pin"),
    Row("getGpio", "18", "no_such_pin: 18"),

    Row("getGpioStatus", "null", #"{"23":false,"17":true,"8":false,"left":false,"right":false}"#),
    Row("getGpioStatus", "{}", #"{"23":false,"17":true,"8":false,"left":false,"right":false}"#),
    Row(
      "setGpioStatus", #"{"pin":23,"enabled":true}"#, #"{"23":true,"17":true,"8":false,"left":false,"right":false}"#),
    Row("setGpioStatus", #"{"pin":"23","enabled":1}"#, #"{"23":true,"17":true,"8":false,"left":false,"right":false}"#),
    Row("setGpioStatus", #"{"pin":17,"enabled":true}"#, "not_output: door"),
    Row("setGpioStatus", #"{"pin":1,"enabled":true}"#, "no_such_pin: 1"),
    Row("setGpioStatus", #"{"pin":23}"#, "bad_params: needs enabled"),
    Row("setGpioStatus", #"{"pin":23,"enabled":"maybe"}"#, "bad_params: maybe"),

    Row("setValue", "true", "true"),
    Row("setValue", "1", "1"),
    Row("setValue", "0.0", "0"),
    Row("setValue", #""on""#, "true"),
    Row("setValue", #"{"value":0}"#, "0"),
    Row("setValue", "57", "bad_params: setValue 57"),
    Row("setValue", "null", "bad_params: setValue null"),
    Row("getValue", "null", "false"),
    Row("getValue", "true", "false"),
    Row("lamp", "true", "true"),
    Row("lamp", "null", "false"),
    Row("lamp", "{}", "false"),
    Row("isolate", "true", "true"),
    Row("isolate", "null", "false"),
    Row("readDoor", "null", "true"),
    Row("setDoor", "true", "not_output: door"),
    Row("checkStatus", "null", "unknown_method: rpc: {bind: {checkStatus: relay}}"),

    Row("pulseGpio", #"{"pin":"relay","duration":"500ms"}"#, #"{"pin":"relay","value":1,"duration":"500ms"}"#),
    Row("pulseGpio", #"{"pin":23,"duration":250}"#, #"{"pin":"relay","value":1,"duration":"250ms"}"#),
    Row("pulseGpio", #"{"pin":23,"duration":"250"}"#, #"{"pin":"relay","value":1,"duration":"250ms"}"#),
    Row("pulseGpio", #"{"pin":23,"duration":10.5}"#, #"{"pin":"relay","value":1,"duration":"10500us"}"#),
    Row("pulseGpio", #"{"pin":23,"duration":"1h"}"#, #"{"pin":"relay","value":1,"duration":"1h"}"#),
    Row("pulseGpio", #"{"pin":23,"duration":"61m"}"#, "bad_params: expected 10ms to 1h"),
    Row("pulseGpio", #"{"pin":23,"duration":9}"#, "bad_params: expected 10ms"),
    Row("pulseGpio", #"{"pin":23,"duration":-500}"#, "bad_params: expected 10ms"),
    Row("pulseGpio", #"{"pin":23,"duration":9223372036854775807}"#, "bad_params: expected 10ms"),
    Row("pulseGpio", #"{"pin":23,"duration":1e400}"#, "bad_params: expected 10ms"),
    Row("pulseGpio", #"{"pin":23,"duration":true}"#, "bad_params: expected 10ms"),
    Row("pulseGpio", #"{"pin":23}"#, "bad_params: needs a duration"),
    Row("pulseGpio", #"{"duration":"1s"}"#, "bad_params: needs a pin"),
    Row("pulseGpio", #"{"pin":"door","duration":"1s"}"#, "not_output: door"),

    Row("readNow", #"{"sensor":"house"}"#, #"{"voltage":230.0,"on":true}"#),
    Row("readNow", #""house""#, #"{"voltage":230.0,"on":true}"#),
    Row("readNow", #"{"sensor":"garden"}"#, "{}"),
    Row("readNow", #"{"sensor":"hause"}"#, #"no_such_sensor: did you mean "house""#),
    Row("readNow", #"{"sensor":"zzz"}"#, "no_such_sensor: sensors has house, garden"),
    Row("readNow", "7", "bad_params: needs a sensor"),

    Row("serialWrite", #"{"port":"arduino","text":"LED=1\n"}"#, #"{"written":6}"#),
    Row("serialWrite", #"{"port":"arduino","hex":"0102 ff"}"#, #"{"written":3}"#),
    Row("serialWrite", #"{"port":"arduino","hex":"010"}"#, "bad_params: hex"),
    Row("serialWrite", #"{"port":"arduino","hex":"0x01"}"#, "bad_params: hex"),
    Row("serialWrite", #"{"port":"arduino","text":"a","hex":"01"}"#, "bad_params: either text or hex"),
    Row("serialWrite", #"{"port":"arduino","text":5}"#, "bad_params: either text or hex"),
    Row("serialWrite", #"{"port":"arduino","text":""}"#, "bad_params: nothing to write"),
    Row("serialWrite", #"{"port":"arduin","text":"a"}"#, "bad_params: ports has arduino, stuck"),
    Row("serialWrite", #"{"text":"a"}"#, "bad_params: needs a port"),
    Row("serialWrite", #"{"port":"stuck","text":"a"}"#, "timeout: no room"),
    Row("serialWrite", #"{"port":"full","text":"a"}"#, "busy: 65536 bytes wait"),
    Row("serialWrite", #"{"port":"closed","text":"a"}"#, "unavailable: not open"),

    Row("getStatus", "null", #"{"summary":"well"}"#),
    Row("reboot", "{}", #"{"reboot":"requested"}"#),
    Row("run", #"{"command":"sh"}"#, "bad_params: rpc.run has nothing"),
    Row("run", "null", "bad_params: needs a command"),

    Row("lampOn", "null", #"{"pin":"relay","value":1}"#),
    Row("lampOn", #"{"pin":"door","value":0}"#, #"{"pin":"relay","value":1}"#),
    Row("switch", #"{"pin":"relay","value":1}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpoi", "null", #"unknown_method: did you mean "setGpio""#),
    Row("lampon", "null", #"unknown_method: did you mean "lampOn""#),
    Row("frobnicate", "null", "unknown_method: rpc.alias"),
    Row("", "null", "unknown_method: rpc.alias"),
  ]

  @Test(arguments: rows) func replies(_ row: Row) throws {
    let lines = FakeLines()
    lines.put("door", true)
    let router = CommandRouter(commandContext(lines: lines))
    let sent = try command(1, row.method, row.params)
    let reply = try onCommandLoop { _ in await Self.reply(of: router, to: sent) }
    if row.expected.contains("_") || row.expected.hasPrefix("busy:") || row.expected.hasPrefix("timeout:")
      || row.expected.hasPrefix("unavailable:")
    {
      let parts = row.expected.split(separator: ": ", maxSplits: 1)
      #expect(reply.hasPrefix(#"{"error":{"code":"\#(parts[0])","message":""#), "\(reply)")
      let words = String(parts[1]).replacing("\"", with: "\\\"")
      #expect(reply.contains(words), "\(reply)")
    } else {
      #expect(reply == row.expected)
    }
  }

  private static func reply(of router: CommandRouter, to command: ServerCommand) async -> String {
    do throws(CommandError) { return try await router.run(router.route(command)).text } catch { return error.json.text }
  }

  static let effects: [(String, String, Bool)] = [
    ("setGpio", #"{"pin":23,"value":1}"#, true), ("getGpio", "23", false), ("setGpioStatus", "{}", true),
    ("getGpioStatus", "{}", false), ("setValue", "true", true), ("getValue", "true", false), ("lamp", "null", false),
    ("lamp", "1", true), ("isolate", "1", true), ("setDoor", "1", false), ("checkStatus", "null", false),
    ("pulseGpio", "{}", true),
    ("readNow", "{}", false), ("serialWrite", "{}", true), ("getStatus", "{}", false), ("reboot", "{}", true),
    ("run", "{}", true), ("lampOn", "null", true), ("switch", "{}", true), ("frobnicate", "1", false),
  ]

  @Test(arguments: effects) func lastingEffect(method: String, params: String, isLasting: Bool) throws {
    #expect(CommandRouter(commandContext()).route(try command(1, method, params)).hasLastingEffect == isLasting)
  }

  @Test func withoutLines() throws {
    let router = CommandRouter(commandContext(lines: nil))
    let set = try command(1, "setGpio", #"{"pin":"relay","value":1}"#)
    let map = try command(2, "getGpioStatus")
    let bound = try command(3, "setValue", "true")
    try onCommandLoop { _ in
      #expect(await Self.reply(of: router, to: set).contains("no_such_pin"))
      #expect(await Self.reply(of: router, to: map) == "{}")
      #expect(await Self.reply(of: router, to: bound).contains("no_such_pin"))
    }
  }

  @Test func aLineThatCannotBeReadIsLeftOutOfTheMapUnlessAllAre() throws {
    let lines = FakeLines()
    let router = CommandRouter(commandContext(lines: lines))
    let map = try command(1, "getGpioStatus")
    let set = try command(2, "setGpio", #"{"pin":"relay","value":1}"#)
    try onCommandLoop { _ in
      lines.breakLine("relay")
      #expect(await Self.reply(of: router, to: map) == #"{"17":false,"8":false,"left":false,"right":false}"#)
      #expect(
        await Self.reply(of: router, to: set).contains(#""code":"unavailable","message":"relay: the chip is gone""#))
      for line in lines.lines { lines.breakLine(line.name) }
      #expect(await Self.reply(of: router, to: map).contains("unavailable"))
    }
  }

  @Test func whatIsWrittenIsWhatWasSent() throws {
    let ports = PortJournal()
    let router = CommandRouter(commandContext(ports: ports))
    let text = try command(1, "serialWrite", #"{"port":"arduino","text":"é\u0000\n"}"#)
    let hex = try command(2, "serialWrite", #"{"port":"arduino","hex":"00 fF"}"#)
    try onCommandLoop { _ in
      _ = await Self.reply(of: router, to: text)
      _ = await Self.reply(of: router, to: hex)
    }
    #expect(ports.all == [#"arduino "\xc3\xa9\x00\x0a""#, #"arduino "\x00\xff""#])
  }

  @Test func tooMuchToWriteIsRefused() throws {
    let ports = PortJournal()
    let router = CommandRouter(commandContext(ports: ports))
    let text = String(repeating: "x", count: SerialWriteCommand.sizeLimit + 1)
    let sent = try command(1, "serialWrite", #"{"port":"arduino","text":"\#(text)"}"#)
    try onCommandLoop { _ in #expect(await Self.reply(of: router, to: sent).contains("bad_params")) }
    #expect(ports.all.isEmpty)
  }

  @Test func aStatusTooLargeLosesValuesFirstAndThenItsLargestMembers() throws {
    let value = JSON.object((0..<100).map { .init("value\($0)", .integer($0)) })
    let sensors = JSON.object(
      (0..<100).map { .init("s\($0)", .object([.init("port", .string("p")), .init("values", value)])) })
    let ports = JSON.object((0..<3000).map { .init("p\($0)", .string("a port that is open")) })
    let small = JSON.object([.init("summary", .string("well")), .init("sensors", sensors)])
    let short = StatusCommand.shortened(small, to: StatusCommand.sizeLimit)
    #expect(short.text.utf8.count <= StatusCommand.sizeLimit)
    #expect(short["sensors"]?["s99"]?.text == #"{"port":"p"}"#)
    #expect(short["left_out"]?.text == #"["values"]"#)
    let large = JSON.object([.init("summary", .string("well")), .init("sensors", sensors), .init("ports", ports)])
    let shorter = StatusCommand.shortened(large, to: StatusCommand.sizeLimit)
    #expect(shorter.text.utf8.count <= StatusCommand.sizeLimit)
    #expect(shorter["left_out"]?.text == #"["values","ports"]"#)
    #expect(shorter["summary"]?.text == #""well""#)
  }

  @Test func theStatusSaysNoSharedAttributesValue() throws {
    var context = commandContext()
    let shared = JSON.object([.init("keys", .integer(1)), .init("values", .object([.init("wifi", .string("sesame"))]))])
    context.status = { .object([.init("summary", .string("well")), .init("shared_attributes", shared)]) }
    let router = CommandRouter(context)
    let sent = try command(1, "getStatus")
    try onCommandLoop { _ in
      #expect(await Self.reply(of: router, to: sent) == #"{"summary":"well","shared_attributes":{"keys":1}}"#)
    }
  }

  @Test func anUnknownMethodsNameIsCutInTheMessage() throws {
    let router = CommandRouter(commandContext())
    let sent = try command(1, String(repeating: "x", count: 5000))
    try onCommandLoop { _ in #expect(await Self.reply(of: router, to: sent).utf8.count < 300) }
  }
}
