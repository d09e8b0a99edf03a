import EventLoop
import Foundation
import Testing

@testable import Gateway

@Suite struct LadderRecordTests {
  static let trouble = {
    var trouble = Trouble(at: .seconds(100))
    trouble.note("restart-modem", at: .seconds(1900))
    trouble.note("restart-modem", at: .seconds(5000))
    trouble.note("reboot \"ä\"", at: .seconds(6000))
    trouble.earlier = .seconds(77)
    trouble.rounds = 1
    trouble.taken = 1
    trouble.reboots = 2
    trouble.lastReboot = .seconds(6000)
    return trouble
  }()

  static func record(_ boot: String? = "a") -> LadderRecord {
    var record = LadderRecord(boot: boot)
    record.troubles = ["server": trouble, "port meter": Trouble(at: .seconds(5))]
    return record
  }

  @Test func whatIsWrittenIsRead() throws {
    #expect(try LadderRecord(parsing: Self.record().bytes) == Self.record())
    #expect(try LadderRecord(parsing: Self.record(nil).bytes) == Self.record(nil))
    #expect(try LadderRecord(parsing: LadderRecord().bytes) == LadderRecord())
  }

  @Test func withinABootTheClockGoesOn() {
    let now = Duration.seconds(7000)
    #expect(Self.record().carried(into: "a", at: now) == Self.record())
    // No time is later than now, whatever the file says.
    let early = Self.record().carried(into: "a", at: .seconds(50)).troubles["server"]
    #expect(early?.began == .seconds(50) && early?.lastReboot == .seconds(50))
  }

  @Test func anotherBootCountsFromItsStart() throws {
    let carried = Self.record().carried(into: "b", at: .seconds(30))
    let trouble = try #require(carried.troubles["server"])
    #expect(carried.boot == "b")
    #expect(trouble.began == .zero && trouble.roundBegan == .zero && trouble.lastReboot == .zero)
    #expect(trouble.earlier == .seconds(77 + 5900))
    #expect(trouble.rounds == 1 && trouble.taken == 1 && trouble.reboots == 2)
    #expect(trouble.steps == "restart-modem 2 times, reboot \"ä\"")
  }

  @Test func withoutABootIDNothingIsOverdue() {
    let trouble = Self.record(nil).carried(into: nil, at: .seconds(900)).troubles["server"]
    #expect(trouble?.roundBegan == .seconds(900))
  }

  static let good = String(decoding: record().bytes, as: UTF8.self)
  static let damaged: [(String, String)] = [
    ("empty", ""), ("zeroes", String(repeating: "\0", count: 300)), ("no JSON", "recovery"),
    ("cut short", String(good.prefix(good.utf8.count / 2))), ("a list", "[]"), ("no format", #"{"troubles":{}}"#),
    ("a later format", good.replacingOccurrences(of: "\"format\":1", with: "\"format\":2")),
    ("no troubles", #"{"format":1,"boot":"a"}"#),
    ("a time below zero", good.replacingOccurrences(of: "\"began_ms\":5000", with: "\"began_ms\":-1")),
    ("a time beyond all", good.replacingOccurrences(of: "\"began_ms\":5000", with: "\"began_ms\":9223372036854775807")),
    ("a count that is text", good.replacingOccurrences(of: "\"reboots\":2", with: "\"reboots\":\"2\"")),
    ("a count beyond all", good.replacingOccurrences(of: "\"taken\":1", with: "\"taken\":9223372036854775807")),
    ("huge", good + String(repeating: " ", count: LadderRecord.sizeLimit)),
    ("deep", String(repeating: "[", count: 10_000)),
  ]

  @Test(arguments: damaged) func damageIsRefused(_ what: String, _ text: String) {
    #expect(throws: LadderRecord.ParsingError.self, "\(what)") { try LadderRecord(parsing: Array(text.utf8)) }
  }

  /// Bytes flipped at random are refused, or read as something whole.
  @Test func flippedBytesDoNoHarm() {
    var generator = LadderTests.Seeded(7)
    for _ in 0..<2000 {
      var bytes = Self.record().bytes
      for _ in 0..<3 {
        bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      guard let record = try? LadderRecord(parsing: bytes) else { continue }
      for trouble in record.carried(into: "a", at: .seconds(10_000)).troubles.values {
        var ladder = Ladder([LadderTests.modem, LadderTests.reboot], trouble: trouble)
        _ = ladder.take(at: .seconds(20_000), after: RebootHistory(count: trouble.reboots, last: trouble.lastReboot))
      }
    }
  }

  // MARK: The book

  static func inDirectory(_ body: @escaping @Sendable (EventLoop, String) async throws -> Void) throws {
    try CallRig.inDirectory { directory in
      let loop = try EventLoop()
      try loop.run { try await body(loop, directory) }
    }
  }

  static func open(
    _ loop: EventLoop, _ directory: String, boot: String = "a", now: Duration = .seconds(7000),
    log: LogLines = LogLines(),
    afterStep: @escaping @Sendable (DurableFile.WriteStep) throws(SystemError) -> Void = { _ in }
  ) async -> LadderBook {
    await LadderBook.open(
      on: loop, file: DurableFile(directory: directory, name: LadderRecord.name, afterStep: afterStep),
      disk: BlockingPool(name: "test", threads: 1), log: log.logger, boot: boot, now: now)
  }

  @Test func aBookIsOnTheCardWhileThereIsTroubleOnly() throws {
    try Self.inDirectory { loop, directory in
      let path = "\(directory)/recovery.json"
      let book = await Self.open(loop, directory)
      #expect(await book.claim("server") == nil)
      #expect(!FileManager.default.fileExists(atPath: path))
      try await book.keep(Self.trouble, of: "server")
      let later = await Self.open(loop, directory)
      #expect(await later.reboots == .none, "nobody has claimed it")
      #expect(await later.claim("server") == Self.trouble)
      #expect(await later.reboots == RebootHistory(count: 2, last: .seconds(6000)))
      await later.forget("server")
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(await later.reboots == .none)
    }
  }

  @Test(arguments: damaged.prefix(4)) func aDamagedFileIsOneLine(_ what: String, _ text: String) throws {
    try Self.inDirectory { loop, directory in
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/recovery.json"))
      let log = LogLines()
      let book = await Self.open(loop, directory, log: log)
      #expect(await book.claim("server") == nil)
      #expect(log.lines.count == 1 && log.lines.first?.level == .error, "\(what)")
      try await book.keep(Self.trouble, of: "server")
      #expect(await Self.open(loop, directory, log: log).claim("server") == Self.trouble)
      #expect(log.lines.count == 1)
    }
  }

  /// Cut off after any step of the write: the old record or the new one.
  @Test(arguments: DurableFile.WriteStep.allCases) func aWriteThatIsCutOff(_ step: DurableFile.WriteStep) throws {
    try Self.inDirectory { loop, directory in
      try await Self.open(loop, directory).keep(Trouble(at: .seconds(5)), of: "server")
      let book = await Self.open(loop, directory) { done throws(SystemError) in
        if done == step { throw SystemError("write", errno: EIO) }
      }
      await #expect(throws: SystemError.self) { try await book.keep(Self.trouble, of: "server") }
      let isNew = step == .renamed || step == .directorySynchronized
      #expect(
        await Self.open(loop, directory).claim("server") == (isNew ? Self.trouble : Trouble(at: .seconds(5))))
    }
  }
}
