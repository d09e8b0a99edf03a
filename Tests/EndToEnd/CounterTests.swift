import Foundation
import Simulator
import Testing

/// Pulses at a simulated chip's lines: counted exactly, through kills, restarts, reloads and power cuts.
@Suite(.serialized) struct CounterTests {
  private static let token = GatewayUnderTest.token

  /// Line 1 counts each change, so that a test can wait for each; line 2 is an energy meter.
  private static func file(
    _ url: String, _ scratch: Scratch, interval: String = "100ms", every: Int = 100, more: String = ""
  ) -> String {
    """
    server: {url: \(url)}
    device: {token: \(token)}
    state_directory: \(scratch.file("state"))
    upload: {interval: 100ms}
    gpio:
      chip: simulated:\(scratch.file("chip"))
      lines:
        clicks:
          {line: 1, direction: counter, edge: both, interval: \(interval), rate: second, persist_every: \(every),
           persist_after: 1d}
        energy:
          {line: 2, direction: counter, edge: falling, interval: 100ms, scale: 0.001, initial_total: 1234.5, units: kWh}
    \(more)
    """
  }

  private final class Pulses: @unchecked Sendable {
    // @unchecked: each test drives its own, one step after the other.
    let gateway: GatewayUnderTest
    let chip: SimulatedChip
    private var level = false

    init(every: Int = 100) async throws {
      gateway = try await GatewayUnderTest { url, scratch in
        CounterTests.file(url, scratch, every: every).replacingOccurrences(
          of: "state_directory: \(scratch.file("state"))\n", with: "")
      }
      chip = try SimulatedChip(gateway.scratch.file("chip"), levels: [1: false, 2: false])
    }

    /// What is in memory, or on the card where there was no pulse since the memory went.
    var counted: Int {
      CountFiles.inMemory(gateway.scratch)["clicks"] ?? CountFiles.onCard(gateway.scratch)?.pulses["clicks"] ?? 0
    }

    func change() throws {
      level.toggle()
      try chip.set(1, level)
    }

    /// Edges, each after the one before was counted.
    func click(_ count: Int) async throws {
      let start = counted
      for number in 1...count {
        try change()
        try await wait(until: start + number)
      }
    }

    func wait(until count: Int) async throws {
      let end = ContinuousClock.now + .seconds(20)
      while counted < count {
        guard ContinuousClock.now < end else {
          throw DaemonProcess.Failure("\(counted) of \(count) edges were counted; the log:\n\(gateway.daemon.log)")
        }
        try await Task.sleep(for: .milliseconds(1))
      }
    }

    func status(_ line: String = "clicks") throws -> [String: Any] {
      (try gateway.daemon.status()["gpio"] as? [String: [String: Any]])?[line] ?? [:]
    }

    func told(_ key: String = "clicks") -> [Double] {
      gateway.server.values(of: key, token: CounterTests.token).compactMap(\.number)
    }

    func isTold(_ count: Int, _ key: String = "clicks") async -> Bool {
      let server = gateway.server
      return await server.wait(upTo: .seconds(20)) {
        server.latest(of: key, token: CounterTests.token)?.number == Double(count)
      }
    }
  }

  @Test func eachPulseIsCountedOnceAndTheServerHasAllKeys() async throws {
    let pulses = try await Pulses()
    let (gateway, server) = (pulses.gateway, pulses.gateway.server)
    try gateway.daemon.start()
    try await pulses.click(30)
    #expect(await pulses.isTold(30), "\(gateway.daemon.log)")
    #expect(pulses.told() == pulses.told().sorted())
    #expect(await server.wait(upTo: .seconds(20)) { (server.latest(of: "clicks_rate")?.number ?? 0) > 0 })
    #expect(server.count(of: "clicks_pulses") == 0, "the bare count has no second key")
    for number in 1...5 {
      try pulses.chip.set(2, true)
      #expect(try await eventually { try pulses.status("energy")["changes"] as? Int == 2 * number - 1 })
      try pulses.chip.set(2, false)
      #expect(try await eventually { try pulses.status("energy")["pulses"] as? Int == number })
    }
    #expect(await server.wait(upTo: .seconds(20)) { server.latest(of: "energy_pulses")?.number == 5 })
    #expect(server.latest(of: "energy")?.number == 1234.505)
    // Pulses a second × 3600 × 0.001 kWh: some 10 a second here.
    #expect(await server.wait(upTo: .seconds(20)) { (server.latest(of: "energy_rate")?.number ?? 0) > 0.1 })
    let status = try pulses.status("energy")
    #expect(status["total"] as? Double == 1234.505)
    #expect(status["units"] as? String == "kWh")
    #expect(status["missed"] as? Int == 0)
    #expect(await gateway.ask("readNow", #"{"sensor":"clicks"}"#)?.contains(#""clicks":30"#) == true)
    #expect(await gateway.ask("getGpio", #"{"pin":"clicks"}"#)?.contains("unavailable") == true)
    await gateway.end()
  }

