import EventLoop
import Telemetry
import Testing

@testable import Hardware

/// Exchanges without ports, loops and clocks: characters of 1 ms, a silence of 4 ms, a time-out of 300 ms.
@Suite struct BusMachineTests {
  @Test func theFirstQuestionWaitsForASilentLine() {
    var lab = BusLab()
    lab.submit(Tiny.question(5))
    #expect(lab.sent.isEmpty)
    #expect(lab.machine.deadline == BusLab.start + .ms(4))
    lab.pass(.ms(4))
    #expect(lab.sent.map(\.bytes) == [[5, 1]])
  }

  @Test func afterALongSilenceAQuestionGoesAtOnceAndNoTimerIsNeeded() {
    var lab = BusLab()
    lab.pass(.seconds(1))
    #expect(lab.machine.deadline == nil)
    lab.submit(Tiny.question(5))
    #expect(lab.times == [.seconds(1)])
    #expect(lab.timers == 0)
  }

  @Test func anAnswerEndsItsQuestion() {
    var lab = BusLab()
    lab.answering([5: .ms(20)])
    let ticket = lab.submit(Tiny.question(5, 9))
    lab.pass(.seconds(1))
    #expect(lab.outcome(ticket) == .success([5, 9]))
    #expect(lab.endedAt(ticket) == .ms(4, 2, 20))
    #expect(lab.machine.deadline == nil)
    var status = BusUnitStatus(unit: 5)
    (status.asked, status.answered, status.longestAnswer) = (1, 1, .ms(20))
    #expect(lab.status(5) == status)
  }

