import Foundation
import Simulator
import Testing

/// Commands from the server to lines, ports and programs and back, through the real binary.
@Suite(.serialized) struct CommandTests {
  static let configuration = """
    gpio:
      chip: simulated:CHIP
      lines:
        relay: {line: 23, direction: output}
        lamp: {line: 24, direction: output, initial: on}
        door: {line: 17, direction: input}
    rpc:
      bind: {setValue: relay, getValue: relay, checkStatus: relay}
      alias: {lampOff: {method: setGpio, params: {pin: lamp, value: 0}}}
      run:
        note: [/bin/sh, -c, "echo ran >> RUNS; echo done"]
        fail: [/bin/sh, -c, "echo no >&2; exit 3"]
        sleep: [/bin/sleep, "60"]
      run_time_limit: LIMIT
    attributes: {site: north, floor: 2}

    """

  static func gateway(runLimit: String = "1s", environment: [String: String] = [:]) async throws -> GatewayUnderTest {
    try await GatewayUnderTest(ports: ["line"], environment: environment) { url, scratch in
      try FileManager.default.createDirectory(atPath: scratch.file("chip"), withIntermediateDirectories: false)
      return """
        server: {url: \(url)}
        device: {token: \(GatewayUnderTest.token)}
        ports:
          line: {path: \(scratch.file("tty-line")), baud: 115200}
        sensors:
          climate: {port: line, protocol: line, template: "T={temperature}"}
        \(configuration.replacingOccurrences(of: "CHIP", with: scratch.file("chip"))
          .replacingOccurrences(of: "RUNS", with: scratch.file("runs"))
          .replacingOccurrences(of: "LIMIT", with: runLimit))
        """
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let method: String
    let params: String
    let reply: String
    init(_ method: String, _ params: String, _ reply: String) {
      (self.method, self.params, self.reply) = (method, params, reply)
    }
    var testDescription: String { "\(method) \(params)" }
  }

  /// In this order: each finds the lines as the ones before left them.
  static let rows = [
    Row("getGpioStatus", "{}", #"{"23":false,"24":true,"17":false}"#),
    Row("setGpio", #"{"pin":"23","value":1}"#, #"{"pin":"relay","value":1}"#),
    Row("getGpio", #"{"pin":23}"#, #"{"pin":"relay","value":1}"#),
    Row("setGpioStatus", #"{"pin":23,"enabled":false}"#, #"{"23":false,"24":true,"17":false}"#),
    Row("setValue", "true", "true"),
    Row("getValue", "null", "true"),
    Row("checkStatus", "null", "true"),
    Row("lampOff", "null", #"{"pin":"lamp","value":0}"#),
    Row("getGpioStatus", "null", #"{"23":true,"24":false,"17":false}"#),
    Row("run", #"{"command":"note"}"#, #"{"exit":0,"output":"done\n"}"#),
    Row("run", #"{"command":"fail"}"#, #"{"exit":3,"output":"no\n"}"#),
    Row("serialWrite", #"{"port":"line","text":"LED=1\n"}"#, #"{"written":6}"#),
  ]

  static let errors = [
    Row("launchMissiles", "{}", "unknown_method"),
    Row("setGpio", #"{"pin":"door","value":1}"#, "not_output"),
    Row("setGpio", #"{"pin":99,"value":1}"#, "no_such_pin"),
    Row("setGpio", #"{"pin":"relay","value":"maybe"}"#, "bad_params"),
    Row("setGpio", "null", "bad_params"),
    Row("readNow", #"{"sensor":"nobody"}"#, "no_such_sensor"),
    Row("serialWrite", #"{"port":"nobody","text":"x"}"#, "bad_params"),
    Row("run", #"{"command":"rm -rf /"}"#, "bad_params"),
    Row("run", #"{"command":"sleep"}"#, "timeout"),
    Row("reboot", "null", "unavailable"),
  ]

  @Test func everyMethodAndEveryError() async throws {
    let gateway = try await Self.gateway(environment: ["DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"])
    try gateway.scratch.write("0", to: "chip/line17")
    try await gateway.start()
    #expect(gateway.scratch.read("chip/line24") == "1")
    try gateway.line.send("T=21.5\n")
    #expect(await gateway.arrived(1, of: "temperature"))
    for row in Self.rows {
      let reply = await gateway.ask(row.method, row.params)
      #expect(reply == row.reply, "\(row.testDescription)")
    }
    #expect(gateway.scratch.read("runs") == "ran\n")
    #expect(gateway.scratch.read("chip/line23") == "1")
    #expect(await gateway.ask("readNow", #"{"sensor":"climate"}"#) == #"{"temperature":21.5}"#)
    #expect(await gateway.ask("getStatus")?.contains(#""summary":"#) == true)
    let table = try await gateway.baudgate("status").output
    for part in ["\nGPIO ", "\nrelay            23    output     on ", "\nCOMMANDS ", "\nSHARED ", "\nCLIENT "] {
      #expect(table.contains(part), "\(part) is missing:\n\(table)")
    }
    let line = try gateway.line
    #expect(try await eventually { line.received().contains("LED=1\n") })
    for row in Self.errors {
      let reply = await gateway.ask(row.method, row.params) ?? "nothing"
      #expect(reply.hasPrefix(#"{"error":{"code":""# + row.reply + "\""), "\(row.testDescription): \(reply)")
    }
    #expect(gateway.daemon.isRunning)
    #expect(!gateway.daemon.log.contains(GatewayUnderTest.token))
    await gateway.end()
  }

  @Test func aPulseEndsByItself() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(
      await gateway.ask("pulseGpio", #"{"pin":"relay","duration":"300ms"}"#)
        == #"{"pin":"relay","value":1,"duration":"300ms"}"#)
    #expect(try await eventually { gateway.scratch.read("chip/line23") == "0" })
    await gateway.end()
  }

  /// One-way commands every 50 ms across the end of a poll, where a client with one poll at a time loses some to a ghost:
  /// each is carried out once. The line tells which were.
  @Test func oneWayCommandsAcrossThePollsEnd() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling())
    let line = try gateway.line
    _ = line.received()
    var sent = 0
    var seen = ""
    let end = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < end {
      gateway.server.sendCommand(
        "serialWrite", params: #"{"port":"line","text":"\#(sent)\n"}"#, token: GatewayUnderTest.token, oneWay: true,
        lifetime: .seconds(60))
      sent += 1
      try await Task.sleep(for: .milliseconds(50))
      seen += line.received()
    }
    let expected = sent
    for _ in 0..<1000 where seen.split(separator: "\n").count < expected {
      try await Task.sleep(for: .milliseconds(10))
      seen += line.received()
    }
    let numbers = seen.split(separator: "\n").compactMap { Int($0) }
    #expect(numbers.sorted() == Array(0..<sent), "\(Set(0..<sent).subtracting(numbers).sorted()) are missing")
    await gateway.end()
  }

  /// The reply is lost on its way, so the server hands the command over again: it is answered again and not run again.
  @Test(arguments: [
    Fault.storeThenDropConnection, .dropConnection, .reset, .emptyServerError, .status(502, body: "<html>"),
  ])
  func aLostReplyIsSentAgain(_ fault: Fault) async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling())
    gateway.server.setFault(fault, requests: 2, scope: .only(.postReply))
    #expect(await gateway.ask("run", #"{"command":"note"}"#, within: .seconds(30)) == #"{"exit":0,"output":"done\n"}"#)
    #expect(gateway.scratch.read("runs") == "ran\n")
    await gateway.end()
  }

  /// A server that has restarted counts from 0 again: the same number, method and params are a new command.
  @Test func aRecycledNumberRunsAgain() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    for turn in 1...3 {
      #expect(await gateway.isPolling())
      #expect(await gateway.ask("run", #"{"command":"note"}"#) == #"{"exit":0,"output":"done\n"}"#)
      #expect(gateway.scratch.read("runs") == String(repeating: "ran\n", count: turn))
      gateway.server.restartMemory()
    }
    await gateway.end()
  }

  /// A port without a sensor is there for commands, and says which of the two it is where none come.
  @Test(arguments: [true, false]) func aPortWithoutASensorIsOpenedForCommands(_ takesCommands: Bool) async throws {
    let gateway = try await GatewayUnderTest(ports: ["line"]) { url, scratch in
      """
      server: {url: \(url)}
      device: {token: \(GatewayUnderTest.token)}
      downlink: {rpc: \(takesCommands ? "on" : "off")}
      ports:
        line: {path: \(scratch.file("tty-line")), baud: 9600}
        gone: {path: \(scratch.file("tty-gone")), baud: 9600}
      """
    }
    guard takesCommands else {
      try gateway.daemon.start()
      #expect(gateway.daemon.log.contains("ports.line has no sensor and, without commands, stays closed"))
      #expect((try gateway.daemon.status()["ports"] as? [String: Any])?.isEmpty == true)
      return await gateway.end()
    }
    try await gateway.start()
    #expect(!gateway.daemon.log.contains("ports.line"))
    let line = try gateway.line
    try line.send("nobody reads this\n")
    #expect(
      await gateway.ask("serialWrite", #"{"port":"line","hex":"4F 4B 0A"}"#) == #"{"written":3}"#)
    #expect(try await eventually { line.received() == "OK\n" })
    // And the server knows at once which of the ports are there.
    let server = gateway.server
    #expect(
      await server.wait(upTo: .seconds(20)) {
        let ports = server.clientAttributes(token: GatewayUnderTest.token)["ports"]?.text ?? ""
        return ports.contains(#"tty-line","found":true"#) && ports.contains(#"tty-gone","found":false"#)
      })
    let reply = await gateway.ask("serialWrite", #"{"port":"gone","text":"x"}"#) ?? ""
    #expect(reply.hasPrefix(#"{"error":{"code":"unavailable""#), "\(reply)")
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }

  /// An orderly stop while a program runs: the server hears of it now, not only after the next start.
  @Test func aStopAnswersWhatItCutsOffAndPanelsSeeWhatOutputsAreLeftAt() async throws {
    let gateway = try await Self.gateway(runLimit: "60s")
    try await gateway.start()
    #expect(await gateway.isPolling())
    #expect(await gateway.ask("setValue", "true") == "true")
    let server = gateway.server
    let token = GatewayUnderTest.token
    #expect(await server.wait(upTo: .seconds(20)) { server.clientAttributes(token: token)["23"]?.text == "true" })
    #expect(await gateway.isPolling())
    let id = server.sendCommand("run", params: #"{"command":"sleep"}"#, token: token, lifetime: .seconds(60))
    #expect(await server.wait(upTo: .seconds(20)) { server.commandDeliveries(id: id, token: token) > 0 })
    #expect(
      try await eventually { (try gateway.daemon.status()["commands"] as? [String: Any])?["pending"] as? Int == 1 })
    #expect(gateway.daemon.terminate() == 0)
    let replies = server.outcome(of: id, token: token)?.replies ?? []
    #expect(replies.count == 1 && "\(replies)".contains("interrupted"), "\(replies)\n\(gateway.daemon.log)")
    #expect(gateway.scratch.read("chip/line23") == "0")
    #expect(server.clientAttributes(token: token)["23"]?.text == "false", "the output was left off")
    await gateway.end()
  }

  /// A board that only takes commands: the wrong token shows, though there is no reading to be refused; and so does a
  /// state directory that went away.
  @Test func theStatusShowsThatCommandsDoNotComeOrWouldBeRefused() async throws {
    let gateway = try await Self.gateway()
    try await gateway.start()
    #expect(await gateway.isPolling())
    let scratch = gateway.scratch
    @Sendable func summary() throws -> String { try gateway.daemon.status()["summary"] as? String ?? "" }
    #expect(try await eventually { try summary().contains("server in reach") })
    // A directory in place of the file that replaces it: nothing can be written but by a new file.
    try FileManager.default.removeItem(atPath: scratch.file("state/commands"))
    try FileManager.default.createDirectory(atPath: scratch.file("state/commands"), withIntermediateDirectories: false)
    gateway.daemon.kill()
    try await gateway.start()
    let reply = await gateway.ask("setValue", "true") ?? ""
    #expect(reply.hasPrefix(#"{"error":{"code":"unavailable""#), "\(reply)")
    #expect(try summary().contains("DEGRADED: commands with lasting effect are refused"))
    #expect((try gateway.daemon.status()["commands"] as? [String: Any])?["problem"] != nil)
    #expect(await gateway.ask("getValue") == "false")
    gateway.server.setFault(.status(401), scope: .polls)
    await gateway.server.cutOff()
    try await gateway.server.bringBack()
    #expect(try await eventually { try summary().contains("commands do not arrive") }, "\(gateway.daemon.log)")
    await gateway.end()
  }

  /// While one command takes its time, others that arrive at an open poll are carried out.
  @Test func aSlowCommandHoldsUpNoOther() async throws {
    let gateway = try await Self.gateway(runLimit: "60s")
    try await gateway.start()
    #expect(await gateway.isPolling())
    let slow = gateway.server.sendCommand(
      "run", params: #"{"command":"sleep"}"#, token: GatewayUnderTest.token, oneWay: true, lifetime: .seconds(60))
    #expect(await gateway.isPolling())
    #expect(await gateway.ask("setGpio", #"{"pin":23,"value":1}"#) == #"{"pin":"relay","value":1}"#)
    let answered = gateway.server.outcome(of: slow, token: GatewayUnderTest.token)?.replies.isEmpty == false
    #expect(!answered, "the slow one was over first")
    await gateway.end()
  }
}
