import Foundation
import Simulator
import Testing

/// The daemon is killed before and after each durable step of an update in turn, and started again: each time the package
/// is the running version in the end, and was installed once.
@Suite(.serialized) struct UpdateKillTests {
  /// More durable steps than an update has.
  private static let mostSteps = 60
  /// How many daemons are at it at once: they mostly wait.
  private static let together = 12

  @Test func aKillAtEachDurableStepInstallsOnce() async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    let kills = (1...Self.mostSteps).flatMap { step in
      [false, true].map { Interposer.Kill(step: step, isAfter: $0) }
    }
    var killed = 0
    var through = 0
    for start in stride(from: 0, to: kills.count, by: Self.together) where through == 0 {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for kill in kills[start..<min(start + Self.together, kills.count)] {
          group.addTask { try await Self.update(kill, library) }
        }
        for try await wasKilled in group {
          killed += wasKilled ? 1 : 0
          through += wasKilled ? 0 : 1
        }
      }
    }
    #expect(through > 0, "the steps have no end")
    #expect(killed >= 30, "the record is replaced eight times, which are more steps than \(killed)")
  }

  /// - Returns: Whether it was killed; not where it has fewer steps.
  private static func update(_ kill: Interposer.Kill, _ library: String) async throws -> Bool {
    let updating = try await UpdatingGateway(environment: kill.environment(library, match: "/updates"))
    let daemon = updating.gateway.daemon
    updating.assign(UpdatingGateway.package("2.0"))
    try daemon.launch()
    let isOver = try await eventually {
      !daemon.isRunning || (updating.states.last == "UPDATED" && !updating.files.contains("firmware.package"))
    }
    #expect(isOver, "\(kill): neither killed nor updated; the log:\n\(updating.log)")
    let wasKilled = !daemon.isRunning
    daemon.kill()
    daemon.environment = [:]
    try daemon.launch()
    let isUpdated = try await eventually {
      (try? updating.status())?["state"] as? String == "updated" && updating.states.last == "UPDATED"
    }
    let steps = updating.gateway.scratch.read("faults/steps").split(separator: "\n").last ?? ""
    #expect(isUpdated, "\(kill), \(steps): \(updating.states) \(updating.error)\n\(updating.log)")
    #expect(updating.runs == ["install"], "\(kill), \(steps): \(updating.runs)\n\(updating.log)")
    #expect(updating.version == "2.0", "\(kill), \(steps)")
    // What the record says is verified is not verified again.
    let verified = updating.states.filter { $0 == "VERIFIED" }.count
    #expect((1...2).contains(verified), "\(kill), \(steps): \(updating.states)")
    let first = updating.states.firstIndex(of: "UPDATING") ?? 0
    #expect(!updating.states[first...].contains("DOWNLOADING"), "\(kill), \(steps): \(updating.states)")
    let installed = FileManager.default.contents(atPath: updating.gateway.scratch.file("installed"))
    #expect(installed == Data(UpdatingGateway.content("2.0")), "\(kill), \(steps)")
    await updating.end()
    return wasKilled
  }
}
