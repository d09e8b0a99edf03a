import Foundation
import Simulator
import Testing

/// What outputs are at: from the start, at a stop, after a kill, over a restart, without the server, and never together.
@Suite(.serialized) struct OutputTests {
  private static let token = GatewayUnderTest.token

  /// Lines 1 to 6: `heater` and `fan` as most are, `valve` is safe when on, `modem` holds, `up` and `down` exclude each
  /// other.
  private static func gateway(_ more: String = "") async throws -> GatewayUnderTest {
    try await GatewayUnderTest { url, scratch in
      """
      server: {url: \(url)}
      device: {token: \(token)}
      gpio:
        chip: simulated:\(scratch.file("chip"))
        lines:
          heater: {line: 1, direction: output}
          fan: {line: 2, direction: output, initial: on}
          valve: {line: 3, direction: output, safe: on}
          modem: {line: 4, direction: output, safe: hold, initial: on}
          up: {line: 5, direction: output}
          down: {line: 6, direction: output}
        interlocks: [[up, down]]
      \(more)
      """
    }
  }

  /// Lines 1 to 6 as their files say.
  private static func levels(_ gateway: GatewayUnderTest) throws -> String {
    let chip = try SimulatedChip(gateway.scratch.file("chip"))
    return (1...6).map { chip.level($0) }.joined()
  }

  private static func set(_ gateway: GatewayUnderTest, _ pin: String, _ value: Int) async -> String {
    await gateway.ask("setGpio", #"{"pin":"\#(pin)","value":\#(value)}"#) ?? "nothing"
  }

  private static func line(_ gateway: GatewayUnderTest, _ name: String) throws -> [String: Any] {
    (try gateway.daemon.status()["gpio"] as? [String: [String: Any]])?[name] ?? [:]
  }

  @Test func valuesFromTheStartAtAStopAndOverARestart() async throws {
    let gateway = try await Self.gateway()
    let server = gateway.server
    try gateway.daemon.start()
    // Before the service counts as started.
    #expect(try Self.levels(gateway) == "011100")
    for (pin, value) in [("heater", 1), ("valve", 0), ("modem", 0), ("up", 1)] {
      #expect(await Self.set(gateway, pin, value) == #"{"pin":"\#(pin)","value":\#(value)}"#)
    }
    #expect(try Self.levels(gateway) == "110010")
    #expect(await gateway.isPolling())
    #expect(gateway.daemon.terminate() == 0)
    #expect(try Self.levels(gateway) == "001000", "safe values, and what holds as it was")
    // Held, the modem stays off though its initial value is on.
    try gateway.daemon.start()
    #expect(try Self.levels(gateway) == "011000")
    #expect(
      await server.wait(upTo: .seconds(20)) { server.clientAttributes(token: Self.token)["4"]?.text == "false" })
    #expect(await Self.set(gateway, "modem", 1) == #"{"pin":"modem","value":1}"#)
    gateway.daemon.kill()
    try SimulatedChip(gateway.scratch.file("chip")).set(1, true)
    try gateway.daemon.start()
    #expect(try Self.levels(gateway) == "011100")
    // A pulse that a kill cuts short is no value to hold.
    #expect(await gateway.ask("pulseGpio", #"{"pin":"modem","duration":"1h"}"#)?.contains("1h") == true)
    gateway.daemon.kill()
    try gateway.scratch.write("0", to: "chip/line4")
    try gateway.daemon.start()
    #expect(try Self.levels(gateway) == "011100", "the end of a pulse is the initial value")
    await gateway.end()
  }

