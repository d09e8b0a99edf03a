import EventLoop
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct PollScheduleTests {
  private var schedule = PollSchedule()
  private var generator = SplitMix(seed: 11)

  private func id(_ number: UInt64) -> PollID { PollID(number: number) }
  private func s(_ seconds: Double) -> Duration { .milliseconds(Int(1000 + seconds) * 1000) }

  @Test mutating func theNextPollIsOpenBeforeTheOneBeforeItEnds() {
    #expect(schedule.start(at: s(0)) == [.gap, .open(id(1), for: .seconds(25))])
    #expect(schedule.due == s(23))
    #expect(schedule.timer(at: s(22)) == [], "an early timer")
    #expect(schedule.timer(at: s(23)) == [.open(id(2), for: .seconds(25))])
    #expect(schedule.polls.count == 2)
    #expect(schedule.ended(id(1), at: s(25)) == [], "its successor is open: no gap, nothing to do")
    #expect(schedule.due == s(46))
  }

  @Test mutating func theFirstPollMayWaitForItsTurn() {
    #expect(schedule.start(at: s(0), after: .seconds(7)) == [.gap])
    #expect(schedule.due == s(7))
    #expect(schedule.timer(at: s(6)) == [])
    #expect(schedule.timer(at: s(7)) == [.open(id(1), for: .seconds(25))])
    _ = schedule.stop()
    #expect(schedule.start(at: s(8), after: .seconds(7)) == [.gap])
    #expect(schedule.stop() == [], "nothing was open yet")
    #expect(schedule.due == nil)
  }

  @Test mutating func afterAnAnswerTheNextPollOpensWhenItIsDelivered() {
    _ = schedule.start(at: s(0))
    #expect(schedule.answered(id(1), at: s(5)) == [.gap])
    #expect(schedule.due == nil)
    #expect(schedule.timer(at: s(6)) == [])
    #expect(schedule.delivered(id(1), at: s(6)) == [.open(id(2), for: .seconds(25))])
    #expect(schedule.delivered(id(1), at: s(7)) == [])
  }

  @Test mutating func whatTwoOpenPollsBringLeadsToOneNewPoll() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    #expect(schedule.answered(id(1), at: s(24)) == [.gap])
    #expect(schedule.due == s(46), "the newer one is open")
    #expect(schedule.answered(id(2), at: s(24)) == [.gap])
    #expect(schedule.delivered(id(1), at: s(24)) == [], "the newer one's delivery counts")
    #expect(schedule.delivered(id(2), at: s(25)) == [.open(id(3), for: .seconds(25))])
  }

  @Test mutating func anAnswerThatCrossesTheOpeningOfTheNextPollIsAGap() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    // The first was answered before the second arrived; what happened between them neither tells.
    #expect(schedule.answered(id(1), at: s(23)) == [.gap])
    #expect(schedule.newestOpenedAt == s(23))
  }

  @Test mutating func errorsBackOffWithJitterAndASuccessStartsAnew() {
    _ = schedule.start(at: s(0))
    var now = s(0)
    var number: UInt64 = 1
    for attempt in 1...60 {
      let actions = schedule.failed(id(number), .broken, at: now, using: &generator)
      guard case .failing(let next, attempt) = actions.last, actions.first == .gap else {
        Issue.record("\(actions)")
        return
      }
      #expect(next >= .zero && next <= min(.seconds(60), .seconds(1) * (1 << min(attempt - 1, 10))))
      #expect(schedule.timer(at: now + next - .nanoseconds(1)).isEmpty, "nothing before")
      now += next
      number += 1
      #expect(schedule.timer(at: now) == [.open(id(number), for: .seconds(25))])
    }
    #expect(schedule.isFailing)
    _ = schedule.answered(id(number), at: now)
    #expect(!schedule.isFailing)
    _ = schedule.delivered(id(number), at: now)
    guard
      case .failing(let next, 1) = schedule.failed(id(number + 1), .broken, at: now, using: &generator).last
    else {
      Issue.record("not the first failure")
      return
    }
    #expect(next <= .seconds(1))
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let error: DeviceAPIError
    let bounds: ClosedRange<Duration>
  }

  static let rows = [
    Row(testDescription: "no network", error: .broken, bounds: .zero ... .seconds(1)),
    Row(testDescription: "an empty 500", error: .init(.serverError, "500"), bounds: .zero ... .seconds(1)),
    Row(
      testDescription: "a command nobody can read", error: .init(.poison, "sent command 7"),
      bounds: .zero ... .seconds(1)),
    Row(testDescription: "401", error: .unknownToken, bounds: .zero ... .seconds(30)),
    Row(testDescription: "deleted", error: .init(.deviceDeleted, "403"), bounds: .zero ... .seconds(30)),
    Row(
      testDescription: "Retry-After", error: .init(.unavailable, "429", retryAfter: .seconds(100)),
      bounds: .seconds(100) ... .seconds(100)),
    Row(
      testDescription: "Retry-After of a day", error: .init(.unavailable, "429", retryAfter: .seconds(86_400)),
      bounds: .seconds(3600) ... .seconds(3600)),
  ]
  @Test(arguments: rows) func theFirstPauseAfter(_ row: Row) {
    var longest = Duration.zero
    for seed in 0..<200 {
      var schedule = PollSchedule()
      var generator = SplitMix(seed: UInt64(seed))
      _ = schedule.start(at: s(0))
      let actions = schedule.failed(id(1), row.error, at: s(0), using: &generator)
      guard case .failing(let next, 1) = actions.last else {
        Issue.record("\(actions)")
        return
      }
      #expect(row.bounds.contains(next))
      longest = max(longest, next)
    }
    #expect(longest > row.bounds.upperBound * 3 / 4, "the whole range is used")
  }

  @Test mutating func anErrorOfAnOlderPollLeavesTheNewerOneAlone() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    #expect(schedule.failed(id(1), .broken, at: s(24), using: &generator) == [.gap])
    #expect(schedule.due == s(46))
    #expect(!schedule.isFailing)
  }

  @Test mutating func aPollThatEndsBeforeItsSuccessorIsDueIsAGap() {
    _ = schedule.start(at: s(0))
    #expect(schedule.ended(id(1), at: s(3)) == [.gap, .open(id(2), for: .seconds(25))])
  }

  @Test mutating func theErrorThatShowsALimitIsNoOutage() {
    _ = schedule.start(at: s(0))
    _ = schedule.failed(id(1), .gatewayTimeout, at: s(10), using: &generator)
    _ = schedule.timer(at: s(15))
    #expect(
      schedule.failed(id(2), .gatewayTimeout, at: s(25), using: &generator)
        == [.gap, .report(.learned(.seconds(9))), .open(id(3), for: .seconds(9))])
  }

  @Test mutating func aTransportWithoutPollsEndsAll() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    #expect(
      schedule.failed(id(2), .unsupported, at: s(23), using: &generator) == [.abandon(id(1)), .end])
    #expect(schedule.due == nil && schedule.polls.isEmpty)
  }

  @Test mutating func aPollThatDoesNotEndIsGivenUpForAThird() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    #expect(schedule.timer(at: s(46)) == [.abandon(id(1)), .open(id(3), for: .seconds(25))])
    #expect(schedule.polls.count == PollSchedule.mostOpen)
    #expect(schedule.ended(id(1), at: s(47)) == [], "it is no longer known")
  }

  @Test mutating func aStopGivesUpWhatIsOpenAndNothingHappensAfterwards() {
    _ = schedule.start(at: s(0))
    _ = schedule.timer(at: s(23))
    #expect(schedule.stop() == [.abandon(id(1)), .abandon(id(2))])
    #expect(schedule.due == nil)
    #expect(schedule.answered(id(1), at: s(24)) == [])
    #expect(schedule.delivered(id(1), at: s(24)) == [])
    #expect(schedule.failed(id(2), .init(.cancelled, "given up"), at: s(24), using: &generator) == [])
    #expect(schedule.timer(at: s(99)) == [])
    #expect(schedule.start(at: s(100)) == [.gap, .open(id(3), for: .seconds(25))])
  }

  @Test mutating func answersWithoutEndDoNotSpin() {
    var opened = 0
    var number: UInt64 = 1
    var now = s(0)
    _ = schedule.start(at: now)
    // The server hands over at once, and whoever it is delivered to forgets to wait.
    while now < s(10) {
      _ = schedule.answered(id(number), at: now)
      var actions = schedule.delivered(id(number), at: now)
      if actions.isEmpty, let due = schedule.due {
        now = due
        actions = schedule.timer(at: now)
      }
      guard case .open = actions.last else {
        Issue.record("\(actions)")
        return
      }
      opened += 1
      number += 1
    }
    let timing = PollTiming.standard
    #expect(opened > timing.burst && opened <= timing.burst + 1 + Int(10 * (Duration.seconds(1) / timing.spacing)))
  }

  // MARK: Polls that are cut short

  /// Runs polls that `cut` ends early, for a while.
  ///
  /// - Returns: What was asked for, in order, and the time without any open poll after the first `settled`.
  private static func run(
    for length: Duration, settled: Duration, error: DeviceAPIError?, cut: @escaping (Duration) -> Duration?
  ) -> (asked: [Duration], reports: [PollLength.Finding], uncovered: Duration) {
    let time = VirtualTime()
    let alarm = VirtualAlarm(time)
    var schedule = PollSchedule()
    var generator = SplitMix(seed: 3)
    var open = 0
    var uncoveredSince: Duration?
    var uncovered = Duration.zero
    var asked: [Duration] = []
    var reports: [PollLength.Finding] = []
    let begin = time.now
    func perform(_ actions: [PollSchedule.Action]) {
      for action in actions {
        switch action {
        case .open(let id, let length):
          asked.append(length)
          open += 1
          if let since = uncoveredSince, time.now > begin + settled { uncovered += time.now - since }
          uncoveredSince = nil
          let limit = cut(time.now - begin).flatMap { $0 < length ? $0 : nil }
          time.after(limit ?? length) {
            open -= 1
            if open == 0 { uncoveredSince = time.now }
            if limit != nil, let error {
              perform(schedule.failed(id, error, at: time.now, using: &generator))
            } else {
              perform(schedule.ended(id, at: time.now))
            }
          }
        case .report(let finding): reports.append(finding)
        case .abandon, .gap, .failing, .end: break
        }
      }
      alarm.arm(schedule.due) { perform(schedule.timer(at: time.now)) }
    }
    perform(schedule.start(at: time.now))
    time.run(until: begin + length)
    return (asked, reports, uncovered)
  }

  /// Its connection was a black hole: what it should have told was told to nobody while its successor was not open yet.
  @Test func anOlderPollThatWasNeverEndedIsAGap() throws {
    var schedule = PollSchedule()
    var generator = SplitMix(seed: 1)
    _ = schedule.start(at: .seconds(100))
    let older = try #require(schedule.polls.first?.id)
    _ = schedule.timer(at: .seconds(123))
    #expect(schedule.polls.count == 2)
    let due = schedule.due
    #expect(schedule.failed(older, .broken, at: .seconds(135), using: &generator) == [.gap])
    #expect(schedule.due == due, "its successor is open, and the next one is due as before")
  }

  @Test(arguments: [nil, DeviceAPIError.gatewayTimeout], [7, 10, 20, 24])
  func aLimitOnTheWayIsLearnedAndPollsOverlapWithinIt(error: DeviceAPIError?, seconds: Int) {
    let limit = Duration.seconds(seconds)
    let result = Self.run(for: .seconds(1800), settled: .seconds(90), error: error) { _ in limit }
    #expect(result.asked.first == .seconds(25))
    #expect(result.asked.dropFirst(4).allSatisfy { $0 == limit - .seconds(1) })
    #expect(result.reports == [.learned(limit - .seconds(1))])
    #expect(result.uncovered == .zero)
  }

  @Test func theFullLengthIsTriedAgainWithoutAGap() {
    let stays = Self.run(for: .seconds(4 * 3600), settled: .seconds(90), error: nil) { _ in .seconds(10) }
    #expect((3...4).contains(stays.asked.dropFirst(4).filter { $0 == .seconds(25) }.count), "once an hour")
    #expect(stays.reports == [.learned(.seconds(9))], "told once")
    #expect(stays.uncovered == .zero)
    let goes = Self.run(for: .seconds(2 * 3600), settled: .seconds(90), error: .gatewayTimeout) { time in
      time < .seconds(1200) ? .seconds(10) : nil
    }
    #expect(goes.reports == [.learned(.seconds(9)), .forgotten])
    #expect(goes.asked.suffix(50).allSatisfy { $0 == .seconds(25) })
    #expect(goes.uncovered == .zero)
  }

  @Test func oneEndAloneTeachesNothingAndNoNetworkDoesNeither() {
    var length = PollLength(timing: .standard)
    #expect(length.ended(age: .seconds(10), asked: .seconds(25), at: s(0)) == nil)
    #expect(length.ended(age: .seconds(25), asked: .seconds(25), at: s(30)) == nil)
    #expect(length.ended(age: .seconds(10), asked: .seconds(25), at: s(60)) == nil)
    #expect(length.ended(age: .seconds(18), asked: .seconds(25), at: s(90)) == nil, "another age")
    #expect(length.reliable == .seconds(25))
    // A black hole lets each attempt fail after the same time.
    let result = Self.run(for: .seconds(600), settled: .zero, error: .broken) { _ in .seconds(10) }
    #expect(result.asked.allSatisfy { $0 == .seconds(25) })
  }
}
