import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// The machine under random assignments, kills, reboots, a disk and a link that fail: what is asked for is checked in
/// `UpdateWorld`; here, that each assignment is handed over at most once and comes to the right end.
@Suite struct UpdateModelTests {
  @Test(arguments: 0..<40) func handedOverAtMostOnceAndRightInTheEnd(seed: Int) {
    var settings = UpdateWorld.settings
    settings.startsInstaller = seed % 2 == 1
    var world = UpdateWorld(seed: UInt64(seed), settings)
    world.packages = (2...8).map { number in
      let nature = UpdateWorld.Nature.allCases[(number + seed) % UpdateWorld.Nature.allCases.count]
      return UpdateWorld.package("\(number).0", size: Int64(number * 137 + 300), nature)
    }
    var random = SplitMix(seed: UInt64(seed) &+ 77)
    for _ in 0..<1500 {
      switch Int.random(in: 0..<1000, using: &random) {
      case ..<12: world.assign(world.packages.randomElement(using: &random))
      case ..<15: world.assign(nil)
      case ..<35:
        world.step(dies: true)
        if Bool.random(using: &random) { world.reboot() } else { world.kill() }
        say(to: &world)
      case ..<60:
        world.answers = [
          [
            .fetchFailed(.down), .begunAnew, .diskFailed("full"), .synchronized(0),
            .noRoom(needed: 10, .init(free: 5, capacity: 1 << 30)), .arrived(count: 7, total: nil),
          ].randomElement(using: &random) ?? .rested
        ]
      default: world.step()
      }
    }
    world.answers = []
    say(to: &world)
    world.run()
    check(world)
  }

  /// The attributes are read some time after a start.
  private func say(to world: inout UpdateWorld) {
    for _ in 0..<Int.random(in: 0...3, using: &world.generator) { world.step() }
    world.assign(world.assigned)
  }

  private func check(_ world: UpdateWorld) {
    let perIssue = Dictionary(grouping: world.requests, by: \.issue).mapValues { Set($0.map(\.id)).count }
    #expect(perIssue.values.allSatisfy { $0 == 1 }, "\(world.requests)")
    let record = world.disk.record
    guard let assigned = world.assigned else {
      #expect(record?.phase ?? .idle == .idle)
      return
    }
    #expect(record?.package.map { $0.isSame(as: UpdatePackage(assigned.assignment)) } == true)
    let runs = world.version == assigned.assignment.version
    switch assigned.nature {
    case .good: #expect(record?.phase == .updated && runs, "\(String(describing: record)) \(world.errors)")
    case .corrupt, .shortPart, .refused, .failsToInstall, .rollsBack, .staysSilent:
      #expect(record?.phase == .failed && record?.error != nil && !runs, "\(assigned.nature) \(world.states.suffix(9))")
    }
    #expect(world.disk.request == nil && world.disk.written == 0)
  }
}
