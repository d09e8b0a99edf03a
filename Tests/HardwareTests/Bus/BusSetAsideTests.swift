import EventLoop
import Telemetry
import Testing

@testable import Hardware

/// Units that do not answer, beside units that do.
@Suite struct BusSetAsideTests {
  @Test func aSilentUnitIsRefusedAtOnceAndProbedAfterASecond() {
    var lab = BusLab()
    let first = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.endedAt(first) == .ms(608))
    #expect(lab.notices == [.fellSilent(unit: 5, failure: lab.message(first) ?? "", askedAgainIn: .seconds(1))])
    let refused = lab.submit(Tiny.question(5))
    #expect(lab.code(refused) == .setAside)
    #expect(
      lab.message(refused) == "unit 5 on bus has not answered for 392 ms; it is asked again in 608 ms")
    #expect(lab.status(5)?.silentFor == .ms(392))
    #expect(lab.status(5)?.setAsideFor == .ms(608))
    lab.pass(.ms(608))
    let probe = lab.submit(Tiny.question(5))
    lab.pass(.ms(303))
    #expect(lab.code(probe) == .timedOut)
    #expect(lab.message(probe) == "unit 5 on bus did not answer within 300 ms: nothing came")
    #expect(lab.sent.count == 3)
    #expect(lab.notices.count == 1)
  }

  @Test func theRestsGrowToAMinute() {
    var lab = BusLab()
    lab.submit(Tiny.question(5))
    // Polled every 100 ms, 10 minutes long.
    for _ in 0..<6000 {
      lab.pass(.ms(100))
      lab.submit(Tiny.question(5))
    }
    let probes = lab.sent.map(\.at)
    let rests = zip(probes.dropFirst(2), probes.dropFirst()).map { $0 - $1 }
    // The first two have a tenth of the time between them, the others their rest.
    let expected: [Double] = [1, 3.02, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60, 60]
    #expect(rests.count == expected.count)
    for (rest, wanted) in zip(rests, expected) {
      #expect(rest >= .ms(wanted * 1000), "\(rest) \(wanted)")
      #expect(rest <= .ms(wanted * 1000 + 450), "\(rest) \(wanted)")
    }
  }

  @Test func commandsInBetweenDoNotLengthenTheRest() {
    var lab = BusLab()
    lab.submit(Tiny.question(5))
    // The rest of the third failure is 4 s.
    for _ in 0..<60 {
      lab.pass(.ms(100))
      lab.submit(Tiny.question(5))
    }
    guard let rest = lab.status(5)?.setAsideFor, rest > .seconds(1) else { return #expect(Bool(false)) }
    let command = lab.submit(Tiny.question(5), .command)
    lab.pass(.ms(400))
    #expect(lab.code(command) == .timedOut)
    #expect(lab.status(5)?.setAsideFor == rest - .ms(400))
  }

  @Test func oneAnswerTakesItBack() {
    var lab = BusLab()
    lab.answering([6: .ms(5)])
    lab.submit(Tiny.question(5))
    lab.submit(Tiny.question(6))
    lab.pass(.seconds(2))
    lab.answering([5: .ms(5), 6: .ms(5)])
    let probe = lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.outcome(probe) == .success([5, 1]))
    guard case .answersAgain(unit: 5, let silence) = lab.notices.last else { return #expect(Bool(false)) }
    #expect(silence == .ms(1399))
    #expect(lab.status(5)?.silentFor == nil)
    // Its questions have a second attempt again.
    lab.answering([6: .ms(5)])
    let sent = lab.sent.count
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    #expect(lab.sent.count == sent + 2)
  }

  @Test func aCommandGoesToASilentUnitAllTheSameOnce() {
    var lab = BusLab()
    lab.submit(Tiny.question(5))
    lab.pass(.seconds(1))
    let sent = lab.sent.count
    let command = lab.submit(Tiny.question(5), .command)
    lab.pass(.ms(302))
    #expect(lab.code(command) == .timedOut)
    #expect(lab.sent.count == sent + 1)
    // It counts as a probe.
    #expect(lab.status(5)?.setAsideFor == .ms(2718))
  }

  @Test func questionsThatWaitForAUnitThatFallsSilentAreNotAsked() {
    var lab = BusLab()
    let tickets = (0..<20).map { lab.submit(Tiny.question(5, UInt8($0))) }
    lab.pass(.seconds(1))
    #expect(lab.sent.count == 2)
    #expect(tickets.map { lab.code($0) } == [.timedOut] + [BusFailure.Code](repeating: .setAside, count: 19))
  }

  @Test func whenTheCableIsBackAllUnitsAre() {
    var lab = BusLab()
    let live: [Int: Duration] = [1: .ms(5), 2: .ms(5), 3: .ms(5), 4: .ms(5)]
    for unit in 1...4 { lab.submit(Tiny.question(unit)) }
    // An hour without any of them.
    for _ in 0..<3600 {
      lab.pass(.seconds(1))
      for unit in 1...4 { lab.submit(Tiny.question(unit)) }
    }
    lab.answering(live)
    var answers = 0
    for _ in 0..<70 where answers < 4 {
      lab.pass(.seconds(1))
      for unit in 1...4 { lab.submit(Tiny.question(unit)) }
      answers = lab.notices.count { if case .answersAgain = $0 { true } else { false } }
    }
    let returns = lab.ended.filter { if case .success = $0.outcome { true } else { false } }.map(\.at)
    // The first within a minute, the others with the poll after it.
    #expect(returns.count >= 4)
    #expect(returns[3] - returns[0] <= .ms(1100))
    #expect(lab.notices.count == 8)
  }

  @Test func anotherLineOrOtherSettingsGiveEveryUnitItsChance() {
    for event in [BusMachine.Event.options(BusOptions()), .lost("gone")] {
      var lab = BusLab()
      lab.submit(Tiny.question(5))
      for _ in 0..<1000 {
        lab.pass(.ms(100))
        lab.submit(Tiny.question(5))
      }
      lab.pass(.seconds(5))
      #expect(lab.refusal(Tiny.question(5)) == .setAside)
      lab.feed(event)
      lab.feed(.opened(lab.timing))
      lab.answering([5: .ms(5)])
      let probe = lab.submit(Tiny.question(5))
      lab.pass(.seconds(1))
      #expect(lab.outcome(probe) == .success([5, 1]))
    }
  }

  /// Each cycle of a poller that asks units 1...count once, one after the other, `cycles` times a second apart.
  static func poll(_ lab: inout BusLab, units: ClosedRange<Int>, cycles: Int) -> [(unit: Int, ticket: UInt64)] {
    var asked: [(Int, UInt64)] = []
    for _ in 0..<cycles {
      for unit in units { asked.append((unit, lab.submit(Tiny.question(unit)))) }
      lab.pass(.seconds(1))
    }
    return asked
  }

  @Test func fiveUnitsBesideADeadOneMissNoCycle() {
    // 20 registers: 8 bytes there, 45 back, at 19,200 baud 8E1.
    var lab = BusLab(timing: BusTiming(SerialOptions(path: "/dev/ttyAMA0", baud: 19_200, parity: .even)))
    let character = lab.timing.character
    lab.units = { question in
      guard question[0] != 3 else { return [] }
      return [(.ms(5) + character * 45, Tiny.answer(Int(question[0]), question[1]))]
    }
    var missed = 0
    var tickets: [(unit: Int, ticket: UInt64)] = []
    for cycle in 0..<600 {
      var cycleTickets: [(unit: Int, ticket: UInt64)] = []
      for unit in 1...6 {
        let request = BusRequest(
          [UInt8(unit), 1] + [UInt8](repeating: 0, count: 6), unit: unit, finder: Tiny.Finder(unit: UInt8(unit), tag: 1)
        )
        cycleTickets.append((unit, lab.submit(request)))
      }
      lab.pass(.seconds(1))
      // All is over before the next cycle begins, even in the one in which the dead unit is found out.
      #expect(cycleTickets.allSatisfy { lab.outcome($0.ticket) != nil }, "cycle \(cycle)")
      missed += cycleTickets.count { $0.unit != 3 && lab.code($0.ticket) != nil }
      tickets = cycleTickets
    }
    #expect(missed == 0)
    #expect(tickets.count == 6)
    #expect(lab.status(3)?.timeouts ?? 0 > 5)
  }

  @Test func probesTakeATenthOfTheTimeAndEveryDeadUnitHasItsTurn() {
    var lab = BusLab()
    var live: [Int: Duration] = [:]
    for unit in 1...5 { live[unit] = .ms(5) }
    lab.answering(live)
    // 30 dead units behind 5 that live. Finding them out takes 30 × 0.6 s, once.
    _ = Self.poll(&lab, units: 1...35, cycles: 20)
    let foundOut = lab.sent.count
    let begin = lab.elapsed
    #expect(lab.machine.unitStatuses(at: lab.now).count { $0.silentFor != nil } == 30)
    let before = lab.machine.unitStatuses(at: lab.now).map(\.asked)
    _ = Self.poll(&lab, units: 1...35, cycles: 1200)
    let probes = lab.sent.dropFirst(foundOut).filter { $0.bytes[0] > 5 }
    let cost = lab.timing.character * 2 + .ms(300)
    // At most a tenth, and not much less: a poll comes once a second.
    #expect(cost * probes.count <= (lab.elapsed - begin) / 10 + cost)
    #expect(cost * probes.count >= (lab.elapsed - begin) / 15)
    let after = lab.machine.unitStatuses(at: lab.now).map(\.asked)
    let turns = zip(after, before).map { $0 - $1 }.dropFirst(5)
    #expect(turns.min() ?? 0 >= 8)
    #expect((turns.max() ?? 0) - (turns.min() ?? 0) <= 3)
    // Who answers was asked in every cycle.
    #expect(zip(after, before).prefix(5).allSatisfy { $0 - $1 == 1200 })
  }

  @Test func aUnitNobodyAsksForAnyMoreKeepsNoPlace() {
    var lab = BusLab()
    lab.answering([1: .ms(5)])
    _ = Self.poll(&lab, units: 1...4, cycles: 30)
    // Unit 2 and 3 are removed while they wait for their turn; 4 is probed all the same.
    let before = lab.status(4)?.asked ?? 0
    _ = Self.poll(&lab, units: 4...4, cycles: 200)
    #expect((lab.status(4)?.asked ?? 0) - before >= 3)
  }

  @Test func moreUnitsThanAreKnownAreAskedWithoutBeingSetAside() {
    var lab = BusLab()
    for unit in 0..<300 {
      lab.submit(BusRequest([1, 1], unit: unit, finder: Tiny.Finder(unit: 1, tag: 1)))
      lab.pass(.seconds(1))
    }
    #expect(lab.machine.unitStatuses(at: lab.now).count == BusUnits.limit)
    let ticket = lab.submit(BusRequest([1, 1], unit: 299, finder: Tiny.Finder(unit: 1, tag: 1)))
    lab.pass(.seconds(1))
    #expect(lab.code(ticket) == .timedOut)
  }
}
