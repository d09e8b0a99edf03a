import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Outputs that are never on together.
@Suite struct InterlockTests {
  static let chip = GPIOChipReference.device("/dev/gpiochip0")
  static let pair = [GPIOInterlock(["up", "down"])]
  static let slow = [GPIOInterlock(["up", "down"], gap: .milliseconds(500))]

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let interlocks: [GPIOInterlock]
    let levels: [String: Interlocks.Level]
    let obstacle: Interlocks.Obstacle?

    init(
      _ description: String, _ interlocks: [GPIOInterlock], _ levels: [String: Interlocks.Level],
      _ obstacle: Interlocks.Obstacle?
    ) {
      (testDescription, self.interlocks, self.levels, self.obstacle) = (description, interlocks, levels, obstacle)
    }
  }

  static let rows = [
    Row("in none", [], ["down": .on], nil),
    Row("in another one", [GPIOInterlock(["left", "right"])], ["down": .on, "left": .on], nil),
    Row("the other is off", pair, ["down": .off(since: .seconds(10))], nil),
    Row("the other is on", pair, ["down": .on], .on("down")),
    Row("the other cannot be had", pair, ["down": .unknown], .unknown("down")),
    Row("its own level says nothing", pair, ["up": .on, "down": .off(since: .zero)], nil),
    Row("a moment ago", slow, ["down": .off(since: .milliseconds(9_800))], .recent("down", .milliseconds(300))),
    Row("just long enough ago", slow, ["down": .off(since: .milliseconds(9_500))], nil),
    Row(
      "one that is on goes before one that may be",
      [GPIOInterlock(["up", "left"]), GPIOInterlock(["up", "down"])], ["left": .unknown, "down": .on], .on("down")),
    Row(
      "each entry has its own gap", slow + [GPIOInterlock(["up", "left"])],
      ["left": .off(since: .milliseconds(9_999)), "down": .off(since: .zero)], nil),
    Row(
      "of three", [GPIOInterlock(["up", "down", "left"])], ["down": .off(since: .zero), "left": .on], .on("left")),
  ]

  @Test(arguments: rows) func whatKeepsALineOff(_ row: Row) {
    let found = Interlocks(row.interlocks).obstacle(to: "up", at: .seconds(10)) { row.levels[$0] ?? .unknown }
    #expect(found == row.obstacle)
  }

  // MARK: Lines

  private static func output(
    _ name: String, _ offset: UInt32, initial: Bool = false, safe: GPIOLineOptions.Safe = .off
  ) -> GPIOLineOptions { .output(name, offset, on: chip, initial: initial, safe: safe) }

  /// Two of everything that can be commanded: never are both on, whatever comes when, on a chip that takes its time.
  @Test func noOrderOfCommandsHasTwoOnTogether() throws {
    try onLoop { loop in
      let chip = LevelChip()
      let lines = [Self.output("up", 1), Self.output("down", 2), Self.output("stop", 3)]
      let names = lines.map(\.name)
      let bench = GPIOBench(
        loop, lines, interlocks: [GPIOInterlock(names, gap: .microseconds(200))], request: chip.request)
      await bench.gpio.start()
      var generator = Seeded(state: 7)
      var commands: [Task<GPIOError.Code?, Never>] = []
      for _ in 0..<600 {
        let name = names[Int(generator.next() % 3)]
        let choice = generator.next() % 10
        commands.append(
          Task(executorPreference: loop) {
            await bench.failure {
              switch choice {
              case 0..<4: _ = try await bench.gpio.set(name, to: true)
              case 4..<5: try await bench.gpio.pulse(name, for: .microseconds(300))
              default: _ = try await bench.gpio.set(name, to: false)
              }
            }
          })
        if generator.next() % 3 == 0 { try await loop.sleep(for: .microseconds(100), accuracy: .microseconds(1)) }
      }
      var codes: [GPIOError.Code?] = []
      for command in commands { codes.append(await command.value) }
      #expect(chip.mostOn == 1)
      #expect(codes.contains(.interlocked) && codes.contains(nil))
      #expect(!codes.contains(.notOutput) && !codes.contains(.noSuchLine))
      await bench.gpio.stop()
      #expect(chip.mostOn == 1)
    }
  }

  @Test func theRefusalNamesTheOtherLine() throws {
    try onLoop { loop in
      let chip = LevelChip()
      let bench = GPIOBench(
        loop, [Self.output("up", 1), Self.output("down", 2)], interlocks: Self.pair, request: chip.request)
      await bench.gpio.start()
      #expect(await bench.set("up", to: true) == true)
      let refused = GPIOError(
        .interlocked, "down is never on together with up (gpio.interlocks): up is on; switch it off first")
      await #expect(throws: refused) { try await bench.gpio.set("down", to: true) }
      await #expect(throws: refused) { try await bench.gpio.pulse("down", for: .seconds(1)) }
      #expect(await bench.set("down", to: false) == false, "off is always allowed")
      #expect(await bench.set("up", to: true) == true)
      #expect(await bench.set("up", to: false) == false)
      #expect(await bench.set("down", to: true) == true)
      // Others may be forbidden while it runs.
      await bench.gpio.use(GPIOOptions(lines: bench.gpio.lines))
      #expect(await bench.set("up", to: true) == true)
      await bench.gpio.use(GPIOOptions(lines: bench.gpio.lines, interlocks: Self.pair))
      try await bench.poll { try await !$0.gpio.value(of: "down") }
      #expect(await bench.value(of: "up") == true)
      #expect(
        bench.log.told.filter { $0.hasPrefix("error") } == [
          "error: down: is not on together with up (gpio.interlocks), so it is off: up is on; switch it off first"
        ])
      await bench.gpio.stop()
    }
  }

  @Test func oneThatCannotBeHadMayBeOn() throws {
    try onLoop { loop in
      let chip = LevelChip()
      chip.refuse(2)
      let bench = GPIOBench(
        loop, [Self.output("up", 1), Self.output("down", 2)], interlocks: Self.pair, request: chip.request)
      await bench.gpio.start()
      #expect(await bench.failure { _ = try await bench.gpio.set("up", to: true) } == .interlocked)
      chip.refuse(nil)
      await bench.until("down", says: [false])
      #expect(await bench.set("up", to: true) == true)
      await bench.gpio.stop()
    }
  }

  @Test func whatStartsOnFindsTheOthersOff() throws {
    try onLoop { loop in
      let chip = LevelChip(on: [2])
      let bench = GPIOBench(
        loop, [Self.output("up", 1, initial: true, safe: .on), Self.output("down", 2)],
        interlocks: [GPIOInterlock(["up", "down"], gap: .milliseconds(2))], request: chip.request)
      await bench.gpio.start()
      #expect(chip.levels == [1: true, 2: false])
      #expect(chip.mostOn == 1)
      // The way back: off goes before on, too.
      _ = await bench.set("up", to: false)
      try await bench.poll { await $0.set("down", to: true) == true }
      await bench.gpio.stop()
      #expect(chip.levels == [1: true, 2: false])
      #expect(chip.mostOn == 1)
    }
  }

  @Test func whatStartsOnStaysOffWhereTheOtherIsNotKnownToBeOff() throws {
    try onLoop { loop in
      let chip = LevelChip()
      chip.refuse(2)
      let bench = GPIOBench(
        loop, [Self.output("up", 1, initial: true, safe: .on), Self.output("down", 2)], interlocks: Self.pair,
        request: chip.request)
      await bench.gpio.start()
      #expect(chip.levels == [1: false])
      #expect(bench.log.told.contains { $0.hasPrefix("error: up: is not on together with down (gpio.interlocks)") })
      await bench.gpio.stop()
      #expect(chip.levels == [1: false], "nor is it left on")
    }
  }

  @Test func twoThatWereHeldOnAreNotBothKept() throws {
    try onLoop { loop in
      // Both read on when they are had, as lines do that outlived the daemon.
      let chip = TwinChip([.success(TwinLine(true)), .success(TwinLine(true))])
      let bench = GPIOBench(
        loop, [Self.output("up", 1, safe: .hold), Self.output("down", 2, safe: .hold)], interlocks: Self.pair,
        request: chip.request)
      await bench.gpio.start()
      try await bench.poll { _ in chip.story == "request request off" }
      await bench.gpio.stop()
    }
  }
}

