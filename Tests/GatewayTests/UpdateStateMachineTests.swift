import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct UpdateStateMachineTests {
  private static let package = UpdateWorld.package("2.0")
  private static let newer = UpdateWorld.package("3.0")

  /// A world whose server has the package.
  private static func world(
    _ package: UpdateWorld.Package = package, _ change: (inout UpdateStateMachine.Settings) -> Void = { _ in }
  ) -> UpdateWorld {
    var settings = UpdateWorld.settings
    change(&settings)
    var world = UpdateWorld(settings)
    world.packages = [package, newer]
    world.assign(package)
    return world
  }

  private static let whole = ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]

  // MARK: The way

  @Test(arguments: [false, true]) func anAssignmentBecomesARunningVersion(direct: Bool) {
    var world = Self.world { $0.startsInstaller = direct }
    world.run()
    #expect(world.states == Self.whole && world.errors.isEmpty)
    #expect(world.currents == [.current(title: nil, version: "1.0"), .current(title: "fw", version: "2.0")])
    #expect(world.disk.record?.phase == .updated && world.disk.confirmed == world.requests.first?.id)
    #expect(world.fetches == 10 && world.verifications == 1 && world.requests.count == 1)
    #expect(world.lines.contains { $0.contains("% of 950 bytes are downloaded") })
    // The title is known from now on, and nothing is repeated in the same boot.
    world.forget()
    world.kill()
    world.assign(world.assigned)
    world.run()
    #expect(world.states.isEmpty && world.currents == [.current(title: "fw", version: "2.0")])
    #expect(world.requests.count == 1)
    // After a loss of power the last word is said again, once.
    world.reboot()
    world.run()
    world.kill()
    world.run()
    #expect(world.states == ["UPDATED"])
  }

  @Test func whatRunsAlreadyIsUpdatedWithoutADownload() {
    var world = Self.world()
    world.version = "2.0"
    world.run()
    #expect(world.states == ["UPDATED"] && world.fetches == 0 && world.disk.record?.running?.title == "fw")
    // The same version of another title is another package.
    var other = Self.package
    other.assignment.title = "another"
    world.packages.append(other)
    world.assign(other)
    world.run()
    #expect(world.states == ["UPDATED"] + Self.whole)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var words: String
    var change: @Sendable (inout PackageAssignment) -> Void
    init(_ name: String, _ words: String, _ change: @escaping @Sendable (inout PackageAssignment) -> Void) {
      (testDescription, self.words, self.change) = (name, words, change)
    }
  }

  static let refusals = [
    Row("too large", "max_size is 1048576") { $0.size = 1 << 21 },
    Row("no bytes", "upload it again") { $0.size = 0 },
    Row("negative", "upload it again") { $0.size = -5 },
    Row("no checksum", "without fw_checksum") { $0.checksum = nil },
    Row("control characters", "control characters") { $0.title = "fw\u{1B}[2J" },
    Row("endless title", "more than 1024") { $0.title = String(repeating: "x", count: 2000) },
    Row("ftp", "neither https nor http") { $0.url = Secret("ftp://h/p") },
    Row("a path", "neither https nor http") { $0.url = Secret("/etc/shadow") },
    Row("http without a checksum", "use https") {
      ($0.url, $0.checksum, $0.size) = (Secret("http://user:pw@h/p"), nil, nil)
    },
    Row("unknown algorithm", "WHIRLPOOL") { $0.checksumAlgorithm = "WHIRLPOOL" },
  ]

  @Test(arguments: refusals) func refusedBeforeTheFirstByte(_ row: Row) {
    var package = Self.package
    row.change(&package.assignment)
    var world = Self.world(package)
    world.machine = UpdateStateMachine(world.settings) { package, _ in
      package.checksumAlgorithm == "WHIRLPOOL" ? .refused("the algorithm WHIRLPOOL is unknown") : nil
    }
    world.assign(nil)
    world.assign(package)
    world.run()
    #expect(world.states == ["FAILED"] && world.fetches == 0)
    #expect(world.errors.first?.contains(row.words) == true, "\(world.errors)")
    #expect(!world.errors.joined().contains("pw"))
  }

  @Test func anExternalPackageOverHttpsNeedsNoChecksum() {
    var package = Self.package
    (package.assignment.url, package.assignment.checksum) = (Secret("https://h/p"), nil)
    (package.assignment.size, package.assignment.checksumAlgorithm) = (nil, nil)
    var world = Self.world(package)
    world.run()
    #expect(world.states == Self.whole)
    #expect(world.disk.record?.package?.urlMark?.contains("h/p") == false)
  }

  // MARK: Errors of the download

  static let partErrors: [(String, UpdateStateMachine.Event)] = [
    ("empty", .arrived(count: 0, total: nil)), ("short", .arrived(count: 99, total: nil)),
    ("long", .arrived(count: 101, total: nil)), ("another size", .arrived(count: 100, total: 951)),
    ("413", .fetchFailed(DeviceAPIError(.tooLarge, "sent too much"))),
  ]

  @Test(arguments: partErrors) func anOddPartIsAskedForAgainTwice(_ name: String, _ event: UpdateStateMachine.Event) {
    var world = Self.world()
    world.answers = [event, event]
    world.run()
    #expect(world.states == Self.whole)
    world = Self.world()
    world.answers = [event, event, event]
    world.run()
    #expect(world.states == ["DOWNLOADING", "FAILED"] && world.errors.first?.contains("3 times in a row") == true)
  }

  @Test func troubleOnTheWayIsWaitedForAsLongAsItTakes() {
    var world = Self.world()
    let troubles: [DeviceAPIError] = [.down, .unknownToken, DeviceAPIError(.serverError, "failed", status: 500)]
    world.answers = (0..<60).map { .fetchFailed(troubles[$0 % 3]) }
    world.run()
    #expect(world.states == Self.whole && world.waits.count == 61)
    #expect(world.waits.max() ?? .zero <= .seconds(300))
  }

  @Test func anUnsupportedTransportFails() {
    var world = Self.world()
    world.answers = [.fetchFailed(.unsupported)]
    world.run()
    #expect(world.states == ["DOWNLOADING", "FAILED"])
  }

  @Test func aRefusedPackageIsLookedUpAndGivenUpInTheEnd() {
    var world = Self.world(UpdateWorld.package("2.0", .refused))
    world.run()
    #expect(world.states == ["DOWNLOADING", "FAILED"])
    #expect(world.errors.first?.contains("asked 10 times") == true)
  }

  @Test(arguments: [newer, nil]) func aRefusalThatIsAChangeOfTheAssignment(_ next: UpdateWorld.Package?) {
    var world = Self.world()
    world.run { $0.machine.step == .fetch(offset: 400, limit: 100) }
    // The server has changed its mind, and no poll has told.
    world.assigned = next
    world.run()
    #expect(world.requests.count == (next == nil ? 0 : 1))
    #expect(world.states == ["DOWNLOADING"] + (next == nil ? [] : Self.whole))
    #expect(world.disk.record?.phase == (next == nil ? .idle : .updated) && world.disk.written == 0)
  }

  @Test func noRoomIsWaitedForAndTooLittleDiskIsNot() {
    var world = Self.world()
    world.answers = [.noRoom(needed: 20 << 20, .init(free: 5 << 20, capacity: 1 << 30))]
    world.run()
    #expect(world.states == ["DOWNLOADING", "DOWNLOADING"] + Self.whole)
    #expect(world.errors == world.errors.filter { $0.contains("needs 20 MiB more") } && world.errors.count == 1)
    world = Self.world()
    world.answers = [.noRoom(needed: 2 << 30, .init(free: 5 << 20, capacity: 1 << 30))]
    world.run()
    #expect(world.states == ["DOWNLOADING", "FAILED"] && world.errors.first?.contains("1024 MiB in all") == true)
  }

  @Test func aBadChecksumIsThreeDownloads() {
    var world = Self.world(UpdateWorld.package("2.0", .corrupt))
    world.run()
    #expect(world.fetches == 30 && world.verifications == 3 && world.requests.isEmpty)
    #expect(world.states.last == "FAILED" && world.errors.last?.contains("after 3 downloads") == true)
    // Not tried again, whatever is said of it.
    for _ in 0..<3 {
      world.kill()
      world.assign(world.assigned)
      world.run()
    }
    #expect(world.fetches == 30)
    // But when it is withdrawn and assigned anew.
    world.assign(nil)
    world.run()
    world.packages[0].nature = .good
    world.assign(world.packages[0])
    world.run()
    #expect(world.states.suffix(5) == Self.whole[...])
  }

  @Test func aRefusingVerifierEndsItAtOnce() {
    var world = Self.world()
    world.answers = [.objected(.refused("the signature is not the key's"))]
    world.run()
    #expect(world.states == ["DOWNLOADING", "DOWNLOADED", "FAILED"] && world.requests.isEmpty)
  }

  @Test func withAKeyThereIsRoomForTwo() {
    var world = Self.world { $0.publicKey = [1] }
    world.run { if case .prepare = $0.machine.step { true } else { false } }
    #expect(world.machine.step == .prepare(length: 0, size: 950, copies: 2))
  }

  // MARK: Superseding

  /// Every step up to the handover.
  @Test(arguments: 0..<60) func aNewerAssignmentSupersedesAtOnce(step: Int) {
    var world = Self.world()
    for _ in 0..<step where world.requests.isEmpty { world.step() }
    let isHandedOver = !world.requests.isEmpty || world.machine.isInstalling
    world.assign(Self.newer)
    world.run()
    #expect(world.states.suffix(5) == Self.whole[...] && world.version == "3.0")
    #expect(world.requests.count == (isHandedOver ? 2 : 1))
    #expect(world.disk.record?.package?.version == "3.0")
  }

  @Test(arguments: 0..<60) func aWithdrawalDropsWhatIsNotHandedOver(step: Int) {
    var world = Self.world()
    for _ in 0..<step where world.requests.isEmpty { world.step() }
    let isHandedOver = !world.requests.isEmpty || world.machine.isInstalling
    world.assign(nil)
    world.run()
    #expect(world.version == (isHandedOver ? "2.0" : "1.0") && world.requests.count == (isHandedOver ? 1 : 0))
    #expect(world.disk.record?.phase ?? .idle == .idle && world.disk.written == 0)
    // What runs keeps its title.
    if isHandedOver { #expect(world.disk.record?.running == .init(title: "fw", version: "2.0")) }
  }

  @Test func theSameThroughAMomentOfNothingGoesOn() {
    var world = Self.world()
    world.run { $0.machine.step == .fetch(offset: 500, limit: 100) }
    world.assign(nil)
    world.assign(Self.package)
    world.run()
    #expect(world.states == Self.whole)
    // From the last checkpoint.
    #expect(world.fetches == 12)
  }

  // MARK: Installing

  @Test func theInstallersWordsAreTold() {
    var world = Self.world(UpdateWorld.package("2.0", .failsToInstall))
    world.run()
    #expect(world.states == ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "FAILED"])
    #expect(world.errors == ["the command ended with 1: no space for it"])
    world = Self.world(UpdateWorld.package("2.0", .rollsBack))
    world.run()
    #expect(world.errors == ["not confirmed in time"])
  }

  @Test(arguments: [false, true]) func anInstallerThatDoesNotBegin(direct: Bool) {
    var world = Self.world { $0.startsInstaller = direct }
    world.installerWorks = false
    world.run()
    #expect(world.states.last == "FAILED" && world.disk.request == nil)
    #expect(
      world.errors.first?.contains(direct ? "install-package" : "enable --now baudgate-install@firmware.path") == true)
  }

  @Test func anInstallerThatCannotBeStarted() {
    var world = Self.world { $0.startsInstaller = true }
    world.answers = [.installerFailed("no baudgate")]
    world.run()
    #expect(world.errors == ["the installer cannot be started: no baudgate"] && world.disk.request == nil)
  }

  @Test func aVersionThatDoesNotReportItself() {
    var world = Self.world(UpdateWorld.package("2.0", .staysSilent))
    world.run()
    #expect(world.errors == [#"installed, but still reports "1.0" after 15 min"#])
    // With a rollback the installer has time for it, and the last word.
    world = Self.world(UpdateWorld.package("2.0", .staysSilent)) { $0.hasRollback = true }
    world.run { $0.disk.record?.isInstalled == true }
    let installed = world.now
    world.run { $0.now - installed > .seconds(950) }
    world.version = "2.0"
    world.step()
    #expect(world.states.last == "UPDATING", "too late: it is being rolled back")
    world.disk.result = InstallResult(id: world.requests[0].id, state: .rolledBack, error: "rolled back")
    world.run()
    #expect(world.errors == ["rolled back"])
  }

  @Test func theTimeToReportStartsAnewAfterABootAndThreeAreEnough() {
    var world = Self.world(UpdateWorld.package("2.0", .staysSilent))
    world.run { $0.disk.record?.isInstalled == true }
    for boot in 1...3 {
      world.reboot()
      world.assign(world.assigned)
      let began = world.now
      world.run { $0.now - began > .seconds(600) }
      #expect((world.disk.record?.phase == .updating) == (boot < 3), "\(boot)")
    }
    #expect(world.errors == [#"installed, but still reports "1.0" after 3 restarts of the machine"#])
  }

  @Test func aSecondBootWithTheNewVersionIsEnough() {
    var world = Self.world(UpdateWorld.package("2.0", .staysSilent))
    world.run { $0.disk.record?.isInstalled == true }
    world.reboot()
    world.version = "2.0"
    world.run()
    #expect(world.states.last == "UPDATED" && world.requests.count == 1)
  }

  @Test func baudgateStartsItselfAnewOnce() {
    var world = Self.world(UpdateWorld.package("2.0", .staysSilent)) { ($0.isOwn, $0.startsInstaller) = (true, true) }
    world.run { $0.machine.step == .reexecute }
    #expect(world.machine.step == .reexecute && world.disk.record?.isReexecuted == true)
    world.step()
    // The new process.
    world.kill()
    world.run { $0.machine.step == .reexecute }
    #expect(world.machine.step == .rest && world.states.last == "FAILED")
  }

  // MARK: Restarts

  /// Killed after each step in turn, by power or not, and started again.
  @Test(arguments: 0..<80) func aKillAfterEachStep(step: Int) {
    for (isReboot, isDirect) in [(false, false), (true, false), (false, true), (true, true)] {
      var world = Self.world { $0.startsInstaller = isDirect }
      for _ in 0..<step { world.step() }
      world.step(dies: true)
      if isReboot { world.reboot() } else { world.kill() }
      world.assign(world.assigned)
      world.run()
      #expect(world.version == "2.0" && world.requests.count == 1 && world.disk.record?.phase == .updated)
      #expect(world.verifications <= 2 && world.states.last == "UPDATED")
      // A checkpoint is three parts.
      #expect(world.fetches <= 14)
    }
  }

  @Test func nothingIsFetchedBeforeTheServerHasSaidWhatIsAssigned() {
    var world = Self.world()
    world.run { $0.machine.step == .fetch(offset: 500, limit: 100) }
    world.kill()
    world.run()
    #expect(world.machine.step == .rest && world.machine.record.bytes == 300)
    world.assign(nil)
    world.run()
    #expect(world.disk.record?.phase == .idle && world.disk.written == 0)
  }
}
