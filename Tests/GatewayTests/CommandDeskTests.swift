import EventLoop
import Foundation
import Logging
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

/// Opens on demand; what waits goes on then.
private final class Gate: Sendable {
  private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  var waiting: Int { state.withLock { $0.waiting.count } }

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}

@Suite struct CommandDeskTests {
  private static let set = #"{"pin":"relay","value":1}"#
  private static let reply = #"{"pin":"relay","value":1}"#

  /// A desk with its surroundings.
  private struct Bench: Sendable {
    let desk: CommandDesk
    let server: ReplyServer
    let storage: FakeStorage
    let lines: FakeLines

    init(
      _ loop: EventLoop, server: ReplyServer = ReplyServer(), storage: FakeStorage = FakeStorage(),
      lines: FakeLines = FakeLines(), log: Logger = quietLog, context change: (inout CommandContext) -> Void = { _ in }
    ) async throws {
      self.server = server
      self.storage = storage
      self.lines = lines
      var context = commandContext(lines: lines)
      change(&context)
      desk = CommandDesk(
        on: loop, api: server, router: CommandRouter(context), ledger: CommandLedger(storage), log: log,
        mendInterval: .milliseconds(1))
      try await desk.start()
    }

    /// As from a poll opened just now.
    func deliver(_ id: Int64, _ method: String, _ params: String = "null", opened: Duration? = nil) async throws {
      await desk.received(try command(id, method, params), pollOpenedAt: opened ?? Uptime.boottime)
    }
  }

