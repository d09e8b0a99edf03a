import EventLoop
import Foundation
import Testing

@testable import Gateway

@Suite struct CommandFileTests {
  private static func key(_ id: Int64) -> CommandKey {
    CommandKey(id: id, fingerprint: UInt64(id) &* 0x0101_0101_0101_0101)
  }
  private static func started(_ id: Int64) -> CommandRecord { CommandRecord(kind: .started, key: key(id)) }
  private static func finished(_ id: Int64, _ reply: String = #"{"pin":"relay"}"#) -> CommandRecord {
    CommandRecord(kind: .finished, key: key(id), payload: Array(reply.utf8))
  }
  private static func closed(_ id: Int64) -> CommandRecord { CommandRecord(kind: .closed, key: key(id)) }

  /// `id reply`, `id -` for one cut off.
  private static func text(_ recovery: CommandRecovery) -> [String] {
    recovery.replies.map { "\($0.key.id) \($0.reply.map { String(decoding: $0, as: UTF8.self) } ?? "-")" }
  }

  private static func file(_ scratch: CommandScratch, _ records: [CommandRecord]) throws -> CommandFile {
    let file = CommandFile(path: scratch.file("commands"))
    #expect(file.load().finding == nil)
    for record in records { try file.append(record, isDurable: record.kind != .closed) }
    return file
  }

  @Test func aKillKeepsWhatTheServerHasNotConfirmed() throws {
    let scratch = try CommandScratch()
    _ = try Self.file(
      scratch, [Self.started(1), Self.started(2), Self.finished(1), Self.started(3), Self.finished(3), Self.closed(3)])
    let again = CommandFile(path: scratch.file("commands"))
    let recovery = again.load()
    #expect(recovery.finding == nil)
    #expect(Self.text(recovery) == [#"1 {"pin":"relay"}"#, "2 -"])
    // And it goes on where it was.
    try again.append(Self.finished(2, "2"), isDurable: true)
    #expect(Self.text(CommandFile(path: scratch.file("commands")).load()) == [#"1 {"pin":"relay"}"#, "2 2"])
  }

  @Test func onlyItsOwnerMayReadIt() throws {
    let scratch = try CommandScratch()
    _ = try Self.file(scratch, [])
    let attributes = try FileManager.default.attributesOfItem(atPath: scratch.file("commands"))
    #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    #expect((attributes[.size] as? NSNumber)?.intValue == CommandFile.capacity)
  }

  @Test(.enabled(if: geteuid() == 0)) func whatRootMakesBelongsToTheDirectorysOwner() throws {
    let scratch = try CommandScratch()
    chown(scratch.path, 65_534, 65_533)
    let file = try Self.file(scratch, [Self.started(1)])
    var status = stat()
    #expect(stat(file.path, &status) == 0)
    #expect(status.st_uid == 65_534 && status.st_gid == 65_533)
  }

  @Test func aRecordTornAtAnyByteIsCutAndThoseBeforeItStay() throws {
    let scratch = try CommandScratch()
    _ = try Self.file(scratch, [Self.started(1), Self.finished(1), Self.started(2)])
    let whole = try scratch.bytes("commands")
    let last = CommandScan(whole).end
    let size = CommandRecord.headerSize
    for cut in last - size..<last {
      var torn = whole
      for index in cut..<last { torn[index] = 0 }
      try scratch.write(torn, to: "commands")
      let file = CommandFile(path: scratch.file("commands"))
      let recovery = file.load()
      #expect(Self.text(recovery) == [#"1 {"pin":"relay"}"#], "cut at \(cut)")
      #expect(recovery.finding == nil)
      try file.append(Self.started(3), isDurable: true)
      #expect(Self.text(CommandFile(path: scratch.file("commands")).load()) == [#"1 {"pin":"relay"}"#, "3 -"])
    }
  }

  @Test func aFlippedBitSetsTheFileAsideAndWhatCanBeReadStillCounts() throws {
    let scratch = try CommandScratch()
    _ = try Self.file(scratch, [Self.started(1), Self.started(2), Self.finished(2)])
    var bytes = try scratch.bytes("commands")
    bytes[CommandRecord.headerSize + 20] ^= 1  // in the first command's id
    try scratch.write(bytes, to: "commands")
    let recovery = CommandFile(path: scratch.file("commands")).load()
    #expect(recovery.finding?.contains("is damaged: 2 of its records") == true)
    #expect(Self.text(recovery) == [#"2 {"pin":"relay"}"#])
    #expect(try scratch.bytes("commands.damaged") == bytes)
    let next = CommandFile(path: scratch.file("commands")).load()
    #expect(next.finding == nil)
    #expect(Self.text(next) == Self.text(recovery))
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let finding: String
    init(_ description: String, _ bytes: [UInt8], _ finding: String) {
      testDescription = description
      self.bytes = bytes
      self.finding = finding
    }
  }

  static let foreign = [
    Row("an empty file", [], "is damaged"),
    Row("zeros", [UInt8](repeating: 0, count: CommandFile.capacity), "is damaged"),
    Row("text", Array("hello".utf8), "is damaged"),
    Row("only magics", (0..<65536).flatMap { _ in [0xB4, 0x42, 0x47, 0x4B] as [UInt8] }, "newer Baudgate"),
    Row("a later version", [0xB4, 0x42, 0x47, 0x4B, 2] + [UInt8](repeating: 0, count: 100), "newer Baudgate"),
    Row(
      "a length that is none",
      [0xB4, 0x42, 0x47, 0x4B, 1, 1, 0, 0, 255, 255, 255, 255] + [UInt8](repeating: 9, count: 64),
      "is damaged"),
    Row("more than ever is written", [UInt8](repeating: 0xB4, count: 3 * CommandFile.capacity), "is damaged"),
  ]

