import Configuration
import EventLoop
import Logging
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct ScheduledCallsOptionsTests {
  private static func call(_ name: String, _ interval: Duration = .milliseconds(1)) throws -> ScheduledCall {
    ScheduledCall(
      name: name, method: name, params: .object([]), interval: interval, values: [(["t"], try Key("t"))])
  }

  /// Notes which method was called; the one that hangs is never answered until it is cancelled.
  private static func onCalls(
    _ list: [ScheduledCall],
    _ body: @escaping @Sendable (ScheduledCalls, RuledAPI, Collected<String>, Collected<Sample>) async throws -> Void
  ) throws {
    try CallRig.run { loop in
      let (api, methods, samples) = (RuledAPI(), Collected<String>(), Collected<Sample>())
      api.onCall = { method, _ throws(DeviceAPIError) in
        methods.append(method)
        guard method == "hangs" else { return .object([JSON.Member("t", .integer(1))]) }
        do { try await loop.sleep(for: .seconds(60)) } catch { throw DeviceAPIError(.cancelled, "was given up") }
        return .object([JSON.Member("t", .integer(2))])
      }
      let calls = ScheduledCalls(on: loop, api: api, calls: list, log: quietLog) { samples.append($0) }
      try await calls.start()
      try await body(calls, api, methods, samples)
      await calls.stop()
    }
  }

  @Test func oneThatStaysKeepsItsTurnAndCounters() throws {
    let (slow, quick) = (try Self.call("slow", .seconds(3600)), try Self.call("quick"))
    try Self.onCalls([slow, quick]) { calls, api, methods, _ in
      await api.called.reaches(3)
      let before = await calls.status
      try await calls.use([slow, quick])
      try await calls.use([try Self.call("third", .seconds(3600)), quick])
      let status = await calls.status
      #expect(status.map(\.name) == ["third", "quick"])
      #expect(status[0].calls == 0 && status[1].calls >= before[1].calls)
      let count = api.called.count
      await api.called.reaches(count + 3)
      #expect(methods.all.last == "quick")
    }
  }

  @Test func oneThatIsAnotherBeginsAnew() throws {
    try Self.onCalls([try Self.call("quick", .seconds(3600))]) { calls, api, _, _ in
      try await calls.use([try Self.call("quick")])
      #expect(await calls.status.map(\.calls) == [0])
      await api.called.reaches(5)
    }
  }

  @Test func oneThatIsGoneTellsNothingAnyMore() throws {
    try Self.onCalls([try Self.call("hangs"), try Self.call("other", .seconds(3600))]) { calls, api, methods, samples in
      while !methods.all.contains("hangs") { await CallRig.settle() }
      try await calls.use([])
      let (count, told) = (api.called.count, samples.all.count)
      await CallRig.settle()
      #expect(api.called.count == count && samples.all.count == told)
      #expect(await calls.status.isEmpty)
    }
  }
}

@Suite struct ClaimerOptionsTests {
  private static func options(atBoot: Bool, secret: String = "S1") -> ClaimOptions {
    var options = ClaimOptions()
    options.atBoot = atBoot
    options.secret = Secret(secret)
    return options
  }

  private static func onClaimer(
    _ options: ClaimOptions?, pace: RetryPace = CallRig.hasty,
    _ body: @escaping @Sendable (Claimer, RuledAPI) async throws -> Void
  ) throws {
    try CallRig.run { loop in
      let api = RuledAPI()
      let claimer = Claimer(
        on: loop, api: api, options: options ?? ClaimOptions(), server: "http://tb", log: quietLog, pace: pace)
      try await body(claimer, api)
      await claimer.stop()
    }
  }

  @Test func aReloadIsNoStart() throws {
    try Self.onClaimer(nil) { claimer, api in
      await claimer.start()
      await claimer.use(Self.options(atBoot: true))
      await CallRig.settle()
      #expect(api.claims.isEmpty)
      await claimer.buttonPressed()
      await api.claimed.reaches(1)
      #expect(api.claims.first?.secret == Secret("S1"))
    }
  }

  @Test func whatIsStillTriedTakesTheNewSecret() throws {
    try Self.onClaimer(Self.options(atBoot: true, secret: "old")) { claimer, api in
      api.onClaim = { () throws(DeviceAPIError) in
        if api.claims.last?.secret == Secret("old") { throw .down }
      }
      await claimer.start()
      await api.claimed.reaches(3)
      await claimer.use(Self.options(atBoot: true, secret: "new"))
      while await claimer.lastClaim == nil { await CallRig.settle() }
      #expect(api.claims.last?.secret == Secret("new"))
    }
  }

