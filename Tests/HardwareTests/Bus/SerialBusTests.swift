import EventLoop
import Foundation
import Logging
import Telemetry
import Testing

@testable import Hardware

/// A bus on real pseudo-terminals, with units at the far end.
@Suite struct SerialBusTests {
  @Test func questionsAreAnsweredOneAfterTheOther() throws {
    try onLoop { loop in
      let bench = try BusBench(loop)
      await bench.start()
      let answers = await withTaskGroup(of: [UInt8]?.self) { group in
        for index in 0..<50 {
          group.addTask(executorPreference: loop) {
            let request = Tiny.question(1 + index % 5, UInt8(index))
            return try? await bench.bus.exchange(request, as: index % 7 == 0 ? .command : .poll).get().bytes
          }
        }
        var answers: Set<[UInt8]> = []
        for await answer in group { if let answer { answers.insert(answer) } }
        return answers
      }
      let expected = (0..<50).map { (index: Int) -> [UInt8] in [UInt8(1 + index % 5), UInt8(index)] }
      #expect(answers == Set(expected))
      #expect(bench.far.questions.count == 50)
      #expect(!bench.far.hasOverlap)
      #expect(await bench.bus.units.map(\.answered) == [10, 10, 10, 10, 10])
      #expect(await bench.bus.unexpectedBytes == 0)
      #expect(await bench.bus.portStatus?.state == .open)
      await bench.bus.stop()
      #expect(await bench.bus.portStatus == nil)
    }
  }

  @Test func anAnswerCarriesTheTimeOfItsLastByte() throws {
    try onLoop { loop in
      let bench = try BusBench(loop)
      await bench.start()
      let before = CaptureTime.now()
      let answer = try await bench.bus.exchange(Tiny.question(1), as: .poll).get()
      #expect(before.boottime <= answer.time.boottime)
      #expect(answer.time.boottime <= CaptureTime.now().boottime)
      await bench.bus.stop()
    }
  }

