import Configuration
import EventLoop
import Foundation
import Hardware
import Synchronization
import Telemetry
import Testing
import YAML

@testable import Gateway

/// Outputs without a daemon, and without a server.
@Suite struct OutputSafetyTests {
  private static func configuration(_ directory: String, _ gpio: String) throws -> GatewayConfiguration {
    let text = """
      server: {url: "http://127.0.0.1:1"}
      device: {token: A1_TEST_TOKEN}
      state_directory: \(directory)/state
      gpio: {chip: "simulated:\(directory)", lines: {\(gpio)}}
      """
    return try GatewayConfiguration.load(Array(text.utf8), file: "f", in: Surroundings()).get()
  }

  private static func level(_ directory: String, _ offset: Int) -> String? {
    FileManager.default.contents(atPath: "\(directory)/line\(offset)").map { String(decoding: $0, as: UTF8.self) }
  }

  // MARK: baudgate safe

  @Test func outputsAreDrivenWithoutADaemon() throws {
    try CallRig.inDirectory { directory in
      try CallRig.plant(["/line1": "1", "/line2": "1"], below: directory)
      let configuration = try Self.configuration(
        directory, "pump: {line: 1, direction: output}, fan: {line: 2, direction: output, safe: hold}")
      // Nor is a state directory needed.
      let outcome = SafeRun.perform(configuration, used: nil)
      #expect(
        outcome
          == .done([
            SafeOutcome(line: "pump", safe: .off, result: .driven),
            SafeOutcome(line: "fan", safe: .hold, result: .held),
          ]))
      #expect(Self.level(directory, 1) == "0")
      #expect(Self.level(directory, 2) == "1")
    }
  }

  @Test func aDaemonThatLivesIsLeftAlone() throws {
    try CallRig.inDirectory { directory in
      try CallRig.plant(["/line1": "1", "/state/x": ""], below: directory)
      let configuration = try Self.configuration(directory, "pump: {line: 1, direction: output}")
      let lock = try StateLock(configuration.stateDirectory)
      guard case .daemonLives(let pid) = SafeRun.perform(configuration, used: nil) else {
        Issue.record("it was not refused")
        return
      }
      // A container may hide /proc/locks.
      #expect(pid == nil || pid == getpid())
      #expect(Self.level(directory, 1) == "1")
      _ = consume lock
      #expect(SafeRun.perform(configuration, used: nil) != .daemonLives(pid: nil))
      #expect(Self.level(directory, 1) == "0")
    }
  }

  @Test func whatTheDaemonHeldBeforeTheFileWasEditedIsDrivenToo() throws {
    try CallRig.inDirectory { directory in
      try CallRig.plant(["/line1": "1", "/line2": "1", "/line3": "1", "/line4": "1"], below: directory)
      let used = try Self.configuration(
        directory,
        "pump: {line: 1, direction: output}, fan: {line: 3, direction: output}, bell: {line: 4, direction: output}")
      let now = try Self.configuration(
        directory,
        "pump: {line: 2, direction: output}, fan: {line: 3, direction: output, safe: hold}, bell: {line: 4, direction: input}"
      )
      guard case .done(let outcomes) = SafeRun.perform(now, used: used) else {
        Issue.record("it was refused")
        return
      }
      #expect(outcomes.map(\.line) == ["pump", "fan", "pump (before)"])
      #expect(
        (1...4).map { Self.level(directory, $0) } == ["0", "0", "1", "1"], "the file's word counts where it has one")
    }
  }

  @Test func interlocksOfBothCount() {
    let chip = GPIOChipReference.simulated("/a")
    func output(_ name: String, _ offset: UInt32) -> GPIOLineOptions {
      GPIOLineOptions(name: name, chip: chip, offset: offset, direction: .output)
    }
    let now = GPIOOptions(
      lines: [output("up", 1), output("down", 2)], interlocks: [GPIOInterlock(["up", "down"])])
    let used = GPIOOptions(
      lines: [output("up", 3), output("down", 4), output("stop", 5)],
      interlocks: [GPIOInterlock(["up", "stop"]), GPIOInterlock(["up", "down"])])
    let both = now.adding(used)
    #expect(both.lines.map(\.name) == ["up", "down", "up (before)", "down (before)", "stop"])
    #expect(
      both.interlocks == [GPIOInterlock(["up", "down"]), GPIOInterlock(["up (before)", "stop"])],
      "one that reads alike is not doubled")
  }

  // MARK: safe_after

  @Test func anOutageIsCountedFromItsFirstFailure() throws {
    try CallRig.run { loop in
      let told = Told()
      let clock = Mutex(Duration.seconds(1000))
      let silence = try ServerSilence(
        on: loop, clock: { clock.withLock { $0 } },
        unreached: { duration in
          told.add("\(duration.wholeMilliseconds / 1000)")
          return duration < .seconds(60) ? .seconds(60) : nil
        }, reached: { told.add("back") })
      silence.note(.reached)
      #expect(told.words == [])
      silence.note(.unreached(.unreachable))
      clock.withLock { $0 += .seconds(30) }
      silence.note(.unreached(.certificate))
      #expect(told.words == ["0"], "the first one counts")
      silence.look()
      clock.withLock { $0 += .seconds(30) }
      silence.look()
      #expect(told.words == ["0", "30", "60"])
      silence.note(.reached)
      silence.note(.reached)
      silence.look()
      #expect(told.words == ["0", "30", "60", "back"])
      silence.note(.unreached(.unreachable))
      #expect(told.words.last == "0")
    }
  }

  @Test func theTimeIsUpByItself() throws {
    try CallRig.run { loop in
      let told = Tally()
      let silence = try ServerSilence(
        on: loop,
        unreached: { duration in
          told.add()
          return duration < .milliseconds(5) ? .milliseconds(5) : nil
        }, reached: {})
      silence.note(.unreached(.unreachable))
      await told.reaches(2)
      withExtendedLifetime(silence) {}
    }
  }

  private final class Told: Sendable {
    private let state = Mutex<[String]>([])
    var words: [String] { state.withLock { $0 } }
    func add(_ word: String) { state.withLock { $0.append(word) } }
  }
}
