import Hardware
import Testing

@testable import Gateway

/// The ladder without clock, disk and programs.
@Suite struct LadderTests {
  static let modem = RecoveryStep(after: .seconds(30 * 60), run: "restart-modem")
  static let reboot = RecoveryStep(after: .seconds(6 * 3600), run: "reboot")
  static let day = Duration.seconds(24 * 3600)

  /// A board whose server is out of reach: its clock, its daemon and its card.
  struct Board {
    var ladder: Ladder
    var record = LadderRecord(boot: "boot 0")
    var boots = 0
    /// Since the outage began, whatever the boot.
    var total = Duration.zero
    /// On this boot's clock.
    var now: Duration
    var taken: [(step: String, at: Duration)] = []
    private var history: RebootHistory {
      guard let trouble = record.troubles["server"], trouble.reboots > 0 else { return .none }
      return RebootHistory(count: trouble.reboots, last: trouble.lastReboot)
    }

    init(_ steps: [RecoveryStep], upFor now: Duration = .seconds(3600)) {
      self.now = now
      ladder = Ladder(steps)
      ladder.begin(at: now)
    }

    var due: Duration? { ladder.due(after: history) }

    mutating func advance(by time: Duration) {
      now += time
      total += time
    }

    /// - Parameter isKilled: Whether the daemon dies between the record and the step.
    /// - Returns: What was taken.
    @discardableResult
    mutating func takeDue(isKilled: Bool = false, rebootWorks: Bool = true) throws -> String? {
      guard let step = ladder.take(at: now, after: history) else { return nil }
      record.troubles["server"] = ladder.trouble
      if isKilled {
        try restart()
        return nil
      }
      taken.append((step.run, total))
      if step.run == "reboot", rebootWorks { try restart(boot: true) }
      return step.run
    }

    /// The daemon, or the board, starts again; then a request fails.
    mutating func restart(boot: Bool = false) throws {
      if boot {
        boots += 1
        now = .seconds(20)
        total += now
      }
      if !record.troubles.isEmpty {
        record = try LadderRecord(parsing: record.bytes).carried(into: "boot \(boots)", at: now)
      }
      ladder = Ladder(ladder.steps, trouble: record.troubles["server"])
      ladder.begin(at: now)
    }

    mutating func run(for time: Duration) throws {
      let end = total + time
      while let due, total + max(.zero, due - now) <= end {
        advance(by: max(.zero, due - now))
        try #require(try takeDue() != nil)
        try #require(taken.count < 100_000)
      }
    }
  }

  static func hours(_ board: Board) -> [String] {
    board.taken.map { "\($0.step) \(($0.at / .seconds(360)).rounded() / 10)" }
  }

