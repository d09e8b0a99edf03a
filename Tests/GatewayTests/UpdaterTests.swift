import Configuration
import EventLoop
import Foundation
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct UpdaterTests {
  private static let whole = ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]

  @Test(arguments: [false, true]) func anAssignmentBecomesARunningVersion(isDirect: Bool) throws {
    try UpdateSite.onSite { site in
      site.isDirect = isDirect
      site.server.assign("2.0")
      let updater = site.updater()
      await site.live(updater)
      #expect(site.states == Self.whole && site.errors.isEmpty)
      #expect(site.server.chunks == Array(0..<10))
      let readings = site.seen.withLock { $0.readings }
      #expect(readings.first?.key == "current_fw_version" && readings.first?.text == "1.0")
      #expect(readings.contains { $0.key == "current_fw_title" && $0.text == "../../etc/passwd" })
      #expect(readings.contains { $0.key == "fw_error" && $0.text.isEmpty })
      // The title is no file name.
      #expect(site.entries == ["firmware.confirmed", "firmware.json"])
      let status = await updater.status
      #expect(status.phase == .updated && status.runningVersion == "2.0" && status.error == nil)
      #expect(status.json["state"] == .string("updated"))
    }
  }

  /// The process dies after each durable step in turn; the next start finds its way.
  @Test(arguments: [false, true]) func aKillAfterEachDurableStep(isDirect: Bool) throws {
    var steps = 0
    var isOver = false
    while !isOver {
      let left = steps
      let deaths = Tally()
      try CallRig.inDirectory { directory in
        try CallRig.run { loop in
          let site = try UpdateSite(loop, directory)
          site.isDirect = isDirect
          site.server.assign("2.0")
          // A dead process does not try again.
          site.pace = CallRig.patient
          let first = site.updater()
          site.seen.withLock { $0.stepsToLive = left }
          await site.live(first)
          if site.isDead { deaths.add() }
          site.boot = left % 2 == 0 ? "boot-0" : "boot-1"
          await site.live(site.updater())
          #expect(site.record?.phase == .updated, "after \(left) steps: \(site.log.text)")
          #expect(site.seen.withLock { $0.installs.count } == 1, "after \(left) steps")
          #expect(site.seen.withLock { $0.verifications } <= 2)
          #expect(site.states.last == "UPDATED" && site.errors.isEmpty)
          #expect(site.entries == ["firmware.confirmed", "firmware.json"])
          // A checkpoint is four parts.
          #expect(site.server.chunks.count <= 15, "\(site.server.chunks)")
        }
      }
      isOver = deaths.count == 0
      steps += 1
      if steps > 200 { break }
    }
    #expect(steps > 40 && steps < 200)
  }

  @Test func aDamagedRecordDoesNotInstallTwice() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.isDirect = false
      site.pace = CallRig.patient
      let first = site.updater()
      await first.start()
      await first.assignmentMayHaveChanged(values: site.server.shared)
      // Nobody has taken the request yet.
      while !site.entries.contains("firmware.request") { await UpdateSite.pool.run {} }
      await first.stop()
      try Data("{\"format\":1,\"pha".utf8).write(
        to: URL(fileURLWithPath: site.directory + "/updates/firmware.json"))
      await site.live(site.updater())
      #expect(site.record?.phase == .updated && site.seen.withLock { $0.installs.count } == 1)
      #expect(site.log.count(of: "set aside") == 1)
      #expect(site.server.chunks.count == 10)
    }
  }

  @Test func aFailedInstallationIsToldAndNotTriedAgain() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.outcome = .failed
      for _ in 0..<3 { await site.live(site.updater()) }
      #expect(site.states.last == "FAILED" && site.errors == ["the command ended with 1: last words"])
      #expect(site.seen.withLock { $0.installs.count } == 1)
      #expect(site.entries == ["firmware.json"])
    }
  }

  // MARK: Bad input

  @Test(arguments: [0, 1, 1023, 1025]) func aPartOfAnotherLength(count: Int) throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.fault = { chunk throws(DeviceAPIError) in
        chunk == 3 ? [UInt8](repeating: 1, count: count) : nil
      }
      await site.live(site.updater())
      #expect(site.states == ["DOWNLOADING", "FAILED"] && site.errors.first?.contains("part 3") == true)
      #expect(!site.entries.contains("firmware.package"))
    }
  }

  @Test func aPartThatIsMissingForAWhile() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      var left = 5
      site.server.fault = { chunk throws(DeviceAPIError) in
        guard chunk == 7, left > 0 else { return nil }
        left -= 1
        throw .down
      }
      await site.live(site.updater())
      #expect(site.states == Self.whole && site.log.count(of: "pauses at byte 7168") == 1)
    }
  }

  @Test func anotherVersionMidDownload() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.fault = { [server = site.server] chunk throws(DeviceAPIError) in
        if chunk == 5, server.version == "2.0" { server.assign("3.0", bytes: 5000) }
        return nil
      }
      await site.live(site.updater())
      #expect(site.states == ["DOWNLOADING"] + Self.whole && site.record?.package?.version == "3.0")
      #expect(site.seen.withLock { $0.installs.count } == 1)
    }
  }

  @Test func aWithdrawalMidDownload() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.fault = { [server = site.server] chunk throws(DeviceAPIError) in
        if chunk == 5 { server.assign(nil) }
        return nil
      }
      await site.live(site.updater())
      #expect(site.states == ["DOWNLOADING"] && site.record?.phase == .idle)
      #expect(!site.entries.contains("firmware.package"))
    }
  }

  @Test func aRequestThatHangsIsGivenUpForANewerAssignment() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.fault = { [server = site.server, loop = site.loop] _ throws(DeviceAPIError) in
        guard server.version == "2.0" else { return nil }
        do { try await loop.sleep(for: .seconds(3600)) } catch {}
        throw DeviceAPIError(.cancelled, "cancelled")
      }
      let updater = site.updater()
      await updater.start()
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      await site.server.asked.reaches(1)
      site.server.assign("3.0")
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      await site.idle(updater)
      #expect(site.states == ["DOWNLOADING"] + Self.whole)
      // And for a stop.
      site.server.assign("2.0")
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      await site.server.asked.reaches(12)
      await updater.stop()
      #expect(await updater.status.phase == .downloading)
    }
  }

  @Test func anImageLargerThanTheDisk() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.size = 200 << 20
      site.space = PackageFile.Space(free: 50 << 20, capacity: 100 << 20)
      await site.live(site.updater())
      #expect(site.states == ["DOWNLOADING", "FAILED"] && site.errors.first?.contains("100 MiB in all") == true)
      #expect(site.server.chunks.isEmpty && site.entries == ["firmware.json"])
    }
  }

  @Test func aFullDiskIsWaitedFor() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.space = PackageFile.Space(free: 1 << 20, capacity: 1 << 40)
      let updater = site.updater()
      await updater.start()
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      while site.errors.isEmpty { await UpdateSite.pool.run {} }
      #expect(site.errors.first?.contains("1 MiB are free") == true && site.server.chunks.isEmpty)
      #expect(await updater.status.error?.contains("make room") == true)
      await updater.stop()
      site.space = PackageFile.Space(free: 1 << 40, capacity: 1 << 40)
      await site.live(site.updater())
      #expect(site.record?.phase == .updated)
    }
  }

  @Test func anUnknownAlgorithm() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.server.algorithm = "WHIRLPOOL"
      await site.live(site.updater())
      #expect(site.states == ["FAILED"] && site.server.chunks.isEmpty)
      #expect(site.errors.first?.contains("the algorithm is unknown") == true)
    }
  }

  @Test func aBadPackageIsDownloadedThreeTimes() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.verdict = .damaged("the checksum is another")
      for _ in 0..<2 { await site.live(site.updater()) }
      #expect(site.server.chunks.count == 30 && site.seen.withLock { $0.verifications } == 3)
      #expect(site.states.last == "FAILED" && site.seen.withLock { $0.installs.isEmpty })
    }
  }

  // MARK: Others

  private struct Scripted: PackageSource {
    let bytes: [UInt8]
    var validator = "v1"
    var breaksAt: Int64 = .max
    func part(at offset: Int64, atMost limit: Int, validator: String?) async throws(DeviceAPIError) -> PackagePart {
      if offset > 0, validator != self.validator { return PackagePart(bytes: [], isAnew: true) }
      if offset >= breaksAt { throw .down }
      return PackagePart(
        bytes: Array(bytes.dropFirst(Int(offset)).prefix(limit)), total: Int64(bytes.count), validator: self.validator)
    }
  }

  @Test func anExternalPackage() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0", bytes: 5000)
      site.server.url = "https://user:PASSWORD@host/p"
      let bytes = site.server.packages["2.0"] ?? []
      // Its URL goes nowhere but to the source.
      await site.live(
        site.updater { url throws(DeviceAPIError) in
          #expect(url.reveal() == "https://user:PASSWORD@host/p")
          return Scripted(bytes: bytes)
        })
      // Without an algorithm the fake verifier objects, which is as good a refusal as any.
      #expect(site.states == ["FAILED"] && !site.log.text.contains("PASSWORD"))
      let file = FileManager.default.contents(atPath: site.directory + "/updates/firmware.json") ?? Data()
      #expect(!String(decoding: file, as: UTF8.self).contains("PASSWORD"))
    }
  }

  @Test(arguments: ["v1", "v2"]) func anExternalPackageGoesOnWhereItIsTheSame(validator: String) throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0", bytes: 9000)
      site.server.url = "https://host/p"
      site.server.hasSum = true
      site.pace = CallRig.patient
      let old = [UInt8](repeating: 7, count: 9000)
      let first = site.updater { _ throws(DeviceAPIError) in Scripted(bytes: old, breaksAt: 8192) }
      await first.start()
      await first.assignmentMayHaveChanged(values: site.server.shared)
      while await first.status.error == nil { await UpdateSite.pool.run {} }
      await first.stop()
      #expect(site.record?.bytes == 8192 && site.record?.validator == "v1")
      let bytes = validator == "v1" ? old : site.server.packages["2.0"] ?? []
      site.server.packages["2.0"] = bytes
      await site.live(site.updater { _ throws(DeviceAPIError) in Scripted(bytes: bytes, validator: validator) })
      #expect(site.record?.phase == .updated && site.seen.withLock { $0.verifications } == 1)
      #expect(site.log.count(of: "begins anew") == (validator == "v1" ? 0 : 1))
    }
  }

  @Test func baudgateItselfIsStartedAnew() throws {
    try UpdateSite.onSite { site in
      site.options.versionFile = nil
      site.server.assign("99.0")
      let updater = site.updater()
      await updater.start()
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      while site.seen.withLock({ $0.reexecutions }) == 0 { await UpdateSite.pool.run {} }
      await updater.assignmentMayHaveChanged(values: [])
      await updater.stop()
      #expect(site.record?.isReexecuted == true && site.record?.phase == .updating)
      #expect(site.seen.withLock { $0.reexecutions } == 1)
    }
  }

  @Test func otherOptionsAndAnotherTokenEndAPause() throws {
    try UpdateSite.onSite { site in
      site.server.assign("2.0")
      site.pace = CallRig.patient
      site.server.fault = { _ throws(DeviceAPIError) in throw .unknownToken }
      let updater = site.updater()
      await updater.start()
      await updater.assignmentMayHaveChanged(values: site.server.shared)
      while await updater.status.error == nil { await UpdateSite.pool.run {} }
      site.server.fault = { _ throws(DeviceAPIError) in nil }
      await updater.use(site.server)
      await site.idle(updater)
      #expect(site.states == Self.whole)
      await updater.stop()
    }
  }
}
