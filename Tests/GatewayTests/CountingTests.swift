import EventLoop
import Foundation
import Hardware
import Logging
import Synchronization
import Telemetry
import Testing

@testable import Gateway

private func seconds(_ count: Int64) -> Duration { .seconds(count) }

private func meter(_ change: (inout GPIOMeter) -> Void = { _ in }) -> GPIOMeter {
  var meter = GPIOMeter(.count)
  change(&meter)
  return meter
}

private func named(_ name: String, _ change: (inout GPIOMeter) -> Void = { _ in }) -> GPIOLineOptions {
  var line = GPIOLineOptions(name: name, chip: .simulated("/a"), offset: 1, direction: .input)
  line.meter = meter(change)
  return line
}

private func told(_ readings: [Reading]) -> [String: Value] {
  Dictionary(readings.map { ($0.key.name, $0.value) }, uniquingKeysWith: { first, _ in first })
}

/// How fast, how long, how often.
@Suite struct PulseMeasureTests {
  static let second: UInt64 = 1_000_000_000

  @Test func aRateComesFromThePulsesOwnTimes() {
    var rate = PulseRate(idle: seconds(3600), start: seconds(0))
    #expect(rate.close(at: 5 * Self.second) == nil)
    rate.add(1, at: 10 * Self.second)
    #expect(rate.close(at: 10 * Self.second) == nil, "one pulse is no rate")
    // Three pulses in six seconds, whenever it is asked.
    for time in [12, 14, 16] as [UInt64] { rate.add(1, at: time * Self.second) }
    #expect(rate.close(at: 17 * Self.second) == 0.5)
    #expect(rate.close(at: 18 * Self.second) == 0.5, "two seconds of silence say nothing yet")
    // At most one pulse in eight seconds.
    #expect(rate.close(at: 24 * Self.second) == 0.125)
    rate.add(1, at: 26 * Self.second)
    #expect(rate.close(at: 26 * Self.second) == 0.1)
    #expect(rate.close(at: (26 + 3600) * Self.second) == 0)
    #expect(rate.nextFall(below: 0) == nil)
  }

  @Test func missedPulsesCountInARate() {
    var rate = PulseRate(idle: seconds(60), start: seconds(0))
    rate.add(1, at: Self.second)
    rate.add(10, at: 2 * Self.second)
    #expect(rate.close(at: 2 * Self.second) == 10)
    #expect(rate.nextFall(below: 10) == 2 * Self.second + Self.second / 5)
    #expect(rate.nextFall(below: 0.001) == 62 * Self.second, "then it is nothing")
  }

  @Test func timesThatStandStillOrGoBackAreNoRate() {
    var rate = PulseRate(idle: seconds(60), start: seconds(0))
    for time in [5, 5, 4] as [UInt64] { rate.add(1, at: time * Self.second) }
    #expect(rate.close(at: 3 * Self.second) == nil)
    rate.add(1, at: 8 * Self.second)
    #expect(rate.close(at: 8 * Self.second) == 1, "three pulses in three seconds")
  }

  @Test func silenceFromTheStartIsNothing() {
    let rate = PulseRate(idle: seconds(60), start: seconds(100))
    #expect(rate.estimate(at: 159 * Self.second) == nil)
    #expect(rate.estimate(at: 160 * Self.second) == 0)
    #expect(rate.nextFall(below: nil) == 160 * Self.second)
  }

  @Test func aWidthIsTheMeanOfWholePulses() {
    var width = PulseWidth()
    width.add(false, at: 1_000_000, missed: 0)
    #expect(width.isEmpty, "its beginning was not seen")
    for (value, time) in [(true, 10), (false, 12), (true, 20), (false, 24), (true, 30)] as [(Bool, UInt64)] {
      width.add(value, at: time * 1_000_000, missed: 0)
    }
    #expect(width.close() == 3)
    #expect(width.close() == nil)
    width.add(false, at: 35_000_000, missed: 0)
    #expect(width.close() == 5, "one that lasted over the interval's end")
    width.add(true, at: 40_000_000, missed: 0)
    width.add(false, at: 90_000_000, missed: 4)
    #expect(width.isEmpty, "what lies across a gap is no pulse")
    width.add(true, at: 91_000_000, missed: 0)
    width.add(true, at: 95_000_000, missed: 0)
    width.add(false, at: 96_000_000, missed: 0)
    #expect(width.close() == 1, "the newer of two beginnings")
  }

