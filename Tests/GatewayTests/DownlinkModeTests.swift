import Configuration
import EventLoop
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct CommandPollsModeTests {
  /// Polls that do not end by themselves.
  private static let long: PollTiming = {
    var timing = PollTiming.quick
    timing.longest = .seconds(3600)
    timing.look = .seconds(3600)
    return timing
  }()

  private static func command(_ number: Int64) -> ServerCommand {
    ServerCommand(id: CommandID(number), method: "m", params: .null)
  }

  @Test func aModeThatIsTheSameLeavesThePollOpen() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: Self.long, log: silent) { _, _ in }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      try await polls.use(.on)
      await CallRig.settle()
      #expect(server.open == 1 && server.requests == 1)
      await polls.stop()
    }
  }

  @Test func offGivesUpWhatIsOpenAndOnOpensAnother() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let received = Collected<ServerCommand>()
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: Self.long, log: silent) { command, _ in
        received.append(command)
      }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      try await polls.use(.off)
      #expect(server.open == 0)
      #expect(await polls.status.state == .off)
      #expect(await polls.status.open == 0)
      try await polls.use(.on)
      try await loop.eventually("another is open") { server.open == 1 && server.requests == 2 }
      server.send(Self.command(1), oneWay: true)
      try await loop.eventually("it arrives") { received.all == [Self.command(1)] }
      await polls.stop()
      #expect(await polls.status.state == .stopped)
    }
  }

  @Test(arguments: [DownlinkOptions.Mode.off, .every(.seconds(3600))])
  func whatCameIsDeliveredFirst(_ mode: DownlinkOptions.Mode) throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let (begun, gate) = (Tally(), Tally())
      let ended = Collected<Bool>()
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: Self.long, log: silent) { _, _ in
        begun.add()
        await gate.reaches(1)
        ended.append(Task.isCancelled)
      }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      server.send(Self.command(1), oneWay: true)
      await begun.reaches(1)
      let change = Task(executorPreference: loop) { try await polls.use(mode) }
      await CallRig.settle()
      #expect(ended.all.isEmpty)
      gate.add()
      try await change.value
      #expect(ended.all == [false])
      await polls.stop()
    }
  }

  @Test func looksTakeTheNewInterval() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let polls = CommandPolls(
        on: loop, api: server, mode: .every(.seconds(3600)), timing: .quick, log: silent
      ) { _, _ in }
      try await polls.start()
      try await loop.eventually("the first look is over") {
        if case .waiting = await polls.status.state { true } else { false }
      }
      #expect(server.requests == 1)
      try await polls.use(.every(.milliseconds(1)))
      try await loop.eventually("many follow") { server.requests > 5 }
      try await polls.use(.off)
      let requests = server.requests
      await CallRig.settle()
      #expect(server.requests == requests)
      #expect(await polls.status.state == .off)
      await polls.stop()
    }
  }

  @Test func anOutageIsNoneWhereNothingIsAsked() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let lines = LogLines()
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: .quick, log: lines.logger) { _, _ in }
      server.fail(with: .overloaded)
      try await polls.start()
      try await loop.eventually("it fails") { await polls.isFailing }
      try await polls.use(.off)
      #expect(await polls.isFailing == false)
      #expect(lines.count(of: "arrive again") == 0)
      await polls.stop()
    }
  }

  /// Whatever comes meanwhile, the last word counts and at most its polls are open.
  @Test(arguments: UInt64(1)...20) func theLastModeCounts(_ seed: UInt64) throws {
    try CallRig.run { loop in
      var generator = SplitMix(seed: seed)
      let server = DownlinkServer(loop)
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: Self.long, log: silent) { _, _ in }
      try await polls.start()
      let modes: [DownlinkOptions.Mode] = [.on, .off, .every(.seconds(60)), .every(.seconds(90))]
      var changes: [Task<Void, any Error>] = []
      var last = DownlinkOptions.Mode.on
      for number in 0..<30 {
        last = modes[Int.random(in: 0..<modes.count, using: &generator)]
        if number % 7 == 6 { server.breakOff(.broken) }
        let mode = last
        changes.append(Task(executorPreference: loop) { try await polls.use(mode) })
        if generator.chance(30) { await CallRig.settle() }
      }
      for change in changes { try await change.value }
      await CallRig.settle()
      switch last {
      case .off: #expect(server.open == 0)
      // One look, or one poll; two while they overlap.
      case .on, .every: #expect((1...PollSchedule.mostOpen).contains(server.open))
      }
      await polls.stop()
      #expect(server.open == 0)
      try await polls.use(.on)
      try await polls.use(.every(.seconds(1)))
      await CallRig.settle()
      #expect(server.open == 0, "a stop is a stop")
    }
  }

  @Test func aStopDuringAChangeIsTheLastWord() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      let (begun, gate) = (Tally(), Tally())
      let polls = CommandPolls(on: loop, api: server, mode: .on, timing: Self.long, log: silent) { _, _ in
        begun.add()
        await gate.reaches(1)
      }
      try await polls.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      server.send(Self.command(1), oneWay: true)
      await begun.reaches(1)
      let change = Task(executorPreference: loop) { try await polls.use(.every(.seconds(60))) }
      await CallRig.settle()
      let stop = Task(executorPreference: loop) { await polls.stop() }
      await CallRig.settle()
      gate.add()
      await stop.value
      try await change.value
      await CallRig.settle()
      #expect(server.open == 0)
    }
  }
}

@Suite struct SharedAttributesModeTests {
  @Test func whatIsKnownIsNotToldAgain() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      server.set("rate", .integer(1))
      let reports = Collected<[SharedAttributeChange]>()
      let attributes = SharedAttributes(on: loop, api: server, mode: .on, timing: .quick, log: silent) {
        reports.append($0)
      }
      try await attributes.start()
      try await loop.eventually("all are read") { reports.all.count == 1 }
      try await loop.eventually("a poll is open") { server.open > 0 }
      try await attributes.use(.off)
      #expect(server.open == 0)
      #expect(await attributes.status.polls.state == .off)
      #expect(await attributes.values.count == 1)
      server.set("mode", .string("x"))
      for mode in [DownlinkOptions.Mode.every(.milliseconds(5)), .on] {
        let readings = server.readings
        try await attributes.use(mode)
        try await loop.eventually("they are read again") { server.readings > readings + 1 || mode == .on }
      }
      try await loop.eventually("a poll is open again") { server.open > 0 }
      try await loop.eventually("the change came") { reports.all.count == 2 }
      #expect(reports.all.last == [SharedAttributeChange(key: "mode", value: .string("x"))])
      await attributes.stop()
      try await attributes.use(.every(.milliseconds(1)))
      await CallRig.settle()
      #expect(server.open == 0)
      #expect(await attributes.status.polls.state == .stopped)
    }
  }

  @Test func aModeThatIsTheSameLeavesThePollOpen() throws {
    try CallRig.run { loop in
      let server = DownlinkServer(loop)
      var timing = PollTiming.quick
      timing.longest = .seconds(3600)
      let attributes = SharedAttributes(on: loop, api: server, mode: .on, timing: timing, log: silent) { _ in }
      try await attributes.start()
      try await loop.eventually("a poll is open") { server.open == 1 }
      try await attributes.use(.on)
      await CallRig.settle()
      #expect(server.open == 1 && server.requests == 1)
      await attributes.stop()
    }
  }
}