  @Test(arguments: [true, false]) func whatIsStillTriedForTheStartEndsWhereItIsNoLongerWanted(_ isGone: Bool) throws {
    try Self.onClaimer(Self.options(atBoot: true)) { claimer, api in
      api.onClaim = { () throws(DeviceAPIError) in throw .down }
      await claimer.start()
      await api.claimed.reaches(3)
      await claimer.use(isGone ? nil : Self.options(atBoot: false))
      await CallRig.settle()
      let count = api.claims.count
      await CallRig.settle()
      #expect(api.claims.count == count)
    }
  }
}

@Suite struct CommandDeskRouterTests {
  @Test func oneUnderWayEndsWithTheOldAndANewOneTakesTheNew() throws {
    try onCommandLoop { loop in
      let (begun, gate) = (Tally(), Tally())
      let old = FakeLines(beforeSet: {
        begun.add()
        await gate.reaches(1)
      })
      let new = FakeLines()
      let server = ReplyServer()
      let desk = CommandDesk(
        on: loop, api: server, router: CommandRouter(commandContext(lines: old)), ledger: CommandLedger(FakeStorage()),
        log: quietLog)
      try await desk.start()
      let params = try JSON(parsing: Array(#"{"pin":"relay","value":1}"#.utf8))
      let first = Task(executorPreference: loop) {
        await desk.received(
          ServerCommand(id: CommandID(1), method: "setGpio", params: params), pollOpenedAt: Uptime.boottime)
      }
      await begun.reaches(1)
      await desk.use(CommandRouter(commandContext(lines: new)))
      await desk.received(
        ServerCommand(id: CommandID(2), method: "setGpio", params: params), pollOpenedAt: Uptime.boottime)
      #expect(new.journal == ["relay=1"] && old.journal.isEmpty)
      gate.add()
      await first.value
      await desk.stop(within: .seconds(1))
      #expect(old.journal == ["relay=1"] && new.journal == ["relay=1"])
      #expect(server.posted.map(\.id).sorted() == [1, 2])
    }
  }
}

@Suite struct ForgottenAttributesTests {
  private static func reading(_ name: String, _ value: Int64) throws -> Reading {
    Reading(try Key(name), .long(value))
  }

  @Test func oneThatIsForgottenIsNeitherSentNorCounted() throws {
    var ledger = AttributeLedger()
    for name in ["a", "b", "c"] { _ = ledger.want(try Self.reading(name, 1)) }
    let post = try #require(ledger.nextPost())
    ledger.forget([try Key("b"), try Key("unknown")])
    #expect(ledger.waiting == 2 && ledger.count == 2)
    // The post under way held it; what is left is confirmed all the same.
    ledger.confirm(post)
    #expect(ledger.waiting == 0 && ledger.nextPost() == nil)
    #expect(ledger.want(try Self.reading("c", 2)) == .accepted)
    #expect(ledger.nextPost()?.attributes == [try Self.reading("c", 2)])
    ledger.forget()
    #expect(ledger.waiting == 2, "another device gets what is wanted now")
    #expect(ledger.want(try Self.reading("b", 1)) == .accepted)
    #expect(ledger.waiting == 3)
  }

  @Test func nothingIsSentForIt() throws {
    try CallRig.run { loop in
      let api = RuledAPI()
      let attributes = ClientAttributes(on: loop, api: api, log: quietLog, window: .milliseconds(1))
      try await attributes.start()
      await attributes.set([try Self.reading("a", 1), try Self.reading("b", 1)])
      await api.posted.reaches(1)
      await CallRig.settle()
      await attributes.forget(keys: [try Key("a")])
      await attributes.resendAll()
      await api.posted.reaches(2)
      #expect(api.posts == [["a": .long(1), "b": .long(1)], ["b": .long(1)]])
      await attributes.stop(within: .seconds(1))
    }
  }
}

@Suite struct LogLevelTests {
  @Test func isChangedForLoggersMadeBefore() {
    let level = LogLevel(.info)
    let handler = BaudgateLogHandler(LogSink(.prefixed), level: level, secrets: SecretRegistry())
    let first = Logger(label: "a") { _ in handler }
    var second = first
    second[metadataKey: "port"] = "meters"
    #expect(first.logLevel == .info && second.logLevel == .info)
    level.use(.debug)
    #expect(first.logLevel == .debug && second.logLevel == .debug)
    second.logLevel = .error
    level.use(.trace)
    #expect(first.logLevel == .trace && second.logLevel == .error, "one of its own stays")
  }

  @Test(arguments: Logger.Level.allCases) func eachIsKept(_ level: Logger.Level) {
    let shared = LogLevel(.info)
    shared.use(level)
    #expect(shared.value == level)
  }

  @Test func secretsOfAnotherConfigurationAreHiddenToo() {
    let registry = SecretRegistry([Secret("first-token-1")])
    registry.add([Secret("other-token-22"), Secret("first-token-1")])
    #expect(!registry.masked("first-token-1 other-token-22").contains("token"))
  }
}