  static let roundings: [(Double, Double)] = [
    (0, 0), (1.234_567_89, 1.234_57), (123_456_789, 123_457_000), (-0.000_123_456_789, -0.000_123_457), (1e300, 1e300),
    (.infinity, .infinity), (999_999.9, 1_000_000),
  ]

  @Test(arguments: roundings.indices) func digitsBeyondSenseAreLeftOut(_ row: Int) {
    #expect(Self.roundings[row].0.rounded(toDigits: 6) == Self.roundings[row].1)
  }
}

/// What a line tells, and when.
@Suite struct LineMeterTests {
  static func edge(_ at: Duration, missed: UInt32 = 0, _ value: Bool = true) -> GPIOEdge {
    GPIOEdge(value, at: at.nanosecondsSinceBoot, missed: missed)
  }

  @Test func aBareCounterTellsAWholeNumber() {
    var line = LineMeter("water", meter(), now: seconds(0))
    var count = CountRecord(name: "water")
    #expect(line.due(now: seconds(3)) == seconds(3), "the count is there from the start")
    #expect(told(line.report(now: seconds(3), count)) == ["water": .long(0)])
    // Nothing comes: once in a quarter of an hour.
    #expect(line.due(now: seconds(4)) == seconds(903))
    line.take([Self.edge(seconds(20))])
    #expect(line.due(now: seconds(20)) == seconds(13), "overdue: the first pulse is told at once")
    count.pulses = 1
    _ = line.report(now: seconds(20), count)
    line.take([Self.edge(seconds(22))])
    count.pulses = 2
    #expect(line.due(now: seconds(22)) == seconds(30), "the next after the interval")
    #expect(told(line.report(now: seconds(30), count)) == ["water": .long(2), "water_rate": .double(450)])
  }

  @Test func aScaledCounterTellsATotalARateAndItsPulses() {
    var line = LineMeter("s0", meter { ($0.scale, $0.rate) = (0.001, .hour) }, now: seconds(0))
    var count = CountRecord(name: "s0")
    count.pulses = 217
    line.take([Self.edge(seconds(1)), Self.edge(seconds(4), missed: 1), Self.edge(seconds(7))])
    let readings = line.report(now: seconds(7), count)
    #expect(readings.map(\.key.name) == ["s0", "s0_pulses", "s0_rate"])
    // 217 × 0.001 without a rounding error; three pulses in six seconds are 1.8 of a thousandth an hour.
    #expect(told(readings) == ["s0": .double(0.217), "s0_pulses": .long(217), "s0_rate": .double(1.8)])
  }

  @Test func aRateFallsWhileNothingComes() {
    var line = LineMeter("s0", meter { $0.rate = .second }, now: seconds(0))
    let count = CountRecord(name: "s0")
    line.take([Self.edge(seconds(1)), Self.edge(seconds(2))])
    #expect(told(line.report(now: seconds(2), count))["s0_rate"] == .double(1))
    var (now, rates) = (seconds(2), [Double]())
    while let due = line.due(now: now), due < seconds(4000) {
      #expect(due > now)
      now = due
      if case .double(let rate)? = told(line.report(now: now, count))["s0_rate"] { rates.append(rate) }
    }
    #expect(rates == rates.sorted(by: >) || zip(rates, rates.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(rates.last == 0)
    #expect(rates.count < 20, "no more often than the silence halves it")
  }

  @Test func whatTheMeterShowedIsWhereTheTotalBegins() {
    let line = LineMeter("gas", meter { ($0.scale, $0.initialTotal) = (0.01, 1234.56) }, now: seconds(0))
    var count = CountRecord(name: "gas")
    (count.pulses, count.base, count.basePulses) = (507, 1234.56, 500)
    #expect(line.total(count) == .double(1234.63))
    #expect(line.options.hasPulses)
  }