  /// Turns the loop until it is so.
  private static func until(_ loop: EventLoop, _ condition: () async -> Bool) async throws {
    while !(await condition()) { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
  }

  @Test func aCommandRunsBetweenItsTwoRecordsAndIsAnswered() throws {
    try onCommandLoop { loop in
      let storage = FakeStorage()
      let order = PortJournal()
      let lines = FakeLines(beforeSet: { order.note("\(storage.kinds.count)") })
      let bench = try await Bench(loop, storage: storage, lines: lines)
      try await bench.deliver(3, "setGpio", Self.set)
      #expect(bench.server.posted == [.init(id: 3, reply: Self.reply)])
      #expect(lines.journal == ["relay=1"])
      #expect(order.all == ["1"])  // its start was down
      await bench.desk.stop(within: .seconds(5))
      #expect(storage.kinds == [.started, .finished, .closed])
      #expect(storage.atRisk == 0, "a power cut would bring the reply back under a number the server gives again")
      #expect(await bench.desk.status == .init(executed: 1))
    }
  }

  @Test func readingLeavesTheDiskAlone() throws {
    try onCommandLoop { loop in
      let bench = try await Bench(loop)
      bench.storage.setFull(true)
      try await bench.deliver(1, "getGpio", "23")
      try await bench.deliver(2, "getValue")
      #expect(bench.server.posted.map(\.reply) == [#"{"pin":"relay","value":0}"#, "false"])
      #expect(await bench.desk.status.problem == nil)
    }
  }

  @Test func aFullDiskRefusesWhatLastsUntilItHasRoom() throws {
    try onCommandLoop { loop in
      let bench = try await Bench(loop)
      bench.storage.setFull(true)
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(bench.server.posted.first?.reply.contains(#"{"error":{"code":"unavailable""#) == true)
      #expect(bench.lines.journal.isEmpty)
      let status = await bench.desk.status
      #expect(status.refused == 1 && status.executed == 0)
      #expect(status.problem?.contains("No space left") == true)
      bench.storage.setFull(false)
      try await bench.deliver(2, "setGpio", Self.set)
      #expect(bench.lines.journal == ["relay=1"])
      #expect(await bench.desk.status.problem == nil)
    }
  }

  @Test func aResultThatCannotBeWrittenIsPostedAllTheSame() throws {
    try onCommandLoop { loop in
      let storage = FakeStorage()
      let bench = try await Bench(loop, storage: storage, lines: FakeLines(beforeSet: { storage.setFull(true) }))
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(bench.server.posted.map(\.reply) == [Self.reply])
      #expect(await bench.desk.status.problem != nil)
    }
  }

  @Test func aRedeliveryWhileItRunsWaitsASecondAndRunsNothing() throws {
    try onCommandLoop { loop in
      let gate = Gate()
      let bench = try await Bench(loop, lines: FakeLines(beforeSet: { await gate.wait() }))
      let began = Uptime.monotonic
      try await bench.deliver(1, "setGpio", Self.set)
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(Uptime.monotonic - began >= CommandDesk.deliveryPatience * 2)
      #expect(bench.server.posted.isEmpty)
      #expect(gate.waiting == 1)
      // What is behind it is not held up.
      try await bench.deliver(2, "getGpio", "17")
      #expect(bench.server.posted.map(\.id) == [2])
      gate.open()
      try await Self.until(loop) { await bench.desk.status.pending == 0 }
      #expect(bench.lines.journal == ["relay=1"])
      #expect(bench.server.posted.map(\.id) == [2, 1])
      #expect(await bench.desk.status.duplicates == 1)
    }
  }

  @Test func whatTwoPollsBringRunsOnceAndARecycledNumberRunsAgain() throws {
    try onCommandLoop { loop in
      let bench = try await Bench(loop)
      let opened = Uptime.boottime
      try await bench.deliver(0, "setGpio", Self.set, opened: opened)
      try await bench.deliver(0, "setGpio", Self.set, opened: opened)
      #expect(bench.lines.journal == ["relay=1"])
      #expect(bench.server.posted.count == 1)
      // The server has restarted and counts from 0 again.
      try await bench.deliver(0, "setGpio", Self.set)
      #expect(bench.lines.journal == ["relay=1", "relay=1"])
      #expect(bench.server.posted.count == 2)
      // One number, another text: another command, whichever poll brought it.
      try await bench.deliver(0, "setGpio", #"{"pin":"relay","value":0}"#, opened: opened)
      #expect(bench.lines.journal == ["relay=1", "relay=1", "relay=0"])
    }
  }

  @Test func repliesArePostedUntilTheServerHasThemAndARedeliveryHastens() throws {
    try onCommandLoop { loop in
      let server = ReplyServer([DeviceAPIError(.unreachable, "no answer", retryAfter: .seconds(50))])
      let bench = try await Bench(loop, server: server)
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(server.attempts == 1)
      #expect(await bench.desk.status.pending == 1)
      server.answer([nil])
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(server.posted == [.init(id: 1, reply: Self.reply)])
      #expect(bench.lines.journal == ["relay=1"])
    }
  }

  @Test(arguments: [DeviceAPIError.Code.poison, .tooLarge]) func aReplyTheServerRefusesIsReplacedAndThenGivenUp(
    _ code: DeviceAPIError.Code
  ) throws {
    try onCommandLoop { loop in
      let refusal = DeviceAPIError(code, "no")
      let server = ReplyServer([refusal, nil])
      let bench = try await Bench(loop, server: server)
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(server.posted == [.init(id: 1, reply: CommandError.replyRefused.json.text)])
      server.answer([refusal, refusal, nil])
      try await bench.deliver(2, "setGpio", Self.set)
      #expect(server.attempts == 4)
      #expect(server.posted.count == 1)
      // The server asks once more.
      try await bench.deliver(2, "setGpio", Self.set)
      #expect(server.posted.last == .init(id: 2, reply: Self.reply))
      #expect(bench.lines.journal == ["relay=1", "relay=1"])
    }
  }

  @Test func moreThanMayRunAtOnceAreBusyAndStayRefused() throws {
    try onCommandLoop { loop in
      let gate = Gate()
      let bench = try await Bench(loop, lines: FakeLines(beforeSet: { await gate.wait() }))
      for id in 0..<Int64(CommandDesk.runningLimit) {
        let sent = try command(id, "setGpio", Self.set)
        Task(executorPreference: loop) { await bench.desk.received(sent, pollOpenedAt: .zero) }
      }
      try await Self.until(loop) { gate.waiting == CommandDesk.runningLimit }
      let opened = Uptime.boottime
      try await bench.deliver(99, "setGpio", Self.set, opened: opened)
      #expect(bench.server.posted == [.init(id: 99, reply: CommandError.busy.json.text)])
      gate.open()
      try await Self.until(loop) { await bench.desk.status.pending == 0 }
      // The other poll brings it when there is room again.
      try await bench.deliver(99, "setGpio", Self.set, opened: opened)
      #expect(bench.lines.journal.count == CommandDesk.runningLimit)
      #expect(await bench.desk.status.refused == 1)
    }
  }

  @Test func aMemoryFullOfUnconfirmedRepliesIsBusyToo() throws {
    try onCommandLoop { loop in
      let old = (0..<Int64(CommandMemory.pendingLimit)).map { id in
        (key: CommandKey(id: id, fingerprint: 9), reply: Array("1".utf8) as [UInt8]?)
      }
      let bench = try await Bench(loop, storage: FakeStorage(CommandRecovery(replies: old)))
      try await bench.deliver(1000, "setGpio", Self.set)
      #expect(bench.server.posted == [.init(id: 1000, reply: CommandError.busy.json.text)])
      #expect(bench.lines.journal.isEmpty)
    }
  }

  @Test func aRestartAnswersWhatWasCutOffAndWhatWasFinishedWithoutRunningEither() throws {
    try onCommandLoop { loop in
      let cut = CommandKey(try command(1, "setGpio", Self.set))
      let finished = CommandKey(try command(2, "setGpio", Self.set))
      let storage = FakeStorage(CommandRecovery(replies: [(cut, nil), (finished, Array(Self.reply.utf8))]))
      let bench = try await Bench(loop, storage: storage)
      // Nothing is posted before the server asks: the number may be another command's by now.
      #expect(bench.server.attempts == 0)
      try await bench.deliver(1, "setGpio", Self.set)
      try await bench.deliver(2, "setGpio", Self.set)
      #expect(
        bench.server.posted == [
          .init(id: 1, reply: CommandError.interrupted.json.text), .init(id: 2, reply: Self.reply),
        ])
      #expect(bench.lines.journal.isEmpty)
      await bench.desk.stop(within: .seconds(5))
      #expect(storage.kinds == [.closed, .closed])
    }
  }

  @Test func aStopLetsWhatRunsEndAndTakesNothingNew() throws {
    try onCommandLoop { loop in
      let gate = Gate()
      let bench = try await Bench(loop, lines: FakeLines(beforeSet: { await gate.wait() }))
      let sent = try command(1, "setGpio", Self.set)
      Task(executorPreference: loop) { await bench.desk.received(sent, pollOpenedAt: .zero) }
      try await Self.until(loop) { gate.waiting == 1 }
      let stop = Task(executorPreference: loop) { await bench.desk.stop(within: .seconds(20)) }
      try await loop.sleep(for: .milliseconds(1))
      try await bench.deliver(2, "setGpio", Self.set)
      gate.open()
      await stop.value
      #expect(bench.server.posted == [.init(id: 1, reply: Self.reply)])
      #expect(bench.lines.journal == ["relay=1"])
    }
  }

  @Test func aStopEndsAProgramThatTakesTooLongAndSaysSo() throws {
    try onCommandLoop { loop in
      let bench = try await Bench(loop) { $0.rpc.run = ["slow": ["/bin/sleep", "60"]] }
      try await bench.deliver(1, "run", #""slow""#)
      await bench.desk.stop(within: .milliseconds(50))
      #expect(bench.server.posted == [.init(id: 1, reply: CommandError.interrupted.json.text)])
      #expect(bench.storage.kinds.prefix(2) == [.started, .finished])
    }
  }

  /// The card lets go of a command's start after its time is up: it is known on the disk, but must not begin now.
  @Test(arguments: [true, false]) func whatTheCardHeldUpBeyondTheStopDoesNotBegin(inTimeForItsReply: Bool) throws {
    try onCommandLoop { loop in
      let card = HeldStorage()
      let lines = FakeLines()
      let server = ReplyServer()
      let desk = CommandDesk(
        on: loop, api: server, router: CommandRouter(commandContext(lines: lines)), ledger: CommandLedger(card),
        log: quietLog)
      try await desk.start()
      let sent = try command(1, "setGpio", Self.set)
      Task(executorPreference: loop) { await desk.received(sent, pollOpenedAt: .zero) }
      try await Self.until(loop) { card.isHolding }
      let stop = Task(executorPreference: loop) { await desk.stop(within: .zero) }
      let replies = CommandDesk.lastReplies
      try await loop.sleep(for: inTimeForItsReply ? replies / 4 : replies * 5 / 4)
      card.letGo()
      await stop.value
      #expect(lines.journal.isEmpty)
      // Else the next life answers.
      let interrupted = ReplyServer.Posted(id: 1, reply: CommandError.interrupted.json.text)
      #expect(server.posted == (inTimeForItsReply ? [interrupted] : []))
    }
  }

  /// An LED widget asks each second, for years.
  @Test func whatWidgetsAskAllDayDoesNotFillTheLog() throws {
    let lines = LogLines()
    try onCommandLoop { loop in
      let bench = try await Bench(loop, log: lines.logger)
      for id in 0..<50 {
        try await bench.deliver(Int64(3 * id), "getValue")
        try await bench.deliver(Int64(3 * id + 1), "checkStatus")
        try await bench.deliver(Int64(3 * id + 2), "setValue", "true")
      }
      #expect(bench.server.posted.count == 150)
    }
    #expect(lines.told.count { $0.text.contains("getValue") } == 0)
    #expect(lines.told.count { $0.text.contains("checkStatus: unknown_method") } == 1)
    #expect(lines.told.count { $0.text.contains("setValue: ok") } == 50, "what has an effect is told each time")
  }

  @Test func whatItCarriesIsInNoLogLine() throws {
    let lines = LogLines()
    try onCommandLoop { loop in
      let bench = try await Bench(loop, log: lines.logger) {
        $0.status = { .object([.init("answer", .string("sesame-out"))]) }
      }
      try await bench.deliver(1, "serialWrite", #"{"port":"arduino","text":"sesame-in"}"#)
      try await bench.deliver(2, "getStatus")
      #expect(bench.server.posted.count == 2)
    }
    #expect(lines.count(of: "serialWrite") > 0)
    #expect(lines.count(of: "sesame") == 0)
  }

  @Test func aDiskThatIsWellAgainIsNoticedWithoutACommand() throws {
    try onCommandLoop { loop in
      let storage = FakeStorage(CommandRecovery(problem: SystemError("open", errno: EROFS)))
      storage.setFull(true)
      let bench = try await Bench(loop, storage: storage)
      #expect(await bench.desk.status.problem?.contains("Read-only") == true, "at the start")
      try await Self.until(loop) { await bench.desk.status.problem?.contains("No space left") == true }
      storage.setFull(false)
      try await Self.until(loop) { await bench.desk.status.problem == nil }
    }
  }

  @Test func aStopTriesEachReplyOnceMoreAndLeavesTheRestToTheNextLife() throws {
    try onCommandLoop { loop in
      let server = ReplyServer([DeviceAPIError(.unreachable, "no answer", retryAfter: .seconds(50))])
      let bench = try await Bench(loop, server: server)
      try await bench.deliver(1, "setGpio", Self.set)
      #expect(server.attempts == 1)
      await bench.desk.stop(within: .seconds(20))
      #expect(server.attempts == 2)
      #expect(bench.storage.kinds == [.started, .finished])
    }
  }

  @Test func theFileCarriesAReplyIntoTheNextLifeAndLetsItGoThere() throws {
    let scratch = try CommandScratch()
    try onCommandLoop { loop in
      let lines = FakeLines()
      let sent = try command(7, "setGpio", Self.set)
      func live(_ server: ReplyServer, _ body: (CommandDesk) async throws -> Void) async throws {
        let desk = CommandDesk(
          on: loop, api: server, router: CommandRouter(commandContext(lines: lines)),
          ledger: CommandLedger(stateDirectory: scratch.path), log: quietLog)
        try await desk.start()
        try await body(desk)
        await desk.stop(within: .seconds(5))
      }
      try await live(ReplyServer([DeviceAPIError(.unreachable, "no answer")])) { desk in
        await desk.received(sent, pollOpenedAt: Uptime.boottime)
      }
      let server = ReplyServer()
      try await live(server) { desk in
        #expect(await desk.status.pending == 1)
        await desk.received(sent, pollOpenedAt: Uptime.boottime)
      }
      #expect(server.posted == [.init(id: 7, reply: Self.reply)])
      #expect(lines.journal == ["relay=1"])
      // Confirmed, so the number is free: the same text is a new command.
      try await live(server) { desk in
        #expect(await desk.status.pending == 0)
        await desk.received(sent, pollOpenedAt: Uptime.boottime)
      }
      #expect(lines.journal == ["relay=1", "relay=1"])
      #expect(server.posted.count == 2)
    }
  }
}

/// A card that takes its time over the first record.
private final class HeldStorage: CommandStorage {
  private let state = Mutex<(isHolding: Bool, isOpen: Bool)>((false, false))

  var isHolding: Bool { state.withLock { $0.isHolding } }
  func letGo() { state.withLock { $0.isOpen = true } }

  func load() -> CommandRecovery { CommandRecovery() }
  func append(_ record: CommandRecord, isDurable: Bool) throws(SystemError) {
    state.withLock { $0.isHolding = true }
    while !state.withLock({ $0.isOpen }) { usleep(1000) }
  }
  func mend() throws(SystemError) {}
  func close() {}
}
