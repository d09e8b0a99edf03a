import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// A board with its disk, its server and its installer around one `UpdateStateMachine`: what the steps ask for happens
/// here, without a thread or a clock. What it must never be asked for is checked as it is asked.
struct UpdateWorld {
  /// How a package behaves.
  enum Nature: CaseIterable {
    case good, corrupt, shortPart, refused, failsToInstall, rollsBack, staysSilent
  }

  struct Package {
    var assignment: PackageAssignment
    var size: Int64
    var nature: Nature
  }

  struct Disk {
    var record: UpdateRecord?
    var request: InstallRequest?
    var result: InstallResult?
    var confirmed: String?
    /// The package file: whose bytes they are, and how many, of which the durable ones survive a reboot.
    var owner: UpdatePackage?
    var written: Int64 = 0
    var durable: Int64 = 0
  }

  static let settings = UpdateStateMachine.Settings(
    kind: .firmware, chunkSize: 100, maxSize: 1 << 20, timeLimit: .seconds(600), confirmWithin: .seconds(900),
    hasRollback: false, publicKey: nil, isOwn: false, startsInstaller: false, boot: "boot-0",
    timing: UpdateTiming(checkpoint: 300))

  var settings: UpdateStateMachine.Settings
  var machine: UpdateStateMachine
  var generator: SplitMix
  var disk = Disk()
  var now = Duration.seconds(100)
  var boots = 0
  var version: String? = "1.0"

  /// What the server has.
  var packages: [Package] = []
  var assigned: Package?
  /// How often the assignment has changed.
  var issue = 0

  // The installer: it works on a request once, by its own record.
  var installerWorks = true
  private var installed: Set<String> = []
  /// Looks until it has done what it does next.
  private var pending = 0

  // What was seen.
  private(set) var states: [String] = []
  private(set) var errors: [String] = []
  private(set) var lines: [String] = []
  private(set) var currents: [UpdateStateMachine.Told] = []
  private(set) var verifications = 0
  private(set) var requests: [(id: String, issue: Int)] = []
  private(set) var fetches = 0
  private(set) var waits: [Duration] = []
  private(set) var isReexecuted = false
  private var isVerified = false
  private var arrived: Int64 = 0

  /// Overrides an answer, once.
  var answers: [UpdateStateMachine.Event] = []

  init(seed: UInt64 = 1, _ settings: UpdateStateMachine.Settings = Self.settings) {
    self.settings = settings
    generator = SplitMix(seed: seed)
    machine = UpdateStateMachine(settings)
  }

  static func package(_ version: String, size: Int64 = 950, _ nature: Nature = .good) -> Package {
    var assignment = PackageAssignment(kind: .firmware, title: "fw", version: version)
    assignment.size = size
    assignment.checksum = "sum-\(version)"
    assignment.checksumAlgorithm = "SHA256"
    return Package(assignment: assignment, size: size, nature: nature)
  }

  // MARK: What happens to it

  mutating func assign(_ package: Package?) {
    // Between the decision and the writing there is no moment in which anything could be heard.
    if case .request = machine.step { step() }
    if package?.assignment != assigned?.assignment { issue += 1 }
    assigned = package
    machine.assign(package?.assignment)
    gather()
  }

  /// Everything but the disk is gone; the server says what is assigned a little later.
  mutating func kill() {
    machine = UpdateStateMachine(settings)
  }

  mutating func reboot() {
    boots += 1
    settings.boot = "boot-\(boots)"
    now = .seconds(10)
    disk.written = min(disk.written, disk.durable)
    kill()
  }

  /// Does one step.
  ///
  /// - Parameter dies: Whether the process ends before it hears of what came of it.
  mutating func step(dies: Bool = false) {
    let step = machine.step
    let event = perform(step)
    if dies { return }
    if let event { machine.handle(event, at: now, using: &generator) }
    gather()
  }

  /// Goes on until the machine rests or `isThere`.
  mutating func run(until isThere: (UpdateWorld) -> Bool = { _ in false }) {
    for _ in 0..<5000 {
      if machine.step == .rest || isThere(self) { return }
      step()
    }
    Issue.record("it comes to no end: \(machine.state)")
  }

  private mutating func gather() {
    for told in machine.takeTold() {
      switch told {
      case .state(let state, let error):
        states.append(state.rawValue)
        if let error, !error.isEmpty { errors.append(error) }
      case .current: currents.append(told)
      case .line(_, let words): lines.append(words)
      case .trouble(let words, _): lines.append(words)
      }
    }
  }

  mutating func forget() { (states, errors, lines, currents) = ([], [], [], []) }

  // MARK: What it is asked for

