import EventLoop
import Synchronization
import Telemetry
import Testing

@testable import Gateway

@Suite struct RemoteConfigurationRecordTests {
  private static let overlay = JSON.object([.init("upload", .object([.init("interval", .string("5s"))]))])
  private static let other = JSON.object([.init("log", .object([.init("level", .string("debug"))]))])

  /// Every state a record can be in.
  private static var records: [RemoteConfigurationRecord] {
    var trial = RemoteConfigurationRecord()
    trial.begin(overlay)
    var applied = trial
    applied.confirm()
    var second = applied
    second.begin(other)
    var rolledBack = second
    rolledBack.rollBack("no server")
    var refused = applied
    refused.refuse(other, "wrong\nin two places")
    return [RemoteConfigurationRecord(), trial, applied, second, rolledBack, refused]
  }

  @Test(arguments: records) func whatIsWrittenIsReadBack(_ record: RemoteConfigurationRecord) throws {
    #expect(try RemoteConfigurationRecord(parsing: record.bytes) == record)
  }

  @Test(arguments: records) func aFileCutAnywhereIsDamaged(_ record: RemoteConfigurationRecord) {
    for count in 0..<record.bytes.count {
      #expect(throws: RemoteConfigurationRecord.ParsingError.self) {
        try RemoteConfigurationRecord(parsing: Array(record.bytes.prefix(count)))
      }
    }
  }

  @Test func whatIsTakenBackLeavesTheGoodOneInUse() {
    let rolledBack = Self.records[4]
    #expect(rolledBack.current == Self.overlay)
    #expect(rolledBack.refused == Self.other)
    #expect(rolledBack.state == .rolledBack)
  }
}

@Suite struct RemoteConfigurationTests {
  /// What the owner of a remote configuration was asked to do.
  private final class Owner: Sendable {
    private struct Notes {
      var applied: [JSON?] = []
      var reported: [String] = []
      var errors: [String] = []
    }
    private let notes = Mutex(Notes())
    let applied = Tally()
    let reports = Tally()
    var uses: [JSON?] { notes.withLock { $0.applied } }
    var states: [String] { notes.withLock { $0.reported } }
    func refuseAll(_ errors: [String]) { notes.withLock { $0.errors = errors } }

    var actions: RemoteConfiguration.Actions {
      RemoteConfiguration.Actions(
        check: { _ in self.notes.withLock { $0.errors } },
        apply: { overlay in
          self.notes.withLock { $0.applied.append(overlay) }
          self.applied.add()
          return []
        },
        publish: { readings in
          let state = readings.first { $0.key.name == RemoteConfiguration.stateKey }?.value
          if case .string(let word) = state { self.notes.withLock { $0.reported.append(word) } }
          self.reports.add()
        })
    }
  }

  private static func overlay(_ number: Int) -> JSON {
    .object([.init("upload", .object([.init("max_batch", .integer(Int64(number)))]))])
  }

  private static func run(
    trialTime: Duration = .seconds(3600), _ record: RemoteConfigurationRecord = RemoteConfigurationRecord(),
    _ body: @escaping @Sendable (RemoteConfiguration, Owner, String) async throws -> Void
  ) throws {
    try CallRig.inDirectory { directory in
      try CallRig.run { loop in
        let owner = Owner()
        let remote = RemoteConfiguration(
          on: loop, directory: directory, record, disk: BlockingPool(name: "disk", threads: 1), trialTime: trialTime,
          log: LogLines().logger, actions: owner.actions)
        try await body(remote, owner, directory)
        await remote.stop()
      }
    }
  }

  private static func kept(_ directory: String) throws -> RemoteConfigurationRecord {
    let file = DurableFile(directory: directory, name: RemoteConfigurationRecord.name)
    let bytes = try #require(try file.read(atMost: RemoteConfigurationRecord.sizeLimit))
    return try RemoteConfigurationRecord(parsing: bytes)
  }

  @Test func oneThatIsValidIsUsedAndProvedByTheFirstDelivery() throws {
    try Self.run { (remote, owner, directory) async throws in
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(1)
      #expect(owner.uses == [Self.overlay(1)])
      #expect(try Self.kept(directory).state == .trial)
      // A request that began before the overlay was in use proves nothing.
      remote.delivered(.zero)
      await CallRig.settle()
      #expect(await remote.record.state == .trial)
      remote.delivered(Uptime.monotonic)
      await owner.reports.reaches(2)
      #expect(owner.states == ["trial", "applied"])
      #expect(try Self.kept(directory).good == Self.overlay(1))
    }
  }