  @Test func anAnswerMayComeByteByByteAndAfterNoiseAndEcho() {
    var lab = BusLab()
    lab.units = { question in
      let bytes = question + [0xFF, 0x00, 0xA5] + Tiny.answer(5, 1)
      return bytes.enumerated().map { (.ms(Double($0.offset) * 3), [$0.element]) }
    }
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.outcome(ticket) == .success([5, 1]))
    #expect(lab.sent.count == 1)
  }

  @Test func theNextFrameComesASilenceAfterTheLastByte() {
    var lab = BusLab()
    lab.answering([5: .ms(20), 6: .ms(20)])
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(1))
    #expect(lab.times == [.ms(4), .ms(4, 2, 20, 4)])
  }

  @Test func orASilenceAfterTheComputedEndOfOurOwnWhereThatIsLater() {
    var lab = BusLab()
    // A pseudo-terminal is faster than its rate says.
    lab.answering([5: .ms(-2), 6: .ms(-2)])
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(1))
    #expect(lab.times == [.ms(4), .ms(4, 2, 4)])
    #expect(lab.status(5)?.longestAnswer == .zero)
  }

  @Test func theGapComesOnTop() {
    var options = BusOptions()
    options.gap = .ms(50)
    var lab = BusLab(options)
    lab.answering([5: .ms(20), 6: .ms(20)])
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(1))
    #expect(lab.times == [.ms(54), .ms(54, 2, 20, 54)])
    #expect(lab.sent.allSatisfy { !$0.regardless })
  }

  @Test func aGapOfSecondsIsKeptToo() {
    var options = BusOptions()
    options.gap = .seconds(5)
    var lab = BusLab(options)
    lab.answering([5: .ms(20), 6: .ms(20)])
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(20))
    #expect(lab.times == [.ms(5004), .ms(5004, 2, 20, 5004)])
    #expect(lab.sent.allSatisfy { !$0.regardless })
  }

  @Test func aTimeOutRunsFromTheEndOfTheQuestionAndIsFollowedByOneMore() {
    var lab = BusLab()
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.ms(4, 2, 299))
    #expect(lab.sent.count == 1)
    lab.pass(.ms(1))
    #expect(lab.times == [.ms(4), .ms(306)])
    lab.pass(.ms(301))
    #expect(lab.ended.isEmpty)
    lab.pass(.ms(1))
    #expect(lab.endedAt(ticket) == .ms(306, 302))
    #expect(lab.code(ticket) == .timedOut)
    #expect(lab.message(ticket) == "unit 5 on bus did not answer within 300 ms, 2 times in a row: nothing came")
    #expect(lab.status(5)?.timeouts == 2)
    #expect(lab.status(5)?.retries == 1)
    #expect(lab.status(5)?.asked == 1)
    #expect(lab.status(5)?.lastFailure == lab.message(ticket))
  }

  @Test func aQuestionsOwnTimeOutCounts() {
    var lab = BusLab()
    let ticket = lab.submit(Tiny.question(5), timeout: .seconds(2))
    lab.pass(.ms(6, 2000, 2, 1999))
    #expect(lab.ended.isEmpty)
    lab.pass(.ms(1))
    #expect(lab.message(ticket)?.contains("within 2.0 s") == true)
  }

  @Test(arguments: [0, 1, 3]) func aQuestionIsAskedAsOftenAsConfigured(retries: Int) {
    var options = BusOptions()
    options.retries = retries
    var lab = BusLab(options)
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(3))
    #expect(lab.sent.count == 1 + retries)
    #expect(lab.ended.count == 1)
  }

  @Test func eachAttemptLooksForTheAnswerAnew() {
    var lab = BusLab()
    // Half an answer to each attempt.
    var first = true
    lab.units = { _ in
      defer { first = false }
      return [(.ms(20), first ? [0xA5, 5] : [1, 0x5A])]
    }
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.sent.count == 2)
    #expect(
      lab.message(ticket)
        == "unit 5 on bus did not answer within 300 ms, 2 times in a row: 2 bytes came, none of them an answer")
  }

  @Test func aLongAnswerThatHasBegunInTimeIsNotCutOff() {
    var lab = BusLab()
    lab.units = { _ in
      // 250 characters of something else, 1 ms each in chunks of 10, then the answer.
      (0..<25).map { (.ms(200 + Double($0) * 10), [UInt8](repeating: 0xFF, count: 10)) }
        + [(.ms(455), Tiny.answer(5, 1))]
    }
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.outcome(ticket) == .success([5, 1]))
    #expect(lab.sent.count == 1)
  }

  @Test func bytesWithoutEndAreNotWaitedForLongerThanTheLongestFrame() {
    var lab = BusLab()
    lab.units = { _ in (0..<500).map { (.ms(Double($0) * 10), [0xFF]) } }
    lab.submit(Tiny.question(5))
    lab.pass(.ms(4, 2, 300, 519))
    #expect(lab.status(5)?.timeouts == 0)
    lab.pass(.ms(1))
    #expect(lab.status(5)?.timeouts == 1)
  }

  @Test func afterBytesThatWereNoAnswerTheLineMustBeSilentForLonger() {
    var lab = BusLab()
    // Its tail may be on its way through the adapter.
    lab.units = { _ in [(.ms(299), [0xA5, 5])] }
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.sent[1].at == .ms(4, 2, 299, 4, 20))
  }

  @Test func bytesNobodyWaitsForAreDroppedAndCounted() {
    var lab = BusLab()
    lab.answering([5: .ms(20)])
    lab.pass(.seconds(1))
    lab.hear(Tiny.answer(5, 1), after: .zero)
    lab.pass(.zero)
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.ms(23))
    #expect(lab.sent.isEmpty)
    lab.pass(.seconds(1))
    #expect(lab.times == [.ms(1024)])
    #expect(lab.outcome(ticket) == .success([5, 1]))
    #expect(lab.machine.unexpectedBytes == 4)
    #expect(lab.notices.isEmpty)
  }

  @Test func whatArrivesJustBeforeAQuestionHoldsItUp() {
    var lab = BusLab()
    lab.answering([5: .ms(20), 6: .ms(20)])
    lab.pass(.seconds(1))
    lab.isDisturbed = true
    let first = lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.isDisturbed = false
    #expect(lab.sent.isEmpty)
    lab.pass(.seconds(1))
    #expect(lab.sent.map(\.bytes) == [[5, 1], [6, 1]])
    #expect(lab.sent[0].at == .ms(1024))
    #expect(lab.outcome(first) == .success([5, 1]))
    #expect(lab.status(5)?.asked == 1)
  }

  @Test func aLineThatIsNeverSilentIsUsedAllTheSame() {
    var lab = BusLab()
    lab.answering([5: .ms(20)])
    lab.pass(.seconds(1))
    for index in 0..<2000 { lab.hear([0xFF], after: .ms(Double(index))) }
    lab.pass(.zero)
    let ticket = lab.submit(Tiny.question(5))
    lab.pass(.ms(523))
    #expect(lab.sent.isEmpty)
    lab.pass(.ms(1))
    #expect(lab.sent.map(\.regardless) == [true])
    lab.pass(.seconds(1))
    #expect(lab.outcome(ticket) == .success([5, 1]))
  }

  @Test func aBroadcastIsFollowedByTheTurnaround() {
    var lab = BusLab()
    lab.answering([5: .ms(20)])
    let broadcast = lab.submit(Tiny.broadcast(3), .command)
    let question = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.outcome(broadcast) == .success([]))
    #expect(lab.endedAt(broadcast) == .ms(4, 2, 100))
    #expect(lab.times == [.ms(4), .ms(106)])
    #expect(lab.outcome(question) == .success([5, 1]))
    #expect(lab.status(0) == nil)
  }

  @Test func plainBytesGoBetweenTwoExchanges() {
    var lab = BusLab()
    lab.answering([5: .ms(20), 6: .ms(20)])
    lab.submit(Tiny.question(5))
    lab.pass(.ms(10))
    let plain = lab.write([1, 2, 3, 4])
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(1))
    #expect(lab.sent.map(\.bytes) == [[5, 1], [1, 2, 3, 4], [6, 1]])
    #expect(lab.times == [.ms(4), .ms(30), .ms(30, 4, 4)])
    #expect(lab.outcome(plain) == .success([]))
    #expect(lab.endedAt(plain) == .ms(30))
  }

  @Test func commandsGoBeforePollsAndPollsInOrder() {
    var lab = BusLab()
    lab.answering([1: .ms(5), 2: .ms(5), 3: .ms(5), 4: .ms(5), 5: .ms(5)])
    for unit in 1...3 { lab.submit(Tiny.question(unit)) }
    lab.pass(.ms(6))
    for unit in 4...5 { lab.submit(Tiny.question(unit), .command) }
    lab.pass(.seconds(1))
    #expect(lab.sent.map { $0.bytes[0] } == [1, 4, 5, 2, 3])
  }

  @Test func aCommandGoesBeforeThePollsSecondAttempt() {
    var lab = BusLab()
    lab.answering([4: .ms(5)])
    lab.submit(Tiny.question(1))
    lab.submit(Tiny.question(2))
    lab.pass(.ms(100))
    lab.submit(Tiny.question(4), .command)
    lab.pass(.seconds(2))
    #expect(lab.sent.map { $0.bytes[0] } == [1, 4, 1, 2, 2])
  }

  @Test func queuesAreBounded() {
    var lab = BusLab(opens: false)
    let commands = (0...BusMachine.commandLimit).map { _ in lab.submit(Tiny.question(5), .command) }
    #expect(lab.code(commands[BusMachine.commandLimit]) == .busy)
    #expect(lab.ended.count == 1)
    lab.feed(.opened(lab.timing))
    let polls = (0...BusMachine.pollLimit).map { _ in lab.submit(Tiny.question(6)) }
    #expect(lab.code(polls[BusMachine.pollLimit]) == .busy)
    #expect(lab.message(polls[BusMachine.pollLimit]) == "bus: refused, 576 questions wait already")
    #expect(lab.machine.waiting == BusMachine.commandLimit + BusMachine.pollLimit)
  }

  @Test(arguments: [0, BusRequest.byteLimit + 1]) func aFrameWithoutSizeIsRefused(count: Int) {
    var lab = BusLab()
    let request = BusRequest([UInt8](repeating: 1, count: count), unit: 1, finder: Tiny.Finder(unit: 1, tag: 1))
    #expect(lab.refusal(request) == .busy)
    lab.pass(.seconds(1))
    #expect(lab.sent.isEmpty)
  }

  // MARK: Late answers

  @Test func aLateAnswerIsTakenByTheSecondAttemptAndTheSecondDoesNotMeetTheNextQuestion() {
    var lab = BusLab()
    lab.answering([5: .ms(350), 6: .ms(10)])
    let first = lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(3))
    // Asked at 4 and at 306; answered at 356 and at 658.
    #expect(lab.outcome(first) == .success([5, 1]))
    #expect(lab.endedAt(first) == .ms(356))
    #expect(lab.times == [.ms(4), .ms(306), .ms(658, 4, 20)])
    #expect(lab.status(5)?.late == 1)
    #expect(lab.notices == [.answersLate(unit: 5, timeout: .ms(300))])
    #expect(lab.machine.unexpectedBytes == 4)
  }

  @Test func withoutASecondAnswerTheLineIsFreeAgainAfterAsLong() {
    var lab = BusLab()
    var isFirst = true
    // The question was damaged on its way.
    lab.units = { question in
      defer { isFirst = false }
      return isFirst ? [] : [(.ms(10), Tiny.answer(Int(question[0]), question[1]))]
    }
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(3))
    #expect(lab.times == [.ms(4), .ms(306), .ms(306, 2, 10, 302)])
    #expect(lab.notices.isEmpty)
  }

  @Test func aDamagedAnswerIsFollowedByNoOther() {
    var lab = BusLab()
    var isFirst = true
    lab.units = { question in
      defer { isFirst = false }
      return [(.ms(10), isFirst ? [0xA5, 5, 7, 0x5A] : Tiny.answer(Int(question[0]), question[1]))]
    }
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(3))
    #expect(lab.times == [.ms(4), .ms(306), .ms(306, 2, 10, 4)])
  }

  @Test func anAnswerAfterTheLastAttemptIsLate() {
    var options = BusOptions()
    options.retries = 0
    var lab = BusLab(options)
    lab.answering([5: .ms(350)])
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.status(5)?.late == 1)
    #expect(lab.notices.count == 2)
    #expect(lab.notices.last == .answersLate(unit: 5, timeout: .ms(300)))
    // Told once.
    lab.pass(.seconds(1))
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.status(5)?.late == 2)
    #expect(lab.notices.count == 2)
  }

  // MARK: The port

  @Test func aLostPortEndsWhatIsUnderWayAndThePollsAndKeepsTheCommands() {
    var lab = BusLab()
    lab.answering([7: .ms(5)])
    let asked = lab.submit(Tiny.question(5), .command)
    let poll = lab.submit(Tiny.question(6))
    let command = lab.submit(Tiny.question(7), .command)
    lab.pass(.ms(10))
    lab.feed(.lost("/dev/ttyUSB0 hung up"))
    #expect(lab.code(asked) == .notOpen)
    #expect(lab.message(asked) == "/dev/ttyUSB0 hung up while unit 5 was asked")
    #expect(lab.message(poll) == "/dev/ttyUSB0 hung up")
    #expect(lab.outcome(command) == nil)
    #expect(lab.refusal(Tiny.question(6)) == .notOpen)
    lab.pass(.seconds(2))
    lab.feed(.opened(lab.timing))
    lab.pass(.seconds(1))
    #expect(lab.outcome(command) == .success([7, 1]))
    // A lost port is no unit's fault.
    #expect(lab.status(5)?.silentFor == nil)
  }

  @Test func commandsWaitFiveSecondsForThePort() {
    var lab = BusLab()
    lab.pass(.seconds(1))
    lab.feed(.lost("gone"))
    lab.pass(.seconds(2))
    let early = lab.submit(Tiny.question(7), .command)
    #expect(lab.machine.deadline == lab.now + .seconds(3))
    lab.pass(.seconds(3))
    #expect(lab.code(early) == .notOpen)
    // It has been missing for longer: no reason to wait.
    #expect(lab.refusal(Tiny.question(7), .command) == .notOpen)
    #expect(lab.machine.deadline == nil)
  }

  @Test func aFailedWriteIsALostPort() {
    var lab = BusLab()
    lab.pass(.seconds(1))
    lab.writes = false
    let first = lab.submit(Tiny.question(5))
    let second = lab.submit(Tiny.question(6))
    lab.feed(.writeFailed(PortError(code: .gone, message: "hung up")))
    lab.feed(.lost("hung up"))
    #expect(lab.code(first) == .notOpen)
    #expect(lab.code(second) == .notOpen)
    #expect(lab.sent.count == 1)
    #expect(lab.ended.count == 2)
  }

  @Test func aDriverWithoutRoomEndsOneQuestion() {
    var lab = BusLab()
    lab.pass(.seconds(1))
    lab.writes = false
    let first = lab.submit(Tiny.question(5))
    let second = lab.submit(Tiny.question(6))
    lab.pass(.seconds(5))
    lab.writes = true
    lab.answering([6: .ms(5)])
    lab.feed(.writeFailed(PortError(code: .timedOut, message: "bus had no room")))
    lab.pass(.seconds(1))
    #expect(lab.message(first) == "bus had no room")
    #expect(lab.code(first) == .timedOut)
    #expect(lab.outcome(second) == .success([6, 1]))
    #expect(lab.status(5) == nil)
  }

  @Test func aStopEndsEverythingAndRefusesTheRest() {
    var lab = BusLab()
    let tickets = [
      lab.submit(Tiny.question(5)), lab.submit(Tiny.question(6)), lab.submit(Tiny.question(7), .command),
    ]
    lab.pass(.ms(10))
    lab.feed(.stopped)
    #expect(tickets.map { lab.code($0) } == [.stopped, .stopped, .stopped])
    #expect(lab.refusal(Tiny.question(5), .command) == .stopped)
    #expect(lab.machine.deadline == nil)
    lab.feed(.lost("x"))
    lab.feed(.opened(lab.timing))
    lab.feed(.bytes([1], at: .now()))
    #expect(lab.refusal(Tiny.question(5)) == .stopped)
    lab.feed(.started)
    lab.feed(.opened(lab.timing))
    lab.answering([5: .ms(5)])
    let again = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.outcome(again) == .success([5, 1]))
  }

  @Test func otherOptionsHoldFromTheNextQuestionOn() {
    var lab = BusLab()
    lab.submit(Tiny.question(5))
    lab.pass(.ms(10))
    var options = BusOptions()
    (options.gap, options.timeout, options.retries) = (.ms(100), .ms(50), 0)
    lab.feed(.options(options))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(1))
    // The first keeps its time; the retries are as they are now.
    #expect(lab.endTimes == [.ms(306), .ms(306, 2, 50)])
    #expect(lab.sent.count == 2)
  }
}
