import Configuration
import EventLoop
import Foundation
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// One board's directory with its server and installer; each `updater` is a start of the daemon. @unchecked: what is not
/// behind the mutex is used on the loop alone.
final class UpdateSite: @unchecked Sendable {
  struct Seen {
    var readings: [(key: String, text: String)] = []
    var verifications = 0
    var installs: [String] = []
    var isDead = false
    /// Durable steps until the process dies.
    var stepsToLive: Int?
    var reexecutions = 0
  }

  static let pool = BlockingPool(name: "update-tests", threads: 1)
  /// Everything at once, but for pauses after errors.
  static let timing = UpdateTiming(
    settle: .microseconds(1), look: .microseconds(200), room: .microseconds(1), checkpoint: 4096)

  let loop: EventLoop
  let directory: String
  let server: PackageServer
  let log = LogLines()
  let seen = Mutex(Seen())
  var options = PackageOptions(install: ["/bin/true"])
  var boot = "boot-0"
  var isDirect = true
  var space = PackageFile.Space(free: 1 << 40, capacity: 1 << 40)
  var verdict: PackageObjection?
  /// What the installer reports.
  var outcome = InstallResult.State.installed
  var pace = CallRig.hasty

  init(_ loop: EventLoop, _ directory: String) throws {
    self.loop = loop
    self.directory = directory
    server = PackageServer()
    options.versionFile = directory + "/version"
    options.chunkSize = 1024
    try Data("1.0\n".utf8).write(to: URL(fileURLWithPath: directory + "/version"))
  }

  static func onSite(_ body: @escaping @Sendable (UpdateSite) async throws -> Void) throws {
    try CallRig.inDirectory { directory in
      try CallRig.run { loop in try await body(try UpdateSite(loop, directory)) }
    }
  }

  var files: UpdateFiles {
    let space = self.space
    return UpdateFiles(
      directory: directory + "/updates", kind: .firmware, space: { _ throws(SystemError) in space }
    ) { [self] _ throws(SystemError) in
      let isDead = seen.withLock { seen in
        if let left = seen.stepsToLive {
          seen.stepsToLive = left - 1
          if left <= 0 { seen.isDead = true }
        }
        return seen.isDead
      }
      if isDead { throw SystemError("killed", errno: EIO) }
    }
  }

  func updater(urlSource: @escaping Updater.URLSource = { _ throws(DeviceAPIError) in throw .unsupported }) -> Updater {
    seen.withLock { ($0.isDead, $0.stepsToLive) = (false, nil) }
    let start = InstallerStart.direct { [self] () throws(SystemError) in install() }
    return Updater(
      on: loop, kind: .firmware, options: options, api: server, files: files, pool: Self.pool,
      installer: isDirect ? start : .unit, verifier: Verifier(site: self), urlSource: urlSource, timing: Self.timing,
      pace: pace, boot: boot, log: log.logger,
      report: { [self] readings in
        seen.withLock { seen in
          for reading in readings {
            if case .string(let text) = reading.value { seen.readings.append((reading.key.name, text)) }
          }
        }
      },
      onReexecute: { [self] in seen.withLock { $0.reexecutions += 1 } })
  }

  var states: [String] { seen.withLock { $0.readings.filter { $0.key == "fw_state" }.map(\.text) } }
  var errors: [String] { seen.withLock { $0.readings.filter { $0.key == "fw_error" && !$0.text.isEmpty }.map(\.text) } }
  var isDead: Bool { seen.withLock { $0.isDead } }

  var record: UpdateRecord? {
    FileManager.default.contents(atPath: directory + "/updates/firmware.json").flatMap {
      UpdateRecord(parsing: Array($0))
    }
  }