  @Test func aFrequencyEndsAtNothing() {
    var options = GPIOMeter(.frequency)
    (options.interval, options.scale) = (seconds(1), 60)
    var line = LineMeter("fan", options, now: seconds(0))
    #expect(
      line.due(now: seconds(0)).map { $0 >= seconds(60) && $0 < seconds(61) } == true, "no pulse is 0 after a while")
    for number in 0...50 as ClosedRange<Int64> { line.take([Self.edge(seconds(10) + .milliseconds(20 * number))]) }
    #expect(told(line.report(now: seconds(11), nil)) == ["fan": .double(3000)])
    #expect(line.latest == 3000)
    var (now, values) = (seconds(11), [Double]())
    while let due = line.due(now: now) {
      now = due
      if case .double(let value)? = told(line.report(now: now, nil))["fan"] { values.append(value) }
    }
    #expect(values.last == 0 && values.count < 12)
  }

  @Test func aWidthIsToldOnlyWhereThereIsOne() {
    var options = GPIOMeter(.pulseWidth)
    options.interval = seconds(5)
    var line = LineMeter("pwm", options, now: seconds(0))
    #expect(line.due(now: seconds(100)) == nil)
    line.take([Self.edge(seconds(100))])
    #expect(line.due(now: seconds(100)) == nil)
    line.take([Self.edge(seconds(100) + .milliseconds(7), false)])
    #expect(line.due(now: seconds(101)) == seconds(101))
    #expect(told(line.report(now: seconds(101), nil)) == ["pwm": .double(7)])
    #expect(line.due(now: seconds(200)) == nil)
  }
}

/// The bytes in files.
@Suite struct CountFormatTests {
  static func record(_ name: String, _ pulses: UInt64, base: Double? = nil) -> CountRecord {
    var record = CountRecord(name: name)
    (record.pulses, record.missed, record.stamp) = (pulses, 3, pulses &+ 1)
    (record.base, record.basePulses) = (base, base == nil ? 0 : 7)
    return record
  }

  @Test func aRecordIsReadAsItWasWritten() {
    for record in [Self.record("w", 0), Self.record(String(repeating: "n", count: 64), .max, base: -0.125)] {
      #expect(record.bytes.count == 128)
      #expect(CountRecord(record.bytes[...]) == record)
    }
  }

  @Test func aChangedByteIsNoticed() {
    let bytes = Self.record("water", 1234, base: 5).bytes
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0x10
      #expect(CountRecord(changed[...]) == nil, "byte \(index)")
    }
    #expect(CountRecord([UInt8](repeating: 0, count: 128)[...]) == nil)
    #expect(CountRecord(bytes[..<127]) == nil)
  }

  @Test func anImageIsReadWholeOrNotAtAll() {
    let image = CountImage(generation: 9, isClean: true, records: [Self.record("a", 1), Self.record("b", 2)])
    let bytes = image.bytes
    #expect(CountImage((bytes + [UInt8](repeating: 0, count: 99))[...]) == image)
    for count in 0..<bytes.count { #expect(CountImage(bytes[..<count]) == nil, "\(count)") }
    for index in 0..<bytes.count where !(12..<16).contains(index) {
      var changed = bytes
      changed[index] ^= 1
      #expect(CountImage(changed[...]) == nil, "byte \(index)")
    }
    let full = CountImage(
      generation: 1, isClean: false, records: (0..<300).map { Self.record("n\($0)", UInt64($0)) })
    #expect(full.bytes.count <= CountImage.slotSize)
    #expect(CountImage(full.bytes[...])?.records.count == 256)
  }

  /// A write that is cut off anywhere leaves the image before it.
  @Test func aTornSlotLeavesTheOther() {
    let old = CountImage(generation: 4, isClean: false, records: [Self.record("a", 100)])
    let new = CountImage(generation: 5, isClean: false, records: [Self.record("a", 150), Self.record("b", 1)])
    var file = [UInt8](repeating: 0, count: 2 * CountImage.slotSize)
    file.replaceSubrange(0..<old.bytes.count, with: old.bytes)
    // Not zeros: the end of the new image would be there already.
    for index in CountImage.slotSize..<file.count { file[index] = 0xEE }
    for count in [0, 1, 8, 12, 20, 63, 64, 100, 191, 192, 300, new.bytes.count - 1, new.bytes.count] {
      var torn = file
      torn.replaceSubrange(CountImage.slotSize..<CountImage.slotSize + count, with: new.bytes.prefix(count))
      #expect(CountFile.newest(torn) == .found(count == new.bytes.count ? new : old))
    }
    #expect(CountFile.newest([UInt8](repeating: 0, count: 500)) == .missing, "made, and not written yet")
    #expect(CountFile.newest([]) == .missing)
    file[0] ^= 1
    #expect(CountFile.newest(file) == .damaged)
  }

  @Test func theFileIsMadeOnceAndWrittenInPlace() throws {
    let scratch = try CommandScratch()
    let file = CountFile(directory: scratch.path)
    #expect(try file.load() == .missing)
    for generation in 1...5 as ClosedRange<UInt64> {
      let image = CountImage(generation: generation, isClean: false, records: [Self.record("a", generation * 10)])
      try file.store(image)
      #expect(try file.load() == .found(image))
      #expect(try scratch.bytes("counters").count == 2 * CountImage.slotSize)
    }
    try scratch.write([1, 2, 3], to: "counters")
    #expect(try file.load() == .damaged)
    try file.setAside()
    #expect(try file.load() == .missing)
    #expect(try scratch.bytes("counters.damaged") == [1, 2, 3])
    #expect(throws: SystemError.self) {
      try CountFile(directory: scratch.file("nowhere")).store(CountImage(generation: 1, isClean: true, records: []))
    }
  }

  @Test func memoryIsKeptByName() throws {
    let scratch = try CommandScratch()
    let hot = try HotCounts(directory: scratch.file("hot"), boot: "one")
    #expect(hot.records.isEmpty && !hot.isOfThisBoot)
    for pulses in 1...3 as ClosedRange<UInt64> {
      for name in ["a", "b"] { try hot.write(Self.record(name, pulses)) }
    }
    let again = try HotCounts(directory: scratch.file("hot"), boot: "one")
    #expect(again.records == [Self.record("a", 3), Self.record("b", 3)] && again.isOfThisBoot)
    again.forget("a")
    try again.write(Self.record("c", 9))
    let other = try HotCounts(directory: scratch.file("hot"), boot: "two")
    #expect(!other.isOfThisBoot)
    #expect(Set(other.records.map(\.name)) == ["b", "c"])
    // One record torn: the others stand.
    var bytes = try scratch.bytes("hot/.counters")
    bytes[128 + 20] ^= 1
    try scratch.write(bytes, to: "hot/.counters")
    #expect(try HotCounts(directory: scratch.file("hot"), boot: "two").records.count == 1)
  }
}

