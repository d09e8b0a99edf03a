import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct CommandPollsTests {
  private static func command(_ number: Int64) -> ServerCommand {
    ServerCommand(id: CommandID(number), method: "setGpio", params: .object([.init("pin", .integer(number))]))
  }

  @Test func commandsArriveOverManyPollsWithTheTimeTheirPollOpened() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let received = Collected<(command: ServerCommand, openedAt: Duration)>()
      let begin = Uptime.monotonic
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: .quick, log: silent) { command, openedAt in
        received.append((command, openedAt))
        try? await server.reply(.null, to: command.id)
      }
      try await polls.start()
      for number in 0..<20 {
        try await loop.eventually("a poll is open") { server.open > 0 }
        server.send(Self.command(Int64(number)), oneWay: number % 2 == 0)
        try await loop.eventually("it arrives") { received.all.contains { $0.command == Self.command(Int64(number)) } }
      }
      try await loop.eventually("polls end and others open") { server.requests > 24 && server.open > 0 }
      #expect(server.mostOpen <= PollSchedule.mostOpen)
      #expect(received.all.allSatisfy { $0.openedAt >= begin && $0.openedAt <= Uptime.monotonic })
      let status = await polls.status
      #expect(status.state == .polling && status.open > 0 && status.delivered >= 20 && status.lastAnswer != nil)
      await polls.stop()
      #expect(await polls.status.state == .stopped)
    }
  }

  @Test func aStopGivesUpPollsButNotWhatIsBeingCarriedOut() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let (begun, ended) = (Collected<ServerCommand>(), Collected<Bool>())
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: .quick, log: silent) { command, _ in
        begun.append(command)
        do {
          try await loop.sleep(for: .milliseconds(30))
          ended.append(Task.isCancelled)
        } catch { ended.append(true) }
      }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open > 0 }
      server.send(Self.command(1), oneWay: true)
      try await loop.eventually("it is being carried out") { !begun.all.isEmpty }
      await polls.stop()
      #expect(ended.all == begun.all.map { _ in false }, "carried out, and not cancelled")
      let requests = server.requests
      #expect(server.open == 0)
      try await loop.sleep(for: PollTiming.quick.longest)
      #expect(server.requests == requests, "a timer is left")
    }
  }

  @Test func pollsGoOnAfterAnOutageThatIsToldOnce() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let lines = LogLines()
      let received = Collected<ServerCommand>()
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: .quick, log: lines.logger) { command, _ in
        received.append(command)
      }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open > 0 }
      server.fail(with: .overloaded)
      try await loop.eventually("it is tried again and again") { server.requests > 10 }
      let status = await polls.status
      #expect(status.isFailing && status.lastError?.code == .unavailable)
      server.send(Self.command(1), oneWay: false)
      server.fail(with: nil)
      try await loop.eventually("it arrives") { received.all.first == Self.command(1) }
      #expect(await polls.status.isFailing == false)
      await polls.stop()
      #expect(lines.told.map(\.level) == [.warning, .notice])
      #expect(lines.told.first?.text.contains("commands do not arrive meanwhile") == true)
      #expect(lines.told.last?.text.hasPrefix("commands arrive again after") == true)
    }
  }

  @Test func aRestartOpensOtherPolls() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      var timing = PollTiming.quick
      timing.longest = .seconds(3600)
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: timing, log: silent) { _, _ in }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      await polls.restart()
      try await loop.eventually("another one is open") { server.requests == 2 && server.open == 1 }
      await polls.stop()
      #expect(server.open == 0)
    }
  }

  @Test func aLookTakesAllThatWaits() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let received = Collected<ServerCommand>()
      for number in 0..<5 { server.send(Self.command(Int64(number)), oneWay: number % 2 == 0) }
      let polls = CommandPolls(on: loop, api: server, mode: .every(.seconds(3600)), timing: .quick, log: silent) {
        command, _ in
        received.append(command)
        try? await server.reply(.null, to: command.id)
      }
      try await polls.start()
      try await loop.eventually("the look is over") {
        if case .waiting = await polls.status.state { true } else { false }
      }
      #expect(received.all == (0..<5).map { Self.command($0) })
      #expect(server.requests == 6 && server.open == 0)
      await polls.stop()
    }
  }

  @Test func aLookAtACommandThatStaysPendingComesToAnEnd() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      server.send(Self.command(1), oneWay: false)
      let polls = CommandPolls(on: loop, api: server, mode: .every(.seconds(3600)), timing: .quick, log: silent) {
        _, _ in
      }
      try await polls.start()
      try await loop.eventually("the look is over") {
        if case .waiting = await polls.status.state { true } else { false }
      }
      #expect(server.requests == PollTiming.quick.mostPerLook)
      await polls.stop()
    }
  }

  @Test func aTwoWayCommandBetweenTwoLooksArrives() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let received = Collected<ServerCommand>()
      let polls = CommandPolls(on: loop, api: server, mode: .every(.milliseconds(40)), timing: .quick, log: silent) {
        command, _ in
        received.append(command)
        try? await server.reply(.null, to: command.id)
      }
      try await polls.start()
      for number in 1...3 {
        try await loop.eventually("looks come and go") { server.requests > number * 2 && server.open == 0 }
        server.send(Self.command(Int64(number)), oneWay: false)
        try await loop.eventually("it arrives") { received.all.last == Self.command(Int64(number)) }
      }
      #expect(server.mostOpen == 1)
      await polls.stop()
      #expect(server.open == 0)
    }
  }

  @Test(arguments: [true, false]) func nothingIsAskedWhereNothingCanCome(isOff: Bool) throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop, hasDownlink: isOff)
      let commands = CommandPolls(on: loop, api: server, mode: isOff ? .off : .on, timing: .quick, log: silent) {
        _, _ in
      }
      let attributes = SharedAttributes(on: loop, api: server, mode: isOff ? .off : .on, timing: .quick, log: silent) {
        _ in
      }
      try await commands.start()
      try await attributes.start()
      try await loop.sleep(for: .milliseconds(50))
      #expect(await commands.status.state == (isOff ? .off : .unsupported))
      #expect(await attributes.status.polls.state == (isOff ? .off : .unsupported))
      await commands.stop()
      await attributes.stop()
      #expect(server.requests == 0 && server.readings == 0)
    }
  }

  @Test func aTransportThatDoesNotPollIsLeftAlone() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      server.fail(with: .unsupported)
      let lines = LogLines()
      let commands = CommandPolls(on: loop, api: server, mode: .on, timing: .quick, log: lines.logger) { _, _ in }
      let looks = CommandPolls(on: loop, api: server, mode: .every(.milliseconds(1)), timing: .quick, log: silent) {
        _, _ in
      }
      try await commands.start()
      try await looks.start()
      try await loop.eventually("all is over") {
        let states = (await commands.status.state, await looks.status.state)
        return states == (.unsupported, .unsupported)
      }
      try await loop.sleep(for: .milliseconds(30))
      #expect(server.requests == 2)
      await commands.stop()
      await looks.stop()
      #expect(await commands.status.state == .unsupported)
      #expect(lines.told.isEmpty)
    }
  }
}