  /// What ExecStopPost does.
  @Test func safeDrivesWhatAKillHasLeft() async throws {
    let gateway = try await Self.gateway()
    let scratch = gateway.scratch
    try gateway.daemon.start()
    #expect(await Self.set(gateway, "heater", 1).contains(#""value":1"#))
    #expect(await Self.set(gateway, "valve", 0).contains(#""value":0"#))
    // The daemon lives: its lines are its own.
    let refused = try await gateway.baudgate("safe")
    #expect(refused.status == 75)
    #expect(refused.errors.contains("a daemon runs"), "\(refused.errors)")
    #expect(try Self.levels(gateway) == "110100")
    gateway.daemon.kill()
    #expect(try Self.levels(gateway) == "110100", "a killed process leaves its lines as they are")
    let safe = try await gateway.baudgate("safe")
    #expect(safe.status == 0, "\(safe.errors)")
    #expect(try Self.levels(gateway) == "001100")
    #expect(
      safe.output.split(separator: "\n") == [
        "heater: off", "fan: off", "valve: on", "modem: left as it is (hold)", "up: off", "down: off",
      ])
    // With a file that was broken meanwhile the last good one counts.
    let good = scratch.read("baudgate.yaml")
    try scratch.write("state_directory: \(scratch.file("state"))\ngpio: {lines: {heater: {line: 1", to: "baudgate.yaml")
    try SimulatedChip(scratch.file("chip")).set(1, true)
    let json = try await gateway.baudgate("safe", "--json")
    #expect(json.status == 0, "\(json.errors)")
    #expect(json.output.contains(#""heater":{"safe":"off","result":"driven"}"#), "\(json.output)")
    #expect(json.output.contains(#""modem":{"safe":"hold","result":"held"}"#), "\(json.output)")
    #expect(try Self.levels(gateway) == "001100")
    // A line that was taken out of the file is driven as well: the daemon had it.
    try scratch.write(
      good.replacingOccurrences(of: "    heater: {line: 1, direction: output}\n", with: ""), to: "baudgate.yaml")
    try SimulatedChip(scratch.file("chip")).set(1, true)
    #expect(try await gateway.baudgate("safe").status == 0)
    #expect(try Self.levels(gateway) == "001100")
    // A chip that cannot be had.
    try scratch.write(good, to: "baudgate.yaml")
    try FileManager.default.removeItem(atPath: scratch.file("chip"))
    let failed = try await gateway.baudgate("safe")
    #expect(failed.status == 1)
    #expect(failed.errors.contains("heater: not off"), "\(failed.errors)")
    // Nothing is known of any output.
    try scratch.write("state_directory: \(scratch.file("nowhere"))\ngpio: 5\n", to: "baudgate.yaml")
    #expect(try await gateway.baudgate("safe").status == 78)
    await gateway.end()
  }

  @Test func interlockedOutputsAreNeverOnTogether() async throws {
    let gateway = try await Self.gateway()
    try gateway.daemon.start()
    #expect(await Self.set(gateway, "up", 1).contains(#""value":1"#))
    for method in ["setGpio", "pulseGpio"] {
      let reply = await gateway.ask(method, #"{"pin":"down","value":1,"duration":"1s"}"#) ?? "nothing"
      #expect(reply.hasPrefix(#"{"error":{"code":"busy""#) && reply.contains("up"), "\(method): \(reply)")
    }
    #expect(try Self.levels(gateway) == "011110")
    // Off is always allowed, and then the other may come on.
    #expect(await Self.set(gateway, "up", 0).contains(#""value":0"#))
    #expect(await gateway.ask("pulseGpio", #"{"pin":"down","duration":"300ms"}"#)?.contains(#""value":1"#) == true)
    let reply = await Self.set(gateway, "up", 1)
    #expect(reply.hasPrefix(#"{"error":{"code":"busy""#), "while the pulse lasts: \(reply)")
    #expect(try await eventually { try Self.levels(gateway) == "011100" })
    #expect(await Self.set(gateway, "up", 1).contains(#""value":1"#))
    gateway.daemon.kill()
    #expect(try await gateway.baudgate("safe").status == 0)
    #expect(try Self.levels(gateway) == "001100")
    await gateway.end()
  }

  /// Of two descriptors the service manager has kept, for lines the file does not have: the daemon lets both go.
  @Test func descriptorsNobodyWantsAreGivenBack() async throws {
    let gateway = try await Self.gateway()
    let fifo = gateway.scratch.file("fifo")
    #expect(mkfifo(fifo, 0o600) == 0)
    let reading = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reading) }
    gateway.daemon.wrapper = ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$@\" 3>\"$0\" 4>\"$0\"", fifo]
    gateway.daemon.environment = ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "gpio.gpiochip9.5:stored"]
    try gateway.daemon.launch()
    for name in ["gpio.gpiochip9.5", "stored"] {
      #expect(gateway.daemon.waitFor("FDSTOREREMOVE=1\nFDNAME=\(name)"), "\(gateway.daemon.log)")
    }
    #expect(gateway.daemon.waitFor("READY=1"))
    var entry = pollfd(fd: reading, events: 0, revents: 0)
    #expect(poll(&entry, 1, 20_000) == 1 && entry.revents & Int16(POLLHUP) != 0, "a descriptor is still open")
    #expect(try Self.levels(gateway) == "011100")
    await gateway.end()
  }

  /// Without the server for longer than the file allows: safe, told, and so until a command comes.
  @Test func outputsAreMadeSafeWithoutTheServer() async throws {
    let gateway = try await Self.gateway("  safe_after: 10s\n")
    try gateway.daemon.start()
    #expect(await Self.set(gateway, "heater", 1).contains(#""value":1"#))
    #expect(await Self.set(gateway, "modem", 1).contains(#""value":1"#))
    #expect(await Self.set(gateway, "valve", 0).contains(#""value":0"#))
    await gateway.server.cutOff()
    #expect(
      try await eventually(within: .seconds(40)) { try Self.levels(gateway) == "001100" }, "\(gateway.daemon.log)")
    #expect(
      gateway.daemon.log.contains("heater: is off, its safe value, since the server has been out of reach for 1"),
      "\(gateway.daemon.log)")
    #expect(try Self.line(gateway, "heater")["made_safe"] as? Bool == true)
    #expect(try Self.line(gateway, "modem")["made_safe"] == nil, "what holds has no safe value")
    try await gateway.server.bringBack()
    // A minute at most between two attempts.
    let server = gateway.server
    #expect(
      await server.wait(upTo: .seconds(90)) { server.openPolls(.pollCommands, token: Self.token) > 0 },
      "\(gateway.daemon.log)")
    #expect(try Self.levels(gateway) == "001100", "the server alone switches nothing on again")
    #expect(await Self.set(gateway, "heater", 1).contains(#""value":1"#))
    #expect(try Self.line(gateway, "heater")["made_safe"] == nil)
    #expect(try Self.line(gateway, "fan")["made_safe"] as? Bool == true, "nobody has commanded it")
    #expect(try Self.levels(gateway) == "101100")
    await gateway.end()
  }

  /// One chip's line for two names, and the state directory for two daemons.
  @Test func whatIsClaimedTwiceIsRefused() async throws {
    let gateway = try await Self.gateway()
    let scratch = gateway.scratch
    try gateway.daemon.start()
    let second = DaemonProcess(in: scratch)
    try second.launch()
    #expect(second.wait() != 0)
    #expect(gateway.daemon.isRunning)
    #expect(scratch.read("log").contains("\(gateway.daemon.pid)"), "who holds the directory: \(scratch.read("log"))")
    #expect(await Self.set(gateway, "heater", 1).contains(#""value":1"#), "the first one goes on")
    let text = scratch.read("baudgate.yaml")
      .replacingOccurrences(of: "fan: {line: 2", with: "fan: {line: 1")
    try scratch.write(text, to: "twice.yaml")
    let check = try DaemonProcess.run(["\(DaemonProcess.directory)/baudgate", "check", scratch.file("twice.yaml")])
    #expect(check.status == 78)
    #expect(check.errors.contains("twice.yaml:") && check.errors.contains("is already"), "\(check.errors)")
    #expect(check.errors.contains("gpio.lines.fan is line 1 of"), "\(check.errors)")
    await gateway.end()
  }
}