/// A repeatable choice. Source: Knuth's constants for a linear congruential generator modulo 2^64.
private struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}

/// A chip that takes its time, and sees how many of its lines are on together.
final class LevelChip: @unchecked Sendable {
  // @unchecked: locked; the pool's threads use it.
  private let lock = NSLock()
  private var state: (levels: [UInt32: Bool], most: Int, refused: UInt32?)

  init(on lines: [UInt32] = []) {
    state = (Dictionary(uniqueKeysWithValues: lines.map { ($0, true) }), lines.count, nil)
  }

  var levels: [UInt32: Bool] { lock.withLock { state.levels } }
  var mostOn: Int { lock.withLock { state.most } }
  func refuse(_ offset: UInt32?) { lock.withLock { state.refused = offset } }

  fileprivate func set(_ offset: UInt32, _ value: Bool) {
    lock.withLock {
      state.levels[offset] = value
      state.most = max(state.most, state.levels.values.filter { $0 }.count)
    }
    sched_yield()
  }

  @Sendable func request(_ line: GPIOLineOptions, _: Bool) throws(GPIOFault) -> any GPIOLineHandle {
    if lock.withLock({ state.refused == line.offset }) {
      throw GPIOFault(.inUse, "line \(line.selector) is held by \"w1\"", SystemError("ioctl", errno: EBUSY))
    }
    set(line.offset ?? 0, line.initial)
    return LevelLine(self, line)
  }
}

private final class LevelLine: GPIOLineHandle, @unchecked Sendable {
  // @unchecked: one user at a time.
  private let chip: LevelChip
  private let offset: UInt32
  private let twin: TwinLine
  var first: Bool? { twin.first }
  var complaint: String? { nil }
  var descriptor: CInt { twin.descriptor }

  init(_ chip: LevelChip, _ line: GPIOLineOptions) {
    (self.chip, offset, twin) = (chip, line.offset ?? 0, TwinLine(line.initial))
  }

  func takeChanges() throws(GPIOFault) -> [GPIOChange] { [] }
  func drive(_ value: Bool) throws(GPIOFault) -> Bool {
    chip.set(offset, value)
    return value
  }
  func release() {}
}