  @Test func roundsGetLongerUpToADay() throws {
    var board = Board([Self.modem, RecoveryStep(after: .seconds(6 * 3600), run: "reset-router")])
    try board.run(for: .seconds(70 * 3600))
    #expect(
      Self.hours(board) == [
        "restart-modem 0.5", "reset-router 6.0", "restart-modem 7.0", "reset-router 18.0", "restart-modem 20.0",
        "reset-router 42.0", "restart-modem 44.0", "reset-router 66.0", "restart-modem 68.0",
      ])
  }

  @Test func theIssuesLadderAcrossItsReboots() throws {
    var board = Board([Self.modem, Self.reboot])
    try board.run(for: .seconds(70 * 3600))
    #expect(
      Self.hours(board) == [
        "restart-modem 0.5", "reboot 6.0", "restart-modem 7.0", "reboot 18.0", "restart-modem 20.0", "reboot 42.0",
        "restart-modem 44.0", "reboot 66.0", "restart-modem 68.0",
      ])
    #expect(board.boots == 4)
  }

  static let patient: [(seconds: Int, most: Int)] = [
    (0, 45), (60, 43), (600, 40), (3600, 35), (6 * 3600, 31), (48 * 3600, 15),
  ]

  /// 30 days of outage.
  @Test(arguments: patient) func aBoardSettlesAtOneRebootADay(_ after: Int, _ most: Int) throws {
    var board = Board([RecoveryStep(after: .seconds(after), run: "reboot")], upFor: .seconds(30))
    try board.run(for: .seconds(30 * 24 * 3600))
    #expect(board.boots <= most)
    #expect(board.boots >= 14, "it never stops trying")
    let late = board.taken.map(\.at).filter { $0 > Self.day * 3 }
    for (first, second) in zip(late, late.dropFirst()) { #expect(second - first >= .seconds(15 * 3600)) }
  }

  /// No step behind it makes it more frequent.
  @Test func aRebootThatIsNotTheLastStepIsRareToo() throws {
    var board = Board([RecoveryStep(after: .seconds(300), run: "reboot"), Self.modem])
    try board.run(for: .seconds(30 * 24 * 3600))
    #expect((25...45).contains(board.boots))
  }

  /// Where the system does not agree to it, asking is limited all the same.
  @Test func aRebootThatDoesNotHappenIsNotAskedForAgainAtOnce() throws {
    var board = Board([RecoveryStep(after: .seconds(600), run: "reboot")])
    var times: [Duration] = []
    while times.count < 12, let due = board.due {
      board.advance(by: max(.zero, due - board.now))
      #expect(try board.takeDue(rebootWorks: false) == "reboot")
      times.append(board.total)
    }
    for (index, pair) in zip(times, times.dropFirst()).enumerated() {
      #expect(pair.1 - pair.0 >= min(.seconds(600 * (2 << index)), .seconds(15 * 3600)))
    }
  }

  @Test func aRebootWaitsForABoardThatHasJustStarted() {
    var ladder = Ladder([RecoveryStep(after: .seconds(1), run: "reboot")])
    ladder.begin(at: .seconds(10))
    #expect(ladder.due() == Ladder.earliestReboot)
    #expect(ladder.take(at: .seconds(299)) == nil)
    #expect(ladder.take(at: .seconds(300)) != nil)
  }

  /// Other ladders' restarts count, too.
  @Test func restartsOfOtherLaddersCount() {
    var ladder = Ladder([RecoveryStep(after: .seconds(3600), run: "reboot")])
    ladder.begin(at: .seconds(1000))
    #expect(ladder.due() == .seconds(4600))
    #expect(ladder.due(after: RebootHistory(count: 2, last: .seconds(500))) == .seconds(500 + 4 * 3600))
  }

  @Test func theEndForgetsAll() {
    var ladder = Ladder([Self.modem])
    ladder.begin(at: .seconds(100))
    #expect(ladder.take(at: .seconds(1899)) == nil)
    #expect(ladder.take(at: .seconds(1900)) == Self.modem)
    #expect(ladder.end()?.steps == "restart-modem")
    #expect(ladder.due() == nil)
    #expect(ladder.end() == nil)
    ladder.begin(at: .seconds(5000))
    #expect(ladder.due() == .seconds(6800))
  }

  @Test func withoutStepsNothingIsDue() {
    var ladder = Ladder([])
    ladder.begin(at: .seconds(1))
    #expect(ladder.due() == nil)
    #expect(ladder.take(at: .seconds(1_000_000)) == nil)
  }

  /// A machine that slept through all of it does not do all of it at once.
  @Test func afterALongSleepStepsAreApart() {
    var ladder = Ladder([Self.modem, Self.reboot])
    ladder.begin(at: .seconds(3600))
    #expect(ladder.take(at: .seconds(50_000)) == Self.modem)
    #expect(ladder.take(at: .seconds(50_000)) == nil)
    #expect(ladder.due() == .seconds(50_600))
  }

  @Test func aShorterListBeginsAnew() {
    var ladder = Ladder([Self.modem, Self.reboot])
    ladder.begin(at: .zero)
    #expect(ladder.take(at: .seconds(1800)) == Self.modem)
    ladder.update([Self.modem])
    #expect(ladder.trouble?.taken == 0)
    #expect(ladder.due() == .seconds(1800 + 3600))
    ladder.update([])
    #expect(ladder.due() == nil)
    ladder.update([Self.modem, Self.reboot])
    #expect(ladder.due() != nil)
  }

  // MARK: Restarts

  @Test func aRestartOfTheDaemonDoesNotRestartTheClock() throws {
    var board = Board([Self.modem, Self.reboot])
    board.advance(by: .seconds(1800))
    #expect(try board.takeDue() == "restart-modem")
    for _ in 0..<35 {
      board.advance(by: .seconds(600))
      try board.restart()
      try board.takeDue()
    }
    #expect(Self.hours(board) == ["restart-modem 0.5", "reboot 6.0"])
  }

  /// The record is there before the step: at most once, never twice.
  @Test(arguments: [false, true]) func aStepBetweenRecordAndActionIsNotRepeated(_ boot: Bool) throws {
    var board = Board([Self.modem, Self.reboot])
    board.advance(by: .seconds(1800))
    #expect(try board.takeDue(isKilled: true) == nil)
    if boot { try board.restart(boot: true) }
    try board.run(for: .seconds(7 * 3600))
    #expect(board.taken.map(\.step).first == "reboot")
  }

  /// Steps, kills, power cuts and a clock that jumps ahead, at random.
  @Test(arguments: 0..<20) func whateverHappensNothingIsFrantic(_ seed: UInt64) throws {
    var generator = Seeded(seed)
    var board = Board([Self.modem, RecoveryStep(after: .seconds(2 * 3600), run: "second"), Self.reboot])
    while board.total < Self.day * 30 {
      switch Int.random(in: 0..<20, using: &generator) {
      case 0: try board.restart(boot: true)
      case 1, 2: try board.restart()
      case 3: board.advance(by: .seconds(Int.random(in: 0...100_000, using: &generator)))
      case 4: try board.takeDue(isKilled: true)
      default:
        board.advance(by: .seconds(Int.random(in: 0...3600, using: &generator)))
        try board.takeDue()
      }
      let trouble = try #require(board.ladder.trouble)
      #expect(trouble.taken < 3)
      #expect(board.now >= trouble.roundBegan)
    }
    let reboots = board.taken.filter { $0.step == "reboot" }
    #expect((1...32).contains(reboots.count))
    for (first, second) in zip(reboots.map(\.at), reboots.map(\.at).dropFirst()) {
      #expect(second - first >= .seconds(6 * 3600))
    }
    for (first, second) in zip(board.taken, board.taken.dropFirst()) {
      #expect(second.at - first.at >= .seconds(600), "\(first) \(second)")
    }
  }

  /// SplitMix64: the same numbers each run.
  struct Seeded: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }
}