  @Test func aSilentUnitIsLoggedOnceAndRefused() throws {
    try onLoop { loop in
      let bench = try BusBench(loop) { $0.timeout = .milliseconds(10) }
      bench.far.live = [1]
      await bench.start()
      let first = await bench.bus.exchange(Tiny.question(2), as: .poll)
      #expect(Self.code(first) == .timedOut)
      #expect(Self.code(await bench.bus.exchange(Tiny.question(2), as: .poll)) == .setAside)
      #expect(bench.far.questions.map { $0[0] } == [2, 2])
      bench.far.live = [1, 2]
      #expect(try await bench.bus.exchange(Tiny.question(2), as: .command).get().bytes == [2, 1])
      #expect(try await bench.bus.exchange(Tiny.question(2), as: .poll).get().bytes == [2, 1])
      await bench.bus.stop()
      let told = bench.log.told
      #expect(told.count == 3)
      #expect(
        told[1] == """
          warning: unit 2 on bus did not answer within 10 ms, 2 times in a row: nothing came \
          (\(bench.path), 115200 8N1); it is set aside and asked again in 1.0 s, then less and less often, at least \
          every 60 s or so; check its power, its address and the line
          """)
      #expect(told[2].hasPrefix("notice: unit 2 on bus answers again after "))
      #expect(bench.log.ports == ["bus"])
    }
  }

  @Test func whatHasArrivedBeforeAQuestionIsNotItsAnswer() throws {
    try onLoop { loop in
      let bench = try BusBench(loop) { $0.timeout = .milliseconds(20) }
      bench.far.live = []
      await bench.start()
      // In the kernel already when the question is asked, and seen by nobody.
      try bench.pty.send(Tiny.answer(1, 1))
      #expect(Self.code(await bench.bus.exchange(Tiny.question(1), as: .poll)) == .timedOut)
      #expect(await bench.bus.unexpectedBytes == 4)
      await bench.bus.stop()
    }
  }

  @Test func anAnswerThatWaitsInTheKernelIsSeenBeforeItsTimeIsUp() throws {
    try onLoop { loop in
      let bench = try BusBench(loop) {
        $0.timeout = .milliseconds(20)
        $0.retries = 0
      }
      bench.far.live = []
      await bench.start()
      let asking = Task(executorPreference: loop) { await bench.bus.exchange(Tiny.question(1), as: .poll) }
      try await bench.until { bench.far.questions.count == 1 }
      try bench.pty.send(Tiny.answer(1, 1))
      // The loop is held up until the time is over.
      usleep(60_000)
      #expect(try await asking.value.get().bytes == [1, 1])
      await bench.bus.stop()
    }
  }

  @Test func plainBytesAndBroadcastsGoOut() throws {
    try onLoop { loop in
      let bench = try BusBench(loop)
      await bench.start()
      try await bench.bus.write([9, 9])
      try await bench.bus.write([])
      #expect(try await bench.bus.exchange(Tiny.broadcast(3), as: .command).get().bytes == [])
      try await bench.until { bench.far.questions == [[9, 9], [0, 3]] }
      await #expect(throws: PortError.self) {
        try await bench.bus.write([UInt8](repeating: 0, count: BusRequest.byteLimit + 1))
      }
      await bench.bus.stop()
      let failure = await #expect(throws: PortError.self) { try await bench.bus.write([1]) }
      #expect(failure?.code == .notOpen)
    }
  }

  @Test func aLostPortFailsTheQuestionAndTheNextCommandWaitsForIt() throws {
    try onLoop { loop in
      let bench = try BusBench(loop) { $0.timeout = .seconds(20) }
      bench.far.live = []
      await bench.start()
      let asking = Task(executorPreference: loop) { await bench.bus.exchange(Tiny.question(1), as: .poll) }
      try await bench.until { bench.far.questions.count == 1 }
      let second = try PseudoTerminal()
      try bench.link.point(to: second.path)
      bench.hangUp()
      #expect(Self.code(await asking.value) == .notOpen)
      let far = try FarUnits(loop, second)
      #expect(try await bench.bus.exchange(Tiny.question(2), as: .command).get().bytes == [2, 1])
      #expect(bench.changes == 3)
      await bench.bus.stop()
      withExtendedLifetime(far) {}
    }
  }

  @Test func aStopEndsWhatWaits() throws {
    try onLoop { loop in
      let bench = try BusBench(loop) { $0.timeout = .seconds(20) }
      bench.far.live = []
      await bench.start()
      let asking = (1...3).map { unit in
        Task(executorPreference: loop) { await bench.bus.exchange(Tiny.question(unit), as: .poll) }
      }
      try await bench.until { bench.far.questions.count == 1 }
      await bench.bus.stop()
      for task in asking { #expect(Self.code(await task.value) == .stopped) }
      #expect(Self.code(await bench.bus.exchange(Tiny.question(1), as: .command)) == .stopped)
      // And on again.
      bench.far.live = [1]
      await bench.bus.start()
      #expect(try await bench.bus.exchange(Tiny.question(1), as: .command).get().bytes == [1, 1])
      await bench.bus.stop()
    }
  }

  @Test func otherBusOptionsLeaveThePortOpen() throws {
    try onLoop { loop in
      let bench = try BusBench(loop)
      await bench.start()
      var options = await bench.bus.options
      options.bus.timeout = .milliseconds(10)
      options.bus.retries = 0
      await bench.bus.use(options)
      bench.far.live = []
      #expect(Self.code(await bench.bus.exchange(Tiny.question(1), as: .poll)) == .timedOut)
      #expect(bench.far.questions.count == 1)
      #expect(bench.changes == 1)
      options.baud = 57_600
      await bench.bus.use(options)
      bench.far.live = [1]
      #expect(try await bench.bus.exchange(Tiny.question(1), as: .command).get().bytes == [1, 1])
      #expect(bench.changes == 3)
      #expect(await bench.bus.portStatus?.granted?.baud == 57_600)
      await bench.bus.stop()
    }
  }

  @Test func whoAsksIsNotCalledBeforeTheCallHasReturned() throws {
    try onLoop { loop in
      let bench = try BusBench(loop)
      let order = Attempts()
      // Not started: refused at once, and asked again and again from within.
      @Sendable func ask(_ times: Int) {
        bench.bus.assumeIsolated { bus in
          bus.submit(Tiny.question(1), as: .poll) { result in
            #expect(Self.code(result) == .stopped)
            order.add(times)
            if times < 1000 { ask(times + 1) }
          }
        }
        order.add(-1)
      }
      loop.execute { ask(1) }
      try await bench.until { order.count == 2000 }
      #expect(order.values.prefix(4) == [-1, 1, -1, 2] || order.values.prefix(4) == [-1, -1, 1, 2])
    }
  }

  @Test func thousandsOfQuestionsWithoutATaskEach() throws {
    try onLoop { loop in
      let bench = try BusBench(loop, timing: BusTiming(character: .zero, silence: .zero))
      await bench.start()
      let count = 5000
      let done = Attempts()
      @Sendable func ask(_ number: Int) {
        bench.bus.assumeIsolated { bus in
          bus.submit(Tiny.question(1 + number % 5, UInt8(number & 0x7F)), as: .poll) { result in
            if case .success = result { done.add() }
            if number < count { ask(number + 1) } else { bench.finish() }
          }
        }
      }
      let start = Uptime.monotonic
      await bench.finished { loop.execute { ask(1) } }
      let time = Uptime.monotonic - start
      #expect(done.count == count)
      #expect(await bench.bus.units.map(\.timeouts) == [0, 0, 0, 0, 0])
      if ProcessInfo.processInfo.environment["BUS_FIGURES"] != nil {
        print("\(count) exchanges in \(time): \(Int(Double(count) / (time / .seconds(1))))/s")
      }
      await bench.bus.stop()
    }
  }

  static func code(_ result: Result<BusAnswer, BusFailure>) -> BusFailure.Code? {
    if case .failure(let failure) = result { failure.code } else { nil }
  }
}

