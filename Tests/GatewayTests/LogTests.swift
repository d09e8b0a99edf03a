import Logging
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct LogLimiterTests {
  @Test func oneLineAMinuteAndCauseWithTheCountOfTheRest() {
    var limiter = LogLimiter<String>(every: .seconds(60))
    #expect(limiter.admit("a", now: .seconds(0)) == 0)
    #expect(limiter.admit("a", now: .seconds(1)) == nil)
    #expect(limiter.admit("b", now: .seconds(2)) == 0)
    #expect(limiter.admit("a", now: .seconds(59)) == nil)
    #expect(limiter.admit("a", now: .seconds(60)) == 2)
    #expect(limiter.admit("a", now: .seconds(61)) == nil)
  }

  @Test func causesAreBounded() {
    var limiter = LogLimiter<Int>(every: .seconds(60))
    for cause in 0..<10 * LogLimiter<Int>.causeLimit { #expect(limiter.admit(cause, now: .seconds(cause)) == 0) }
    // The first was forgotten to make room, the last was not.
    #expect(limiter.admit(0, now: .seconds(1000)) == 0)
  }
}

@Suite struct OutageLogTests {
  /// Readings, attributes and commands meet one outage; whoever is first tells of it, and of its end.
  @Test func oneOutageIsOneLineHoweverManyWaysMeetIt() {
    let board = OutageBoard()
    var ways = (0..<4).map { _ in OutageLog(board) }
    for second in 0..<300 {
      for way in ways.indices {
        let told = ways[way].failed("unreachable", isOutage: true, now: .seconds(second))
        #expect((told != nil) == (second == 0 && way == 0))
      }
    }
    #expect(ways[1].failed("unauthorized", isOutage: true, now: .seconds(300)) == 0, "another cause is news")
    let ends = ways.indices.map { ways[$0].recovered(now: .seconds(400)) }
    #expect(ends == [.seconds(400), .seconds(400), nil, nil])
    // One way that goes on failing keeps the others' next failure from being news.
    _ = ways[2].failed("unreachable", isOutage: true, now: .seconds(410))
    #expect(ways[0].failed("unreachable", isOutage: true, now: .seconds(500)) == nil)
    _ = ways[0].recovered(now: .seconds(510))
    _ = ways[2].recovered(now: .seconds(510))
    #expect(ways[3].failed("unreachable", isOutage: true, now: .seconds(571)) == 0)
  }

  @Test func anOutageIsToldOnceAndSoIsItsEnd() {
    var log = OutageLog()
    #expect(log.failed("unreachable", isOutage: true, now: .seconds(10)) == 0)
    #expect(log.failed("unreachable", isOutage: true, now: .seconds(20)) == nil)
    #expect(log.recovered(now: .seconds(100)) == .seconds(90))
    #expect(log.recovered(now: .seconds(101)) == nil)
    #expect(log.failed("unreachable", isOutage: true, now: .seconds(159)) == nil, "it is not over yet")
    #expect(log.recovered(now: .seconds(160)) == nil)
    #expect(log.failed("unreachable", isOutage: true, now: .seconds(220)) == 0, "another outage is news")
  }

  @Test func aServerThatComesAndGoesFloodsNoLog() {
    var log = OutageLog()
    var lines = 0
    // Every second request fails, as at a rate limit, for half an hour.
    for second in 0..<1800 {
      if log.failed("serverError", isOutage: true, now: .seconds(second)) != nil { lines += 1 }
      if log.recovered(now: .seconds(second) + .milliseconds(500)) != nil { lines += 1 }
    }
    #expect(lines <= 6)
  }

  @Test func aRefusedRecordIsNoOutage() {
    var log = OutageLog()
    #expect(log.failed("tooLarge", isOutage: false, now: .seconds(1)) == 0)
    #expect(log.recovered(now: .seconds(2)) == nil)
  }
}

@Suite struct LogHandlerTests {
  @Test func fieldNamesAreTheJournals() {
    #expect(BaudgateLogHandler.fieldName("sensor") == "BAUDGATE_SENSOR")
    #expect(BaudgateLogHandler.fieldName("unit id-2é") == "BAUDGATE_UNIT_ID_2_")
  }
}

@Suite struct TrafficTodayTests {
  private func traffic(_ sent: UInt64, _ received: UInt64) -> Traffic {
    var traffic = Traffic()
    traffic.sent = sent
    traffic.received = received
    return traffic
  }

  @Test func startsAnewAtMidnight() {
    let day: Int64 = 86_400_000
    var today = TrafficToday()
    today.update(traffic(100, 10), at: 5 * day)
    #expect(today.sent == 100 && today.received == 10)
    today.update(traffic(300, 30), at: 6 * day - 1)
    #expect(today.sent == 300)
    today.update(traffic(350, 35), at: 6 * day)
    #expect(today.sent == 50 && today.received == 5)
    today.update(traffic(350, 35), at: 7 * day)
    #expect(today.sent == 0)
  }
}