  private mutating func perform(_ step: UpdateStateMachine.Step) -> UpdateStateMachine.Event? {
    now += .milliseconds(5)
    if let answer = answers.first, matches(step, answer) { return answers.removeFirst() }
    switch step {
    case .load: return .loaded(disk.record)
    case .readVersion: return .versionRead(version)
    case .save(let record):
      // What the record claims is true.
      if record.phase == .downloading { #expect(record.bytes <= disk.durable || record.bytes == 0) }
      #expect(UpdateRecord(parsing: record.bytesOfFile) == record, "what is written is read")
      if record.phase == .downloaded { #expect(disk.durable >= record.bytes && disk.owner == record.package) }
      if record.phase == .verified || record.phase == .updating { #expect(isVerified && disk.owner == record.package) }
      disk.record = record
      return .saved
    case .prepare(let length, _, _):
      if disk.owner != machine.package || length == 0 {
        #expect(length == 0, "bytes of another package are not kept")
        (disk.owner, disk.written, disk.durable, isVerified) = (machine.package, 0, 0, false)
      }
      disk.written = min(disk.written, length)
      disk.durable = min(disk.durable, disk.written)
      return .prepared(disk.written)
    case .fetch(let offset, let limit): return fetch(offset, limit)
    case .append(let offset):
      #expect(offset == disk.written)
      disk.written = offset + arrived
      return .appended
    case .synchronize:
      disk.durable = disk.written
      return .synchronized(disk.written)
    case .verify(let package, let size):
      verifications += 1
      #expect(disk.record?.phase == .downloaded, "verified again though the record says so already")
      guard disk.written == size, disk.owner == package, nature(of: package) != .corrupt else {
        return .objected(.damaged("the checksum is another"))
      }
      isVerified = true
      return .verified
    case .request(let request): return ask(request)
    case .startInstaller:
      install()
      return .installerStarted
    case .look(let delay):
      now += delay
      if !settings.startsInstaller || disk.result?.state == .installing { install() }
      return .looked(.init(request: disk.request?.id, result: disk.result), version: version)
    case .withdraw:
      disk.request = nil
      return .withdrawn(.init(request: nil, result: disk.result))
    case .confirm(let id):
      #expect(version == machine.package.version && disk.result?.state == .installed)
      disk.confirmed = id
      return .confirmed
    case .reexecute:
      isReexecuted = true
      return nil
    case .cleanUp:
      (disk.request, disk.result) = (nil, nil)
      (disk.owner, disk.written, disk.durable) = (nil, 0, 0)
      return .cleanedUp
    case .readAssignment:
      machine.assign(assigned?.assignment)
      return .attributesRead
    case .wait(let delay):
      waits.append(delay)
      now += delay
      return .rested
    case .rest: return nil
    }
  }

  private func matches(_ step: UpdateStateMachine.Step, _ event: UpdateStateMachine.Event) -> Bool {
    switch (step, event) {
    case (.fetch, .arrived), (.fetch, .fetchFailed), (.fetch, .begunAnew), (.prepare, .noRoom), (.append, .noRoom),
      (.save, .diskFailed),
      (.verify, .objected), (.startInstaller, .installerFailed), (.request, .diskFailed), (.synchronize, .synchronized),
      (.load, .diskFailed):
      true
    default: false
    }
  }

  private func nature(of package: UpdatePackage) -> Nature {
    packages.last { UpdatePackage($0.assignment).isSame(as: package) }?.nature ?? .good
  }

  private mutating func fetch(_ offset: Int64, _ limit: Int) -> UpdateStateMachine.Event {
    fetches += 1
    let package = machine.package
    guard let assigned, UpdatePackage(assigned.assignment).isSame(as: package) else {
      let isAnother = assigned != nil
      return .fetchFailed(
        DeviceAPIError(isAnother ? .poison : .notFound, "refuses the request", status: isAnother ? 400 : 404))
    }
    let count = Int(min(Int64(limit), assigned.size - offset))
    switch assigned.nature {
    case .shortPart where offset > 200: return .arrived(count: count / 2, total: nil)
    case .refused where offset > 200: return .fetchFailed(DeviceAPIError(.notFound, "has no package", status: 404))
    default:
      arrived = Int64(count)
      return .arrived(count: count, total: nil)
    }
  }

  private mutating func ask(_ request: InstallRequest) -> UpdateStateMachine.Event {
    #expect(isVerified && disk.owner == request.package && disk.written == request.size, "not before it is verified")
    #expect(disk.record?.phase == .updating && disk.record?.id == request.id, "the record knows of it")
    if disk.request?.id != request.id {
      // The one that is assigned as far as the machine was told.
      #expect(machine.wanted.map { UpdatePackage($0) }?.isSame(as: request.package) == true, "it is superseded")
      requests.append((request.id, issue))
    }
    disk.request = request
    return .requested
  }

  /// The installer has a look: installing, then installed or not.
  private mutating func install() {
    guard installerWorks, let request = disk.request else { return }
    if installed.contains(request.id) {
      if disk.result?.id == request.id, disk.result?.state == .installing, pending == 0 { finish(request) }
      pending = max(0, pending - 1)
      return
    }
    installed.insert(request.id)
    disk.result = InstallResult(id: request.id, state: .installing)
    pending = Int.random(in: 1...3, using: &generator)
  }

  private mutating func finish(_ request: InstallRequest) {
    switch nature(of: request.package) {
    case .failsToInstall:
      disk.result = InstallResult(
        id: request.id, state: .failed, error: "the command ended with 1", output: "unpacking\nno space for it\n\n")
    case .rollsBack:
      disk.result = InstallResult(id: request.id, state: .rolledBack, error: "not confirmed in time")
    case .staysSilent: disk.result = InstallResult(id: request.id, state: .installed)
    case .good, .corrupt, .shortPart, .refused:
      disk.result = InstallResult(id: request.id, state: .installed)
      version = request.package.version
    }
  }
}