/// A bus under test, the units at its far end, and what it logs. Lives on one loop.
final class BusBench: @unchecked Sendable {
  // @unchecked: all of it is used on the loop's thread alone, but for the log, which is locked.
  let loop: EventLoop
  let pty: PseudoTerminal
  let link: PortLink
  let log = LogLines()
  private(set) var far: FarUnits
  // Its handler needs self, so the bus comes last.
  // swift-format-ignore: NeverUseImplicitlyUnwrappedOptionals
  private(set) var bus: SerialBus!
  private(set) var changes = 0
  private var ending: CheckedContinuation<Void, Never>?

  var path: String { link.path }

  init(_ loop: EventLoop, timing: BusTiming? = nil, _ change: (inout BusOptions) -> Void = { _ in }) throws {
    self.loop = loop
    pty = try PseudoTerminal()
    link = try PortLink(to: pty.path)
    far = try FarUnits(loop, pty)
    var options = SerialOptions(path: link.path, baud: 115_200)
    // A busy machine may take its time.
    options.bus.timeout = .seconds(5)
    change(&options.bus)
    let log = log
    bus = SerialBus(
      name: "bus", options: options, loop: loop, pool: BlockingPool(name: "test", threads: 2),
      log: Logger(label: "test") { _ in log.handler }, open: TTY.open,
      stateChanged: { [unowned self] in changes += 1 }, timing: { timing ?? BusTiming($0) })
  }

  func start() async {
    await bus.start()
    try? await until { self.changes == 1 }
  }

  /// The far end goes away.
  func hangUp() {
    far.close()
    pty.hangUp()
  }

  func until(_ condition: @escaping () -> Bool) async throws {
    while !condition() { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
  }

  /// Begins something and waits for `finish`.
  func finished(_ begin: () -> Void) async {
    await withCheckedContinuation { continuation in
      ending = continuation
      begin()
    }
  }

  func finish() {
    ending?.resume()
    ending = nil
  }
}

/// Units at the far end of a pseudo-terminal that speak `Tiny`.
final class FarUnits: @unchecked Sendable {
  // @unchecked: used on the loop's thread alone.
  var live: Set<UInt8> = [1, 2, 3, 4, 5]
  private(set) var questions: [[UInt8]] = []
  /// Whether a question came before the one before it was answered.
  private(set) var hasOverlap = false
  private var source: IOSource?
  private let pty: PseudoTerminal

  init(_ loop: EventLoop, _ pty: PseudoTerminal) throws {
    self.pty = pty
    source = try IOSource(loop, descriptor: pty.master, events: .readable) { [unowned self] _ in listen() }
  }

  func close() { source = nil }

  private func listen() {
    let bytes = pty.take()
    if bytes.count > 2 { hasOverlap = true }
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
      let question = Array(bytes[index...index + 1])
      questions.append(question)
      if live.contains(question[0]) { try? pty.send(Tiny.answer(Int(question[0]), question[1])) }
    }
  }
}