@Suite struct SharedAttributesTests {
  /// What somebody knows who only hears of changes, and how often he heard what he knew.
  private static func known(_ reports: [[SharedAttributeChange]]) -> (values: [JSON.Member], repeated: Int) {
    var values: [String: JSON] = [:]
    var repeated = 0
    for change in reports.joined() {
      if values[change.key] == change.value { repeated += 1 }
      values[change.key] = change.value
    }
    return (values.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }, repeated)
  }

  @Test(arguments: 0..<4) func whateverHappensTheServersValuesAreKnownInTheEnd(seed: UInt64) throws {
    let loop = try EventLoop()
    try loop.run {
      var generator = SplitMix(seed: seed)
      let server = DownlinkServer(loop)
      server.set("there from the start", .string("x"))
      let reports = Collected<[SharedAttributeChange]>()
      let attributes = SharedAttributes(on: loop, api: server, mode: .on, timing: .quick, log: silent) {
        reports.append($0)
      }
      try await attributes.start()
      for _ in 0..<80 {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: server.breakOff(.broken)
        case 1: server.fail(with: .overloaded)
        case 2, 3: server.fail(with: nil)
        case 4: server.set("k\(Int.random(in: 0..<3, using: &generator))", nil)
        default:
          let value = Int64.random(in: 0..<100, using: &generator)
          server.set("k\(Int.random(in: 0..<3, using: &generator))", .integer(value))
        }
        if generator.chance(60) { try await loop.sleep(for: generator.duration(0...15), accuracy: .microseconds(100)) }
      }
      server.fail(with: nil)
      try await loop.eventually("what is known is what the server has") {
        await attributes.values.map { JSON.Member($0.0, $0.1) } == server.values
      }
      let known = Self.known(reports.all)
      #expect(known.values == server.values)
      #expect(known.repeated == 0)
      await attributes.stop()
      #expect(server.open == 0)
    }
  }

  @Test func aChangeIsToldWhenAPollBringsItAndNotAgain() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let lines = LogLines()
      server.set("rate", .integer(1))
      let reports = Collected<[SharedAttributeChange]>()
      let attributes = SharedAttributes(on: loop, api: server, mode: .on, timing: .quick, log: lines.logger) {
        reports.append($0)
      }
      try await attributes.start()
      try await loop.eventually("all are read") { await attributes.values.count == 1 }
      try await loop.eventually("a poll is open") { server.open > 0 }
      let readings = server.readings
      server.set("password", .string("hunter2"))
      try await loop.eventually("it is told") { reports.all.count == 2 }
      try await loop.eventually("and read again") { server.readings > readings }
      server.set("rate", nil)
      try await loop.eventually("a deletion, too") { await attributes.values.count == 1 }
      await attributes.stop()
      #expect(
        reports.all == [
          [.init(key: "rate", value: .integer(1))], [.init(key: "password", value: .string("hunter2"))],
          [.init(key: "rate", value: nil)],
        ])
      #expect(
        lines.told.map(\.text) == [
          "1 shared attributes were read", "shared attribute \"password\" is now text",
          "shared attribute \"rate\" was deleted",
        ])
    }
  }

  @Test func atAnIntervalAllAreReadAndNothingIsPolled() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      server.set("a", .integer(1))
      let reports = Collected<[SharedAttributeChange]>()
      let attributes = SharedAttributes(
        on: loop, api: server, mode: .every(.milliseconds(10)), timing: .quick, log: silent
      ) { reports.append($0) }
      try await attributes.start()
      try await loop.eventually("the first") { reports.all.count == 1 }
      server.fail(with: .unknownToken)
      let readings = server.readings
      try await loop.eventually("failures") { server.readings > readings + 2 }
      #expect(await attributes.status.polls.isFailing)
      server.set("a", .integer(2))
      server.fail(with: nil)
      try await loop.eventually("the change") { reports.all.count == 2 }
      #expect(await attributes.status.polls.isFailing == false)
      await attributes.stop()
      #expect(reports.all.last == [.init(key: "a", value: .integer(2))])
      #expect(server.requests == 0)
    }
  }

  @Test func valuesTheTableRefusesAreToldOfOnce() throws {
    let loop = try EventLoop()
    try loop.run {
      let server = DownlinkServer(loop)
      let lines = LogLines()
      let large = JSON.string(String(repeating: "x", count: SharedAttributeTable.byteLimit))
      server.set("large", large)
      let attributes = SharedAttributes(
        on: loop, api: server, mode: .every(.milliseconds(5)), timing: .quick, log: lines.logger
      ) { _ in }
      try await attributes.start()
      try await loop.eventually("it is read again and again") { server.readings > 3 }
      #expect(await attributes.status.refused > 1)
      await attributes.stop()
      #expect(lines.told.count == 1)
    }
  }
}