/// What is counted, kept and lost, over everything that can happen to a board.
@Suite struct CountLedgerTests {
  private static func wanted(
    _ names: String..., every: UInt64 = 100, after: Duration = seconds(300), base: Double? = nil
  ) -> [(name: String, every: UInt64, after: Duration, base: Double?)] {
    names.map { ($0, every, after, base) }
  }

  @Test func aWriteIsDueByCountOrByTime() {
    var ledger = CountLedger(now: seconds(0))
    _ = ledger.use(Self.wanted("a", every: 10), now: seconds(0))
    #expect(ledger.nextWrite(now: seconds(0)) == seconds(0), "a new counter's file is made at once")
    let first = ledger.beginWrite(now: seconds(0))
    #expect(ledger.nextWrite(now: seconds(0)) == nil)
    ledger.writeEnded(first, succeeded: true, now: seconds(1))
    #expect(ledger.nextWrite(now: seconds(1)) == nil)
    for number in 1...4 as ClosedRange<UInt64> {
      #expect(ledger.add(1, missed: 0, to: "a", now: seconds(10))?.pulses == number)
      #expect(ledger.nextWrite(now: seconds(10)) == seconds(310))
    }
    // Half of what may be lost: the other half is for what comes until the card has it.
    _ = ledger.add(1, missed: 1, to: "a", now: seconds(11))
    #expect(ledger.nextWrite(now: seconds(11)) == seconds(11))
    let second = ledger.beginWrite(now: seconds(11))
    _ = ledger.add(2, missed: 0, to: "a", now: seconds(12))
    ledger.writeEnded(second, succeeded: true, now: seconds(13))
    #expect(ledger["a"]?.unsaved == 2 && ledger["a"]?.record.missed == 1)
    #expect(ledger.nextWrite(now: seconds(13)) == seconds(311), "since the write began, not since it ended")
    _ = ledger.add(1_000, missed: 0, to: "a", now: seconds(13))
    #expect(ledger.nextWrite(now: seconds(13)) == seconds(14), "once a second at most")
  }