  /// kill -9 while edges come: what was counted stays counted, through restarts, reloads and stops.
  @Test func nothingThatWasCountedIsLostWithTheProcess() async throws {
    let pulses = try await Pulses()
    let (gateway, scratch) = (pulses.gateway, pulses.gateway.scratch)
    try gateway.daemon.start()
    for _ in 0..<4 {
      try await pulses.click(10)
      // In the middle of one.
      try pulses.change()
      try await Task.sleep(for: SimulatedChip.settling * Double.random(in: 0...2))
      gateway.daemon.kill()
      let counted = pulses.counted
      try gateway.daemon.start()
      #expect(try pulses.status()["pulses"] as? Int == counted, "\(gateway.daemon.log)")
      #expect(await pulses.isTold(counted), "the count is told from the start; the log:\n\(gateway.daemon.log)")
    }
    #expect(pulses.counted >= 40)
    #expect(pulses.told() == pulses.told().sorted(), "the count went back at the server")
    #expect(!gateway.daemon.log.contains("missing"), "\(gateway.daemon.log)")
    // Another interval, and another total for the energy.
    let before = pulses.counted
    let text = Self.file(gateway.server.url, scratch, interval: "200ms")
      .replacingOccurrences(of: "1234.5", with: "2000")
    try scratch.write(text, to: "baudgate.yaml")
    let reloaded = try await gateway.baudgate("reload")
    #expect(reloaded.status == 0, "\(reloaded.errors)")
    try await pulses.click(3)
    #expect(try pulses.status()["pulses"] as? Int == before + 3)
    #expect(try pulses.status("energy")["total"] as? Double == 2000)
    // A stop in order: the card has all, and without the memory nothing is missing.
    #expect(gateway.daemon.terminate() == 0)
    let card = try #require(CountFiles.onCard(scratch))
    #expect(card.isClean)
    #expect(card.pulses["clicks"] == before + 3)
    #expect(pulses.told().last == Double(before + 3), "what was new at the stop was delivered")
    try FileManager.default.removeItem(atPath: scratch.file("run/hot"))
    try gateway.daemon.start()
    #expect(try pulses.status()["pulses"] as? Int == before + 3)
    #expect(!gateway.daemon.log.contains("missing"), "\(gateway.daemon.log)")
    await gateway.end()
  }

  /// The memory goes with the process: at most `persist_every` pulses do as well, and the log says so.
  @Test func aPowerCutCostsWhatTheFileAllows() async throws {
    let every = 60
    let pulses = try await Pulses(every: every)
    let (gateway, scratch) = (pulses.gateway, pulses.gateway.scratch)
    try gateway.daemon.start()
    try await pulses.click(80)
    gateway.daemon.kill()
    let card = try #require(CountFiles.onCard(scratch))
    #expect(!card.isClean)
    try FileManager.default.removeItem(atPath: scratch.file("run/hot"))
    try gateway.daemon.start()
    let left = try #require(try pulses.status()["pulses"] as? Int)
    #expect((80 - every...80).contains(left), "\(left) of 80 are left")
    #expect(left == card.pulses["clicks"])
    let words =
      "clicks: the power was cut, so up to \(every) pulses may be missing (`persist_every`); the count goes on at \(left)"
    #expect(gateway.daemon.log.contains(words), "\(gateway.daemon.log)")
    #expect(!gateway.daemon.log.contains("energy: the power was cut"), "it had counted nothing")
    // Told once.
    gateway.daemon.kill()
    try gateway.daemon.start()
    #expect(gateway.daemon.log.components(separatedBy: words).count == 2)
    try await pulses.click(1)
    #expect(pulses.counted == left + 1)
    await gateway.end()
  }

  /// Ended before and after each write and sync of the card's file: the next start has every pulse, from memory, and
  /// without the memory a whole image.
  @Test(arguments: [false, true]) func aKillAtEachWriteOfTheCardLeavesAWholeFile(isAfter: Bool) async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    var killed = 0
    for step in 1...20 {
      let kill = Interposer.Kill(step: step, isAfter: isAfter)
      let pulses = try await Pulses(every: 2)
      let gateway = pulses.gateway
      gateway.daemon.environment = kill.environment(library, match: "state/counters")
      try gateway.daemon.launch()
      _ = gateway.daemon.waitFor("READY=1")
      // The first pulse is written at once.
      try pulses.change()
      let isOver = try await eventually {
        !gateway.daemon.isRunning || CountFiles.onCard(gateway.scratch)?.pulses["clicks"] == 1
      }
      #expect(isOver, "\(kill): \(gateway.daemon.log)")
      let wasKilled = try await eventually(within: .milliseconds(300)) { !gateway.daemon.isRunning }
      gateway.daemon.kill()
      let counted = pulses.counted
      let hasMemory = step.isMultiple(of: 2)
      if !hasMemory { try FileManager.default.removeItem(atPath: gateway.scratch.file("run/hot")) }
      gateway.daemon.environment = [:]
      try gateway.daemon.start()
      let left = try pulses.status()["pulses"] as? Int ?? -1
      #expect(hasMemory ? left == counted : (0...counted).contains(left), "\(kill): \(left) of \(counted)")
      #expect(!gateway.daemon.log.contains("damaged"), "\(kill): \(gateway.daemon.log)")
      await gateway.end()
      guard wasKilled else { break }
      killed += 1
    }
    #expect((2..<20).contains(killed), "\(killed) steps")
  }

  /// The chip goes and comes back, as a USB expander does; the daemon goes on, and so does the count.
  @Test func aChipThatVanishesTakesNoCountAlong() async throws {
    let pulses = try await Pulses()
    let (gateway, chip) = (pulses.gateway, pulses.chip)
    try gateway.daemon.start()
    try await pulses.click(4)
    try chip.remove()
    #expect(try await eventually { gateway.daemon.log.contains("\(chip.path) was removed or renamed") })
    #expect(try pulses.status()["pulses"] as? Int == 4)
    #expect(try pulses.status()["last_error"] != nil)
    try chip.make([1: false, 2: false])
    #expect(
      try await eventually {
        let isBack = try pulses.status()["last_error"] == nil
        return isBack && gateway.daemon.log.contains("is not in the count, which goes on from where it was")
      }, "\(gateway.daemon.log)")
    try await pulses.click(2)
    #expect(await pulses.isTold(6))
    #expect(gateway.daemon.terminate() == 0)
    await gateway.end()
  }
}