  @Test(arguments: foreign) func whatIsNotOursIsSetAside(_ row: Row) throws {
    let scratch = try CommandScratch()
    try scratch.write(row.bytes, to: "commands")
    let file = CommandFile(path: scratch.file("commands"))
    let recovery = file.load()
    #expect(recovery.finding?.contains(row.finding) == true, "\(recovery.finding ?? "nothing")")
    #expect(recovery.replies.isEmpty)
    #expect(try scratch.bytes("commands.damaged") == row.bytes)
    try file.append(Self.started(1), isDurable: true)
    #expect(Self.text(CommandFile(path: scratch.file("commands")).load()) == ["1 -"])
  }

  @Test func aFullFileIsRewrittenWithWhatIsLive() throws {
    let scratch = try CommandScratch()
    let file = try Self.file(scratch, [Self.started(0), Self.started(1), Self.finished(1)])
    let reply = String(repeating: "x", count: 1000)
    for id in 2..<Int64(600) {
      try file.append(Self.started(id), isDurable: true)
      try file.append(Self.finished(id, reply), isDurable: true)
      try file.append(Self.closed(id), isDurable: false)
    }
    #expect(try scratch.bytes("commands").count == CommandFile.capacity)
    let recovery = CommandFile(path: scratch.file("commands")).load()
    #expect(recovery.finding == nil)
    #expect(Self.text(recovery) == ["0 -", #"1 {"pin":"relay"}"#])
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["commands"])
  }

  @Test func theMostThatCanBeLiveFits() throws {
    let scratch = try CommandScratch()
    let file = try Self.file(scratch, [])
    var memory = CommandMemory()
    let large = [UInt8](repeating: 0x20, count: CommandMemory.replySizeLimit)
    // Twice, so that the second half goes through a rewrite.
    for id in 0..<Int64(CommandMemory.pendingLimit) {
      let key = Self.key(id)
      #expect(memory.deliver(key, hasLastingEffect: true, pollOpenedAt: .zero, now: .zero) == .run)
      try file.append(CommandRecord(kind: .started, key: key), isDurable: true)
      let reserved = memory.reserve(large, for: key)
      let kept = try #require(reserved)
      try file.append(CommandRecord(kind: .finished, key: key, payload: kept), isDurable: true)
    }
    let recovery = CommandFile(path: scratch.file("commands")).load()
    #expect(recovery.finding == nil)
    #expect(recovery.replies.count == CommandMemory.pendingLimit)
    #expect(recovery.replies.allSatisfy { $0.reply != nil })
  }

  @Test func aDirectoryThatIsNotThereIsToldAndUsedAsSoonAsItIs() throws {
    let scratch = try CommandScratch()
    let file = CommandFile(path: scratch.file("later/commands"))
    #expect(file.load().finding?.contains("cannot write") == true)
    #expect(throws: SystemError.self) { try file.append(Self.started(1), isDurable: true) }
    try FileManager.default.createDirectory(atPath: scratch.file("later"), withIntermediateDirectories: true)
    try file.append(Self.started(2), isDurable: true)
    // What was refused did not run, so a restart must not take it for interrupted.
    #expect(Self.text(CommandFile(path: scratch.file("later/commands")).load()) == ["2 -"])
  }

  /// Root may write whatever its mode.
  @Test(.enabled(if: geteuid() != 0)) func aReadOnlyDirectoryStillTellsWhatWasCarriedOut() throws {
    let scratch = try CommandScratch()
    _ = try Self.file(scratch, [Self.started(1), Self.finished(1)])
    chmod(scratch.file("commands"), 0o400)
    chmod(scratch.path, 0o500)
    defer { chmod(scratch.path, 0o700) }
    let file = CommandFile(path: scratch.file("commands"))
    let recovery = file.load()
    #expect(Self.text(recovery) == [#"1 {"pin":"relay"}"#])
    #expect(recovery.problem?.errno == EACCES)
    #expect(throws: SystemError.self) { try file.append(Self.started(2), isDurable: true) }
  }

  @Test func mendingMakesTheFileThatCouldNotBeMade() throws {
    let scratch = try CommandScratch()
    let file = CommandFile(path: scratch.file("later/commands"))
    #expect(file.load().problem?.errno == ENOENT)
    #expect(throws: SystemError.self) { try file.mend() }
    try FileManager.default.createDirectory(atPath: scratch.file("later"), withIntermediateDirectories: true)
    try file.mend()
    #expect(CommandFile(path: scratch.file("later/commands")).load().finding == nil)
  }

  @Test func somethingElseInItsPlaceIsTold() throws {
    let scratch = try CommandScratch()
    try FileManager.default.createDirectory(atPath: scratch.file("commands"), withIntermediateDirectories: true)
    let file = CommandFile(path: scratch.file("commands"))
    #expect(file.load().finding?.contains("cannot read") == true)
    #expect(throws: SystemError.self) { try file.append(Self.started(1), isDurable: true) }
  }

  @Test func aRecordsBytesStayAsTheyAre() {
    var bytes: [UInt8] = []
    CommandRecord(kind: .finished, key: CommandKey(id: -2, fingerprint: 0x0102_0304_0506_0708), payload: [0x6F, 0x6B])
      .append(to: &bytes)
    let header: [UInt8] = [0xB4, 0x42, 0x47, 0x4B, 1, 2, 0, 0, 2, 0, 0, 0]
    #expect(Array(bytes[..<12]) == header)
    let rest: [UInt8] = [0xFE, 255, 255, 255, 255, 255, 255, 255, 8, 7, 6, 5, 4, 3, 2, 1, 0x6F, 0x6B]
    #expect(Array(bytes[16...]) == rest)
  }
}