  @Test func aWriteThatFailsIsTriedAgain() {
    var ledger = CountLedger(now: seconds(0))
    _ = ledger.use(Self.wanted("a"), now: seconds(0))
    for attempt in 0...3 as ClosedRange<Int64> {
      let write = ledger.beginWrite(now: seconds(attempt * 10))
      #expect(write.image.generation == 1, "the slot that is whole stays")
      ledger.writeEnded(write, succeeded: false, now: seconds(attempt * 10))
      #expect(ledger.nextWrite(now: seconds(attempt * 10)) == seconds(attempt * 10 + 10))
    }
  }

  @Test func aTotalIsSetByWritingItIntoTheFile() {
    var ledger = CountLedger(now: seconds(0))
    _ = ledger.use(Self.wanted("a"), now: seconds(0))
    _ = ledger.add(500, missed: 0, to: "a", now: seconds(0))
    #expect(ledger.use(Self.wanted("a"), now: seconds(1)).changed.isEmpty)
    let changed = ledger.use(Self.wanted("a", base: 12.5), now: seconds(2)).changed
    #expect(changed.map(\.base) == [12.5] && changed.map(\.basePulses) == [500] && changed.map(\.pulses) == [500])
    #expect(ledger.nextWrite(now: seconds(2)) == seconds(2))
    _ = ledger.add(1, missed: 0, to: "a", now: seconds(3))
    #expect(ledger.use(Self.wanted("a", base: 12.5), now: seconds(4)).changed.isEmpty, "once, not at each reload")
    #expect(ledger["a"]?.record.basePulses == 500)
    let gone = ledger.use(Self.wanted("a"), now: seconds(5)).changed
    #expect(gone.map(\.base) == [nil] && gone.map(\.basePulses) == [0])
  }

  @Test func oneThatIsNotConfiguredIsKeptUntilItsPlaceIsNeeded() {
    var ledger = CountLedger(now: seconds(0))
    _ = ledger.use(Self.wanted("a", "b"), now: seconds(0))
    _ = ledger.add(5, missed: 0, to: "a", now: seconds(0))
    _ = ledger.use(Self.wanted("b"), now: seconds(1))
    #expect(ledger.add(1, missed: 0, to: "a", now: seconds(1)) == nil)
    _ = ledger.use(Self.wanted("a"), now: seconds(2))
    #expect(ledger["a"]?.record.pulses == 5)
    let many = (0..<255).map { (name: "n\($0)", every: UInt64(1), after: seconds(1), base: Double?.none) }
    #expect(ledger.use(many + Self.wanted("a"), now: seconds(3)).dropped == ["b"])
    #expect(ledger.entries.count == 256 && ledger["a"]?.record.pulses == 5)
  }

  /// A board with a card whose writes may be torn, and a memory that a power cut empties.
  private struct Board {
    var random: SplitMix64
    var card = [UInt8](repeating: 0, count: 2 * CountImage.slotSize)
    var hot: [String: CountRecord] = [:]
    var ledger = CountLedger(now: .zero)
    var now = Duration.zero
    /// What really happened.
    var happened: [String: UInt64] = [:]
    var write: CountLedger.Write?
    let limits: [String: UInt64] = ["a": 10, "b": 100, "c": 1]

    init(seed: UInt64) {
      random = SplitMix64(seed)
      start()
    }

    mutating func start() {
      var image: CountImage?
      if case .found(let found) = CountFile.newest(card) { image = found }
      ledger = CountLedger(card: image, hot: Array(hot.values), now: now)
      let wanted = limits.sorted { $0.key < $1.key }.map {
        (name: $0.key, every: $0.value, after: seconds(60), base: Double?.none)
      }
      for record in ledger.use(wanted, now: now).changed { hot[record.name] = record }
    }

    mutating func pulse() {
      guard let name = limits.keys.sorted().randomElement(using: &random) else { return }
      // Slow enough for the card: a pulse at a time.
      happened[name, default: 0] += 1
      if let record = ledger.add(1, missed: 0, to: name, now: now) { hot[name] = record }
    }

    /// - Parameter torn: Whether the write is cut off somewhere.
    mutating func put(_ image: CountImage, torn: Bool) {
      let bytes = image.bytes
      let count = torn ? Int.random(in: 0..<bytes.count, using: &random) : bytes.count
      let start = image.generation.isMultiple(of: 2) ? 0 : CountImage.slotSize
      card.replaceSubrange(start..<start + count, with: bytes.prefix(count))
    }

    mutating func endWrite(fails: Bool) {
      guard let write else { return }
      put(write.image, torn: fails)
      ledger.writeEnded(write, succeeded: !fails, now: now)
      self.write = nil
    }

