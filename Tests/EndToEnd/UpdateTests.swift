import Foundation
import Simulator
import Synchronization
import Testing

/// Packages the server assigns, with the real daemon and the real installer, which the daemon starts itself.
@Suite(.serialized) struct UpdateTests {
  private static let allStates = ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]

  @Test func anAssignedPackageBecomesTheRunningVersion() async throws {
    let updating = try await UpdatingGateway()
    try updating.gateway.daemon.start()
    #expect(await updating.server.wait(upTo: .seconds(20)) { updating.told("current_fw_version") == ["1.0"] })
    var package = UpdatingGateway.package("2.0", bytes: 1_000_000)
    package.fileName = "../../../../tmp/baudgate-was-here"
    updating.assign(package)
    #expect(await updating.reaches("UPDATED"), "\(updating.states) \(updating.error)\n\(updating.log)")
    #expect(updating.states == Self.allStates)
    #expect(updating.told("current_fw_version") == ["1.0", "2.0"])
    #expect(updating.told("current_fw_title") == ["board"])
    #expect(Set(updating.told("fw_error")) == [""])
    #expect(updating.runs == ["install"])
    let installed = FileManager.default.contents(atPath: updating.gateway.scratch.file("installed"))
    #expect(installed == Data(package.content))
    #expect(updating.partRequests == 16)
    // A name the server gives is no path.
    #expect(!FileManager.default.fileExists(atPath: "/tmp/baudgate-was-here"))
    let isClean = try await eventually {
      updating.files == ["firmware.confirmed", "firmware.json", "installer"]
    }
    #expect(isClean, "\(updating.files)")
    let status = try updating.status()
    #expect(status["state"] as? String == "updated")
    #expect(status["running_version"] as? String == "2.0")
    #expect(updating.gateway.daemon.terminate() == 0)
    await updating.end()
  }

  // MARK: What fails

  /// A package that cannot become the running version, and what is told of it.
  private struct Failure: Sendable {
    var name: String
    var install = UpdatingGateway.Script.installs
    var rollback: String?
    var options: [String] = []
    var assign: @Sendable (UpdatingGateway) -> Void = { $0.assign(UpdatingGateway.package("2.0")) }
    /// Words of `fw_error`.
    var words: [String]
    var runs: [String] = []
    /// Requests for parts.
    var requests: Int?
  }

  private static let failures = [
    Failure(
      name: "the install command fails", install: UpdatingGateway.Script.fails,
      words: ["ended with 3", "no slot is free"], runs: ["install"], requests: 4),
    Failure(
      name: "the version stays", install: UpdatingGateway.Script.changesNothing, options: ["confirm_within: 10s"],
      words: ["1.0", "10 s"], runs: ["install"]),
    Failure(
      name: "the version stays, with a rollback", install: UpdatingGateway.Script.changesNothing, rollback: "echo back",
      options: ["confirm_within: 10s"], words: ["2.0", "10 s", "ended with 0"],
      runs: ["install", "rollback not_confirmed"]),
    Failure(
      name: "it takes too long", install: "sleep 60", options: ["time_limit: 1s"], words: ["took longer than 1.0 s"],
      runs: ["install"]),
    Failure(
      name: "a wrong checksum",
      assign: { updating in
        var package = UpdatingGateway.package("2.0")
        package.checksum = "00000000"
        updating.assign(package)
      }, words: ["CRC32", "after 3 downloads"], requests: 12),
    Failure(
      name: "an algorithm nobody knows",
      assign: { updating in
        var package = UpdatingGateway.package("2.0")
        package.checksumAlgorithm = "WHIRLPOOL"
        updating.assign(package)
      }, words: ["WHIRLPOOL"], requests: 0),
    Failure(name: "larger than max_size", options: ["max_size: 100KB"], words: ["max_size"], requests: 0),
    Failure(
      name: "an external package over http without a checksum",
      assign: { updating in
        var package = UpdatingGateway.package("2.0")
        package.url = updating.server.packageURL("board.bin")
        updating.assign(package)
      }, words: ["over http without a checksum"], requests: 0),
    Failure(
      name: "parts too long",
      assign: { updating in
        updating.server.setFault(.longer(by: 1), scope: .packages)
        updating.assign(UpdatingGateway.package("2.0"))
      }, words: ["part 0", "3 times in a row"], requests: 3),
    Failure(
      name: "parts too short",
      assign: { updating in
        updating.server.setFault(.shorter(by: 1), scope: .packages)
        updating.assign(UpdatingGateway.package("2.0"))
      }, words: ["part 0", "3 times in a row"], requests: 3),
    Failure(
      name: "no bytes at all",
      assign: { updating in
        updating.server.setFault(.shorter(by: .max), scope: .packages)
        updating.assign(UpdatingGateway.package("2.0"))
      }, words: ["part 0", "3 times in a row"], requests: 3),
  ]

  /// All at once: they mostly wait.
  @Test func whatCannotBecomeTheRunningVersionIsToldAndNotTriedAgain() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for failure in Self.failures { group.addTask { try await Self.expect(failure) } }
      try await group.waitForAll()
    }
  }

  private static func expect(_ failure: Failure) async throws {
    let updating = try await UpdatingGateway(
      install: failure.install, rollback: failure.rollback, options: failure.options)
    try updating.gateway.daemon.launch()
    failure.assign(updating)
    let note = failure.name
    #expect(await updating.reaches("FAILED"), "\(note): \(updating.states) \(updating.error)\n\(updating.log)")
    for word in failure.words { #expect(updating.error.contains(word), "\(note): \(updating.error)") }
    #expect(updating.runs == failure.runs, "\(note)")
    if let requests = failure.requests { #expect(updating.partRequests == requests, "\(note)") }
    #expect(try await eventually { try updating.status()["state"] as? String == "failed" }, "\(note)")
    #expect(updating.version == "1.0", "\(note)")
    #expect(updating.gateway.daemon.terminate() == 0, "\(note)")
    await updating.end()
  }

  /// Larger than what is free: it waits, or larger than the whole disk: it is given up.
  @Test func anImageLargerThanTheDiskIsNotBegun() async throws {
    // With a key there has to be room for two.
    let signer = try Signer()
    let updating = try await UpdatingGateway(options: ["max_size: 16384MB", "public_key: \(signer.publicKey)"])
    var room = statvfs()
    statvfs(updating.gateway.scratch.path, &room)
    let capacity = UInt64(room.f_blocks) * UInt64(room.f_frsize)
    let free = UInt64(room.f_bavail) * UInt64(room.f_frsize)
    let size: UInt64 = 16 << 30
    try updating.gateway.daemon.launch()
    var package = UpdatingGateway.package("2.0")
    package.signature = try signer.sign(package.content)
    updating.assign(package)
    updating.server.setSharedAttribute("fw_size", type: .long, text: "\(size)", token: UpdatingGateway.token)
    let words = capacity < 2 * size ? "which has" : free < 2 * size ? "make room" : ""
    let server = updating.server
    if !words.isEmpty {
      #expect(
        await server.wait(upTo: .seconds(20)) { updating.error.contains(words) }, "\(updating.error)\n\(updating.log)")
      #expect(updating.states.last == (capacity < 2 * size ? "FAILED" : "DOWNLOADING"))
    }
    #expect(updating.partRequests == 0)
    await updating.end()
  }

  // MARK: What heals

  private enum Blemish: String, CaseIterable {
    case longer, shorter, missing, altered, cut, unavailable

    var fault: Fault {
      switch self {
      case .longer: .longer(by: 1000)
      case .shorter: .shorter(by: 1)
      case .missing: .shorter(by: .max)
      case .altered: .altered
      case .cut: .cutBody(reset: true)
      case .unavailable: .status(503)
      }
    }
  }

  @Test func aBadPartIsFetchedAgain() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for blemish in Blemish.allCases {
        group.addTask {
          let updating = try await UpdatingGateway()
          try updating.gateway.daemon.launch()
          updating.server.setFault(blemish.fault, requests: 1, scope: .packages)
          updating.assign(UpdatingGateway.package("2.0"))
          #expect(
            await updating.reaches("UPDATED"),
            "\(blemish): \(updating.states) \(updating.error)\n\(updating.log)")
          // A changed bit shows only in the whole.
          #expect(updating.partRequests == (blemish == .altered ? 8 : 5), "\(blemish)")
          #expect(updating.runs == ["install"], "\(blemish)")
          #expect(updating.error == "", "\(blemish)")
          await updating.end()
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func aNewerAssignmentSupersedesADownload() async throws {
    let updating = try await UpdatingGateway()
    try updating.gateway.daemon.start()
    let server = updating.server
    server.setFault(.slow(.milliseconds(500)), scope: .packages)
    updating.assign(UpdatingGateway.package("2.0"))
    #expect(await server.wait(upTo: .seconds(20)) { updating.partRequests > 0 })
    updating.assign(UpdatingGateway.package("3.0"))
    server.setFault(nil)
    #expect(await updating.reaches("UPDATED"), "\(updating.states) \(updating.error)\n\(updating.log)")
    #expect(updating.version == "3.0")
    #expect(updating.runs == ["install"])
    #expect(updating.states == ["DOWNLOADING"] + Self.allStates)
    #expect(updating.told("current_fw_version") == ["1.0", "3.0"])
    await updating.end()
  }

  @Test func aFailedPackageIsTriedAgainOnlyOnceItIsAssignedAnew() async throws {
    let updating = try await UpdatingGateway(
      install: "[ -e mended ] || exit 1\n\(UpdatingGateway.Script.installs)")
    try updating.gateway.daemon.start()
    let package = UpdatingGateway.package("2.0")
    updating.assign(package)
    #expect(await updating.reaches("FAILED"), "\(updating.log)")
    try updating.gateway.scratch.write("", to: "mended")
    #expect(updating.gateway.daemon.terminate() == 0)
    try updating.gateway.daemon.start()
    // The assignment has been read, and the time for a change of it is over.
    #expect(await updating.gateway.isPolling(.pollAttributes))
    try await Task.sleep(for: .seconds(3))
    #expect(updating.partRequests == 4)
    #expect(updating.runs == ["install"])
    #expect(updating.states.last == "FAILED")
    updating.server.unassign(.firmware, token: UpdatingGateway.token)
    #expect(try await eventually { try updating.status()["state"] as? String == "idle" }, "\(updating.log)")
    updating.assign(package)
    #expect(await updating.reaches("UPDATED"), "\(updating.states) \(updating.error)\n\(updating.log)")
    #expect(updating.runs == ["install", "install"])
    await updating.end()
  }

  // MARK: External and signed

  /// An ed25519 key pair by openssl, and what it signs.
  private struct Signer {
    let scratch: Scratch
    let publicKey: String

    init() throws {
      scratch = try Scratch()
      try Self.openssl("genpkey", "-algorithm", "ed25519", "-out", scratch.file("key.pem"))
      try Self.openssl(
        "pkey", "-in", scratch.file("key.pem"), "-pubout", "-outform", "DER", "-out", scratch.file("key.der"))
      let key = FileManager.default.contents(atPath: scratch.file("key.der")) ?? Data()
      publicKey = key.suffix(32).base64EncodedString()
    }

    func sign(_ content: [UInt8]) throws -> String {
      try Data(content).write(to: URL(fileURLWithPath: scratch.file("content")))
      try Self.openssl(
        "pkeyutl", "-sign", "-inkey", scratch.file("key.pem"), "-rawin", "-in", scratch.file("content"), "-out",
        scratch.file("signature"))
      return (FileManager.default.contents(atPath: scratch.file("signature")) ?? Data()).base64EncodedString()
    }

    private static func openssl(_ arguments: String...) throws {
      let answer = try DaemonProcess.run(["/usr/bin/openssl"] + arguments)
      guard answer.status == 0 else { throw DaemonProcess.Failure("openssl: \(answer.errors)") }
    }
  }

  /// Resumed where a kill has left it, from a web server beside ThingsBoard.
  @Test func aSignedExternalPackageIsResumedAfterAKill() async throws {
    let signer = try Signer()
    let updating = try await UpdatingGateway(options: ["public_key: \(signer.publicKey)"])
    try updating.gateway.daemon.start()
    let server = updating.server
    var package = UpdatingGateway.package("2.0", bytes: 9 << 20)
    package.url = "\(server.packageURL("board.bin"))?password=pa55word-of-the-url"
    package.signature = try signer.sign(package.content)
    server.offer(ServedFile(package.content), as: "board.bin")
    // The connection ends behind a checkpoint of 4 MiB.
    server.setFault(.cutBody(), requests: 1, scope: .packages)
    updating.assign(package)
    let record: @Sendable () -> String = { updating.gateway.scratch.read("state/updates/firmware.json") }
    #expect(try await eventually { record().contains(#""bytes":4194304"#) }, "\(updating.log)")
    server.setFault(.status(503), scope: .packages)
    updating.gateway.daemon.kill()
    let before = server.requests().last?.number ?? 0
    server.setFault(nil)
    try updating.gateway.daemon.start()
    #expect(await updating.reaches("UPDATED"), "\(updating.states) \(updating.error)\n\(updating.log)")
    let rest = server.requests(after: before).filter { $0.kind == .getFile }
    #expect(rest.map(\.status) == [206], "\(rest)")
    #expect(rest.first?.responseBytes == 5 << 20)
    #expect(updating.runs == ["install"])
    let installed = FileManager.default.contents(atPath: updating.gateway.scratch.file("installed"))
    #expect(installed == Data(package.content))
    #expect(!updating.log.contains("pa55word"))
    for name in updating.files {
      #expect(!updating.gateway.scratch.read("state/updates/\(name)").contains("pa55word"), "\(name)")
    }
    await updating.end()
  }

  @Test func whatIsNotSignedByTheKeyIsNotInstalled() async throws {
    let (signer, other) = (try Signer(), try Signer())
    let package = UpdatingGateway.package("2.0")
    let signatures: [(signature: String?, words: String)] = [
      (nil, "signature"), (try other.sign(package.content), "signature"), ("AAAA", "signature"),
    ]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (signature, words) in signatures {
        group.addTask {
          let updating = try await UpdatingGateway(options: ["public_key: \(signer.publicKey)"])
          try updating.gateway.daemon.launch()
          var package = package
          package.signature = signature
          updating.assign(package)
          #expect(await updating.reaches("FAILED"), "\(signature ?? "none"): \(updating.states)\n\(updating.log)")
          #expect(updating.error.contains(words), "\(updating.error)")
          #expect(updating.runs == [])
          await updating.end()
        }
      }
      try await group.waitForAll()
    }
  }
}
