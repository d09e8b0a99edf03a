import EventLoop
import Testing

@testable import Hardware

/// The life of a port without ports, loops and clocks.
@Suite struct SerialPortStateMachineTests {
  typealias Machine = SerialPortStateMachine

  static let absent = PortError(code: .absent, message: "not there")
  static let gone = PortError(code: .gone, message: "hung up")
  static let forbidden = PortError(code: .forbidden, message: "may not")

  /// Draws the middle of every range, so that equal jitter gives three quarters of the ceiling.
  struct Middle: RandomNumberGenerator {
    mutating func next() -> UInt64 { 1 << 63 }
  }

  static func run(_ events: [Machine.Event]) -> (state: Machine.State, actions: [Machine.Action]) {
    var machine = Machine()
    var generator = Middle()
    let actions = events.map { machine.handle($0, using: &generator) }
    return (machine.state, actions)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let events: [Machine.Event]
    let actions: [Machine.Action]
    let state: Machine.State
    init(_ description: String, _ steps: [(Machine.Event, Machine.Action)], _ state: Machine.State) {
      (testDescription, events, actions) = (description, steps.map(\.0), steps.map(\.1))
      self.state = state
    }
  }

  static let opening: [(Machine.Event, Machine.Action)] = [(.start, .open)]
  static let open = opening + [(.opened, .serve)]
  static let abandoned = opening + [(.stop, .none)]
  static let stopping = open + [(.stop, .close)]
  static let lost = open + [(.lost(gone, afterBeingOpenFor: .seconds(60)), .close)]
  static let waiting = lost + [(.closed, .wait(.milliseconds(250)))]

  static let rows = [
    Row("it opens at the start", opening, .opening),
    Row("a second start changes nothing", opening + [(.start, .none)], .opening),
    Row("what was opened is served", open, .open),
    Row("a start while open changes nothing", open + [(.start, .none)], .open),
    Row("a timer that comes late while open is no event", open + [(.timer, .none)], .open),
    Row(
      "a missing device is looked for again", opening + [(.openingFailed(absent), .wait(.milliseconds(750)))],
      .waiting(absent)),
    Row(
      "after the wait it opens again",
      opening + [(.openingFailed(absent), .wait(.milliseconds(750))), (.timer, .open)], .opening),
    Row("a start while waiting does not shorten the wait", waiting + [(.start, .none)], .waiting(gone)),
    Row("a stop while waiting ends the wait", waiting + [(.stop, .rest)], .closed),
    Row("an opening that takes long is reported", opening + [(.timer, .reportStuck)], .opening),
    Row("the old descriptor is closed before anything else", lost, .closing(then: .wait(gone))),
    Row("and then the first retry comes soon", waiting + [(.timer, .open)], .opening),
    Row(
      "a second loss is not reported twice", lost + [(.lost(gone, afterBeingOpenFor: .zero), .none)],
      .closing(then: .wait(gone))),
    Row("a closing that takes long is reported", lost + [(.timer, .reportStuck)], .closing(then: .wait(gone))),
    Row("a stop while a lost port is closing keeps it closed", lost + [(.stop, .none), (.closed, .rest)], .closed),
    Row("a stop closes", stopping, .closing(then: .stay)),
    Row("and then it rests", stopping + [(.closed, .rest)], .closed),
    Row("a second stop waits for the same closing", stopping + [(.stop, .none)], .closing(then: .stay)),
    Row("a start while closing opens afterwards", stopping + [(.start, .none), (.closed, .open)], .opening),
    Row(
      "a stop after that start wins", stopping + [(.start, .none), (.stop, .none), (.closed, .rest)], .closed),
    Row("a stop while opening waits for nothing", abandoned, .abandoned),
    Row("a descriptor that arrives after the stop is closed", abandoned + [(.opened, .close)], .closing(then: .stay)),
    Row(
      "an opening that fails after the stop is the end of it", abandoned + [(.openingFailed(forbidden), .rest)],
      .closed),
    Row("an abandoned opening that hangs is reported", abandoned + [(.timer, .reportStuck)], .abandoned),
    Row("a start takes up the abandoned opening", abandoned + [(.start, .none), (.opened, .serve)], .open),
    Row("news ends a wait", waiting + [(.news, .open)], .opening),
    Row(
      "news during an opening that fails is not missed",
      opening + [(.news, .none), (.openingFailed(absent), .wait(.zero)), (.timer, .open)], .opening),
    Row(
      "it counts once",
      opening + [
        (.news, .none), (.openingFailed(absent), .wait(.zero)), (.timer, .open),
        (.openingFailed(absent), .wait(.milliseconds(750))),
      ], .waiting(absent)),
    Row("news during a closing is not missed", lost + [(.news, .none), (.closed, .wait(.zero))], .waiting(gone)),
    Row(
      "news during an opening that succeeds is over",
      opening + [(.news, .none)] + open.suffix(1) + lost.suffix(1) + waiting.suffix(1), .waiting(gone)),
    Row("news is nothing to an open port", open + [(.news, .none)], .open),
    Row("nor to a stopped one", stopping + [(.news, .none), (.closed, .rest), (.news, .none)], .closed),
    Row("a stop of a closed port changes nothing", [(.stop, .none)], .closed),
    Row("a stray end of a closing is no event", [(.closed, .none)], .closed),
    Row("a stray descriptor is not served", [(.opened, .none)], .closed),
    Row("a stray failure is no event", open + [(.openingFailed(absent), .none)], .open),
    Row("a stray loss is no event", waiting + [(.lost(gone, afterBeingOpenFor: .zero), .none)], .waiting(gone)),
  ]