    mutating func work() {
      now += .milliseconds(Int64.random(in: 1...2000, using: &random))
      if write == nil, let due = ledger.nextWrite(now: now), due <= now {
        write = ledger.beginWrite(now: now)
      } else if write != nil {
        endWrite(fails: false)
      }
    }

    mutating func stop() {
      if write != nil { endWrite(fails: false) }
      guard ledger.needsLastWrite else { return }
      write = ledger.beginWrite(isLast: true, now: now)
      endWrite(fails: false)
    }
  }

  private struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  @Test(arguments: 1...25 as ClosedRange<UInt64>)
  func nothingIsLostButByAPowerCutAndThatIsBounded(_ seed: UInt64) {
    var board = Board(seed: seed)
    for _ in 0..<400 {
      switch Int.random(in: 0..<40, using: &board.random) {
      case 0:
        // A kill: the write under way may still be made by the kernel, or not.
        if let write = board.write { board.put(write.image, torn: Bool.random(using: &board.random)) }
        board.write = nil
        board.start()
      case 1:
        board.stop()
        // A clean stop is whole without any memory.
        board.hot = [:]
        board.start()
      case 2:
        if let write = board.write { board.put(write.image, torn: true) }
        board.write = nil
        board.hot = [:]
        board.start()
        for (name, limit) in board.limits {
          let (kept, was) = (board.ledger[name]?.record.pulses ?? 0, board.happened[name] ?? 0)
          #expect(kept <= was && was - kept <= max(limit, 4), "\(name) lost \(was - kept)")
          board.happened[name] = kept
        }
      default:
        board.pulse()
        board.work()
      }
      for (name, count) in board.happened { #expect(board.ledger[name]?.record.pulses == count) }
    }
  }
}

/// The actor with files and a loop.
@Suite struct CountersTests {
  private final class Bench: @unchecked Sendable {
    // @unchecked: used on one loop.
    let loop: EventLoop
    let scratch: CommandScratch
    let log = LogLines()
    private(set) var told: [(line: String, values: [String: Value])] = []

    init(_ loop: EventLoop) throws {
      self.loop = loop
      scratch = try CommandScratch()
    }

    func open(_ lines: [GPIOLineOptions], boot: String = "one") async -> Counters {
      let counters = await Counters.open(
        on: loop, hotDirectory: scratch.file("hot"), stateDirectory: scratch.path,
        disk: BlockingPool(name: "disk", threads: 1), log: log.logger, boot: boot
      ) { [unowned self] line, readings, _ in
        #expect(loop.isOnLoop)
        self.told.append((line, values(of: readings)))
      }
      await counters.use(lines)
      return counters
    }

    func until(_ condition: (Bench) async -> Bool) async throws {
      while await !condition(self) { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
    }

    /// What an operator reads.
    var logged: [String] { log.lines.filter { $0.level >= .notice }.map { "\($0.level): \($0.text)" } }

    var card: CountImage? {
      guard case .found(let image)? = try? CountFile(directory: scratch.path).load() else { return nil }
      return image
    }
  }

  private static func pulses(_ line: String, _ count: Int, missed: UInt32 = 0) -> GPIOEdges {
    let now = Uptime.monotonic.nanosecondsSinceBoot
    return GPIOEdges(
      line: line, edges: (0..<count).map { GPIOEdge(true, at: now + UInt64($0), missed: $0 == 0 ? missed : 0) })
  }

  private static func quick(_ name: String) -> GPIOLineOptions { named(name) { $0.interval = .milliseconds(100) } }