  @Test func oneThatIsNotProvedInTimeIsTakenBackAndNotTriedAgain() throws {
    try Self.run(trialTime: .milliseconds(20)) { (remote, owner, directory) async throws in
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(2)
      #expect(owner.states == ["trial", "rolled_back"])
      #expect(owner.uses == [Self.overlay(1), nil])
      #expect(try Self.kept(directory).refused == Self.overlay(1))
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(3)
      #expect(owner.uses.count == 2, "the same again")
      await remote.serverSet(Self.overlay(2))
      await owner.applied.reaches(3)
      #expect(owner.uses.last == Self.overlay(2), "another one")
    }
  }

  @Test func oneWithErrorsIsNeverUsed() throws {
    try Self.run { (remote, owner, directory) async throws in
      owner.refuseAll(["attribute baudgate, upload: wrong"])
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(1)
      #expect(owner.uses.isEmpty)
      #expect(owner.states == ["refused"])
      let kept = try Self.kept(directory)
      #expect(kept.error == "attribute baudgate, upload: wrong")
      // What was good stays in use.
      owner.refuseAll([])
      await remote.serverSet(Self.overlay(2))
      await owner.reports.reaches(2)
      remote.delivered(Uptime.monotonic)
      await owner.reports.reaches(3)
      owner.refuseAll(["no"])
      await remote.serverSet(Self.overlay(3))
      await owner.reports.reaches(4)
      #expect(await remote.record.current == Self.overlay(2))
      #expect(owner.uses == [Self.overlay(2)])
      // And back to it: nothing is used anew.
      await remote.serverSet(Self.overlay(2))
      await owner.reports.reaches(5)
      #expect(owner.states.last == "applied")
      #expect(owner.uses == [Self.overlay(2)])
    }
  }

  @Test func withdrawnTheFileAloneCounts() throws {
    try Self.run { (remote, owner, directory) async throws in
      await remote.serverSet(nil)
      await CallRig.settle()
      #expect(owner.states.isEmpty, "there was none")
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(1)
      await remote.serverSet(nil)
      await owner.reports.reaches(2)
      #expect(owner.uses == [Self.overlay(1), nil])
      #expect(try Self.kept(directory) == RemoteConfigurationRecord())
      // The trial of what is gone is over.
      remote.delivered(Uptime.monotonic)
      await CallRig.settle()
      #expect(await remote.record.state == .none)
    }
  }

  @Test func ofWhatComesMeanwhileTheLastCounts() throws {
    try Self.run { (remote, owner, _) async throws in
      await remote.serverSet(Self.overlay(1))
      for number in 2...50 { await remote.serverSet(Self.overlay(number)) }
      while owner.uses.last != Self.overlay(50) { await Task.yield() }
      #expect(owner.uses.count <= 50)
      #expect(await remote.record.current == Self.overlay(50))
    }
  }

  @Test func whatWasOnTrialIsTakenBackAtTheNextStart() throws {
    var record = RemoteConfigurationRecord()
    record.begin(Self.overlay(1))
    record.confirm()
    record.begin(Self.overlay(2))
    try CallRig.inDirectory { directory in
      try DurableFile(directory: directory, name: RemoteConfigurationRecord.name).replace(with: record.bytes)
      let log = LogLines()
      let restored = RemoteConfiguration.restore(directory, log.logger)
      #expect(restored.current == Self.overlay(1))
      #expect(restored.refused == Self.overlay(2))
      #expect(restored.state == .rolledBack)
      #expect(try Self.kept(directory) == restored, "durably, before it is used")
      #expect(log.count(of: "on trial when baudgated ended") == 1)
      // A second start has nothing more to do.
      #expect(RemoteConfiguration.restore(directory, log.logger) == restored)
    }
  }

  @Test(arguments: ["", "{", "[]", "{\"format\":2,\"state\":\"none\",\"error\":\"\"}", "null"])
  func aDamagedFileIsNoConfiguration(_ text: String) throws {
    try CallRig.inDirectory { directory in
      try DurableFile(directory: directory, name: RemoteConfigurationRecord.name).replace(with: Array(text.utf8))
      let log = LogLines()
      #expect(RemoteConfiguration.restore(directory, log.logger) == RemoteConfigurationRecord())
      #expect(log.count(of: "is damaged") == 1)
    }
  }

  @Test func whatCannotBeKeptIsNotUsed() throws {
    try CallRig.run { loop in
      let owner = Owner()
      let remote = RemoteConfiguration(
        on: loop, directory: "/nonexistent/state", RemoteConfigurationRecord(),
        disk: BlockingPool(name: "disk", threads: 1), trialTime: .seconds(60), log: LogLines().logger,
        actions: owner.actions)
      await remote.serverSet(Self.overlay(1))
      await owner.reports.reaches(1)
      #expect(owner.states == ["refused"])
      #expect(owner.uses.isEmpty)
      await remote.stop()
    }
  }
}