  @Test(arguments: rows) func eventsGiveActions(_ row: Row) {
    let (state, actions) = Self.run(row.events)
    #expect(actions == row.actions)
    #expect(state == row.state)
  }

  /// The waits of a port that fails `count` times, with no jitter to speak of.
  static func waits(_ failure: [Machine.Event], times count: Int) -> [Duration] {
    var machine = Machine()
    var generator = Middle()
    _ = machine.handle(.start, using: &generator)
    return (0..<count).flatMap { _ in
      let waits = failure.map { machine.handle($0, using: &generator) }.compactMap { action -> Duration? in
        if case .wait(let duration) = action { duration } else { nil }
      }
      _ = machine.handle(.timer, using: &generator)
      return waits
    }
  }

  @Test func waitsGrowTo30Seconds() {
    #expect(
      Self.waits([.openingFailed(Self.forbidden)], times: 7)
        == [0.75, 1.5, 3, 6, 12, 22.5, 22.5].map { Duration.seconds($0) })
  }

  @Test func aMissingDeviceIsLookedForEvery5SecondsAtLeast() {
    #expect(
      Self.waits([.openingFailed(Self.absent)], times: 6) == [0.75, 1.5, 3, 5, 5, 5].map { Duration.seconds($0) })
  }

  @Test func aPortThatHangsUpAtOnceWaitsLongerAndLonger() {
    let cycle: [Machine.Event] = [.opened, .lost(Self.gone, afterBeingOpenFor: .seconds(1)), .closed]
    #expect(Self.waits(cycle, times: 5) == [0.25, 0.75, 1.5, 3, 6].map { Duration.seconds($0) })
  }

  @Test func aPortThatWasOpenForLongIsRetriedAtOnce() {
    let cycle: [Machine.Event] = [.opened, .lost(Self.gone, afterBeingOpenFor: .seconds(10)), .closed]
    #expect(Self.waits(cycle, times: 3) == [0.25, 0.25, 0.25].map { Duration.seconds($0) })
  }

  /// Every event in every state, many times over: whatever comes, the promises of the type hold.
  @Test func atMostOneCallIsUnderWayWhateverHappens() {
    var chance = SystemRandomNumberGenerator()
    var machine = Machine()
    var isCallUnderWay = false
    for _ in 0..<20_000 {
      var events: [Machine.Event] = [.start, .stop, .timer, .news]
      switch machine.state {
      case .opening, .abandoned: events += [.opened, .openingFailed(Self.absent), .openingFailed(Self.forbidden)]
      case .closing: events += [.closed]
      case .open: events += [.lost(Self.gone, afterBeingOpenFor: .seconds(.random(in: 0...20)))]
      case .closed, .waiting: break
      }
      let event = events.randomElement(using: &chance) ?? .start
      switch event {
      case .opened, .openingFailed, .closed: isCallUnderWay = false
      case .start, .stop, .lost, .timer, .news: break
      }
      switch machine.handle(event, using: &chance) {
      case .open, .close:
        #expect(!isCallUnderWay)
        isCallUnderWay = true
      case .wait(let duration):
        #expect((.zero ... .seconds(30)).contains(duration))
        #expect(!isCallUnderWay)
      case .rest: #expect(machine.state == .closed)
      case .serve: #expect(machine.state == .open)
      case .none, .reportStuck: break
      }
    }
  }
}