  @Test func aCountSurvivesAKill() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      var counters: Counters? = await bench.open([Self.quick("water")])
      try await bench.until { $0.told.count == 1 }
      #expect(bench.told[0].values == ["water": .long(0)])
      await counters?.take(Self.pulses("water", 7, missed: 3))
      try await bench.until { $0.told.last?.values["water"] == .long(10) }
      #expect(bench.logged.filter { $0.hasPrefix("warning") }.count == 1)
      #expect(
        bench.logged.last
          == "warning: water: the kernel had no room for 3 edges, which a gap in its numbers tells; they are in the count; "
          + "the signal is too fast, or the board too busy")
      let first = try #require(counters)
      try await bench.until { _ in bench.card != nil }
      #expect(
        JSON.object(await first.status(of: "water"))["missed"] == .integer(3))
      // Nothing is said to it any more.
      counters = nil
      let again = await bench.open([Self.quick("water")])
      try await bench.until { $0.told.last?.values["water"] == .long(10) && $0.told.count > 2 }
      await again.take(Self.pulses("water", 1))
      try await bench.until { $0.told.last?.values["water"] == .long(11) }
      #expect(!bench.logged.contains { $0.contains("power") })
      await again.close()
      #expect(bench.card?.isClean == true && bench.card?.records.map(\.pulses) == [11])
      await first.close()
    }
  }

  @Test func aPowerCutIsTold() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      let first = await bench.open([named("water") { $0.persistEvery = 20 }])
      await first.take(Self.pulses("water", 10))
      try await bench.until { $0.card?.records.first?.pulses == 10 }
      await first.take(Self.pulses("water", 5))
      try FileManager.default.removeItem(atPath: bench.scratch.file("hot"))
      let again = await bench.open([named("water") { $0.persistEvery = 20 }], boot: "two")
      #expect(
        bench.logged == [
          "warning: water: the power was cut, so up to 20 pulses may be missing (`persist_every`); the count goes on at 10"
        ])
      await again.close()
      // A stop in order, and then the power.
      try FileManager.default.removeItem(atPath: bench.scratch.file("hot"))
      let last = await bench.open([named("water")], boot: "three")
      #expect(bench.logged.count == 1)
      await last.close()
    }
  }

  @Test func aReloadKeepsWhatKeepsItsName() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      let counters = await bench.open([Self.quick("a"), Self.quick("b")])
      await counters.take(Self.pulses("a", 4))
      await counters.take(Self.pulses("b", 5))
      await counters.use([named("b") { ($0.scale, $0.interval) = (0.5, .milliseconds(100)) }, Self.quick("c")])
      await counters.take(Self.pulses("a", 1))
      await counters.take(Self.pulses("b", 1))
      try await bench.until { $0.told.last { $0.line == "b" }?.values["b"] == .double(3) }
      #expect(bench.told.last { $0.line == "b" }?.values["b_pulses"] == .long(6))
      await counters.use([Self.quick("a")])
      try await bench.until { $0.told.last { $0.line == "a" }?.values["a"] == .long(4) }
      await counters.close()
      #expect(bench.card?.records.map(\.name) == ["a", "b", "c"])
    }
  }

  @Test func aCardThatCannotBeWrittenIsToldOnceAndTheCountGoesOn() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      // A directory in its place: nobody can write that, not even root.
      try FileManager.default.createDirectory(
        atPath: bench.scratch.file("counters"), withIntermediateDirectories: false)
      let counters = await bench.open([Self.quick("water")])
      try await bench.until { $0.logged.contains { $0.hasPrefix("error") && $0.contains("a power cut would cost") } }
      await counters.take(Self.pulses("water", 3))
      try await bench.until { $0.told.last?.values["water"] == .long(3) }
      await counters.close()
      let again = await bench.open([Self.quick("water")])
      try await bench.until { $0.told.last?.values["water"] == .long(3) && $0.told.count > 1 }
      await again.close()
    }
  }

  @Test func damageIsSetAsideAndTold() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      try bench.scratch.write([UInt8](repeating: 7, count: 100), to: "counters")
      let counters = await bench.open([Self.quick("water")])
      #expect(bench.logged.count == 1 && bench.logged[0].contains("is damaged and was set aside"))
      try await bench.until { $0.card != nil }
      #expect(try bench.scratch.bytes("counters.damaged").count == 100)
      await counters.close()
    }
  }

  @Test func theLastPulsesAreToldAtAStop() throws {
    try onCommandLoop { loop in
      let bench = try Bench(loop)
      let counters = await bench.open([named("water") { $0.interval = seconds(3600) }])
      try await bench.until { $0.told.count == 1 }
      await counters.tellLast()
      #expect(bench.told.count == 1, "nothing new")
      await counters.take(Self.pulses("water", 2))
      await counters.tellLast()
      #expect(bench.told.last?.values["water"] == .long(2))
      await counters.close()
      await counters.take(Self.pulses("water", 2))
      #expect(bench.card?.records.map(\.pulses) == [2])
    }
  }
}

private func values(of readings: [Reading]) -> [String: Value] { told(readings) }