  var entries: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory + "/updates")) ?? []).sorted()
  }

  /// Waits until there is nothing to do, or the process is dead.
  func idle(_ updater: Updater) async {
    while await !updater.isIdle && !isDead {
      if !isDirect { await Self.pool.run { [self] in install() } }
      await Self.pool.run {}
    }
  }

  /// Starts, says what is assigned, waits, and stops.
  func live(_ updater: Updater) async {
    await updater.start()
    await updater.assignmentMayHaveChanged(values: server.shared)
    await idle(updater)
    await updater.stop()
  }

  /// The installer's process, with a journal of its own: it installs a request once.
  func install() {
    let path = directory + "/updates/firmware."
    guard !isDead, let bytes = FileManager.default.contents(atPath: path + "request"),
      let request = InstallRequest(parsing: Array(bytes))
    else { return }
    let isNew = seen.withLock { seen in
      if seen.installs.contains(request.id) { return false }
      seen.installs.append(request.id)
      return true
    }
    if isNew, outcome == .installed {
      let installed = FileManager.default.contents(atPath: path + "package").map { Array($0) }
      #expect(installed == server.packages[request.package.version])
      try? Data("\(request.package.version)\n".utf8).write(to: URL(fileURLWithPath: directory + "/version"))
    }
    var result = #"{"format":1,"id":"\#(request.id)","state":"\#(outcome.rawValue)""#
    if outcome != .installed { result += #","error":"the command ended with 1","output":"<b>no</b>\nlast words\n""# }
    let file = path + "result"
    try? Data((result + "}").utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
  }

  struct Verifier: PackageVerifier {
    let site: UpdateSite
    func objection(to package: UpdatePackage, publicKey: [UInt8]?) -> PackageObjection? {
      package.checksumAlgorithm == "SHA256" ? nil : .refused("the algorithm is unknown; known are SHA256 and others")
    }
    func verify(path: String, _ package: UpdatePackage, size: Int64, publicKey: [UInt8]?) throws(PackageObjection) {
      if site.isDead { return }
      site.seen.withLock { $0.verifications += 1 }
      #expect(site.record?.phase == .downloaded)
      if let verdict = site.verdict { throw verdict }
      let bytes = FileManager.default.contents(atPath: path).map { Array($0) }
      guard bytes == site.server.packages[package.version], bytes?.count == Int(size) else {
        throw .damaged("the checksum is another")
      }
    }
  }
}

/// Gives packages as ThingsBoard does (contract.md §8); used on one loop alone.
final class PackageServer: DeviceAPI, @unchecked Sendable {
  var packages: [String: [UInt8]] = [:]
  var version: String?
  var size: Int64?
  var algorithm = "SHA256"
  var url: String?
  /// Whether an external package has a checksum and a size.
  var hasSum = false
  private(set) var chunks: [Int] = []
  /// Called before each answer; what it throws is the answer.
  var fault: (Int) async throws(DeviceAPIError) -> [UInt8]? = { _ in nil }
  let asked = Tally()

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {}
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }

  /// Bytes of which none repeat at a distance of a part.
  func assign(_ version: String?, bytes: Int = 10_000) {
    self.version = version
    guard let version else { return }
    packages[version] = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ version.utf8.count) }
  }

  var shared: [(String, JSON)] {
    guard let version else { return [("other", .integer(1))] }
    var attributes: [(String, JSON)] = [("fw_title", .string("../../etc/passwd")), ("fw_version", .string(version))]
    if let url { attributes.append(("fw_url", .string(url))) }
    if url != nil && !hasSum { return attributes }
    attributes.append(("fw_size", .integer(size ?? Int64(packages[version]?.count ?? 0))))
    attributes.append(("fw_checksum", .string("sum")))
    attributes.append(("fw_checksum_algorithm", .string(algorithm)))
    return attributes
  }

  func attributes(client: [String]?, shared: [String]?) async throws(DeviceAPIError) -> AttributeSnapshot {
    var snapshot = AttributeSnapshot()
    snapshot.shared = self.shared.filter { shared?.contains($0.0) ?? true }.map { JSON.Member($0.0, $0.1) }
    return snapshot
  }

  func packageChunk(
    _ kind: PackageKind, title: String, version: String, chunk: Int, size: Int
  ) async throws(DeviceAPIError) -> [UInt8] {
    chunks.append(chunk)
    asked.add()
    if let bytes = try await fault(chunk) { return bytes }
    guard let assigned = self.version else { throw DeviceAPIError(.notFound, "has none", status: 404) }
    guard assigned == version, title == "../../etc/passwd", let bytes = packages[version] else {
      throw DeviceAPIError(.poison, "has another", status: 400)
    }
    return Array(bytes.dropFirst(chunk * size).prefix(size))
  }
}