@Suite struct PollJournalTests {
  @Test func onePollThatBreaksOffIsNoOutage() {
    let lines = LogLines()
    var journal = PollJournal(.commands, log: lines.logger)
    journal.failed(.broken, next: .seconds(1), inARow: 1)
    journal.answered()
    journal.failed(.overloaded, next: nil, inARow: 1)
    #expect(lines.told.isEmpty)
    #expect(!journal.status.isFailing && journal.status.lastError != nil)
  }

  @Test func eachCauseIsToldOnceAndWhatNeedsAPersonAtOnce() {
    let lines = LogLines()
    var journal = PollJournal(.commands, log: lines.logger)
    journal.failed(.unknownToken, next: .seconds(30), inARow: 1)
    for attempt in 2...50 { journal.failed(.broken, next: .seconds(60), inARow: attempt) }
    journal.answered()
    #expect(lines.told.map(\.level) == [.error, .warning, .notice])
    #expect(
      lines.told.first?.text
        == "the server does not know the token; commands do not arrive meanwhile, next try in 30 s")
  }

  /// A command nobody can read was answered and is over: a line, and no outage.
  @Test func whatCannotBeReadIsToldAndNoOutage() {
    let lines = LogLines()
    var journal = PollJournal(.commands, log: lines.logger)
    let poison = DeviceAPIError(.poison, "sent command 7, which cannot be read")
    for _ in 0..<20 {
      journal.failed(poison, next: .seconds(1), inARow: 1)
      journal.answered()
    }
    #expect(lines.told.map(\.text) == ["the server sent command 7, which cannot be read"])
    #expect(!journal.status.isFailing && journal.status.lastError != nil)
    // One that comes again each time holds up all behind it.
    journal.failed(poison, next: .seconds(2), inARow: 2)
    #expect(journal.status.isFailing && lines.told.count == 2)
  }

  @Test func whatThisSideGaveUpIsNotTold() {
    let lines = LogLines()
    var journal = PollJournal(.commands, log: lines.logger)
    journal.failed(.init(.cancelled, "given up"), next: .seconds(1), inARow: 5)
    #expect(lines.told.isEmpty && journal.status.lastError == nil)
  }
}
