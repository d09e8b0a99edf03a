import Logging
import Testing

@testable import Hardware

/// What the log says of units.
@Suite struct BusJournalTests {
  static let line = SerialOptions(path: "/dev/ttyAMA0", baud: 19_200, parity: .even)

  @Test func aUnitThatComesAndGoesIsThreeLines() {
    let lines = LogLines()
    var journal = BusJournal(name: "bus", log: Logger(label: "test") { _ in lines.handler })
    for round in 0..<100 {
      let now = Duration.seconds(1000 + round * 10)
      journal.note(.fellSilent(unit: 5, failure: "unit 5 is silent", askedAgainIn: .seconds(1)), on: Self.line, at: now)
      journal.note(.answersAgain(unit: 5, after: .seconds(3)), on: Self.line, at: now + .seconds(3))
    }
    #expect(lines.told.count == 4)
    #expect(
      lines.told[2] == """
        warning: unit 5 is silent (/dev/ttyAMA0, 19200 8E1); it comes and goes, from now on without a line each time; \
        check cable, termination and `timeout:`
        """)
    // A minute of answers makes its silence news again; another unit has its own story.
    journal.note(
      .fellSilent(unit: 5, failure: "unit 5 is silent", askedAgainIn: .seconds(1)), on: Self.line, at: .seconds(5000))
    journal.note(
      .fellSilent(unit: 6, failure: "unit 6 is silent", askedAgainIn: .seconds(1)), on: Self.line, at: .seconds(5000))
    #expect(lines.told.count == 6)
  }

  @Test func aSlowUnitIsToldWhatToRaise() {
    let lines = LogLines()
    var journal = BusJournal(name: "bus", log: Logger(label: "test") { _ in lines.handler })
    journal.note(.answersLate(unit: 5, timeout: .milliseconds(300)), on: Self.line, at: .seconds(1))
    #expect(
      lines.told == [
        """
        warning: unit 5 on bus answers, but later than 300 ms after the question; raise `timeout:` of its sensor or of \
        the port
        """
      ])
  }
}
