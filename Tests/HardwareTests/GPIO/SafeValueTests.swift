import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Outputs that take their safe values without a daemon, and with one while the server is out of reach.
@Suite struct SafeValueTests {
  static let device = GPIOChipReference.device("/dev/gpiochip0")

  // MARK: baudgate safe

  private static func drive(
    _ options: GPIOOptions, limit: Duration = .seconds(10), request: @escaping GPIORequester = requestLine
  ) throws -> [SafeOutcome] {
    try onLoop { loop in
      await SafeValues.drive(
        options, on: loop, pool: BlockingPool(name: "test", threads: 4), limit: limit, request: request)
    }
  }

  @Test func aSimulatedChipIsDrivenInPlace() throws {
    let directory = try LineDirectory()
    for (offset, text) in [(1, "1"), (2, "0"), (3, "1"), (4, "1"), (6, "0")] { try directory.write(text, to: offset) }
    var inverted = GPIOLineOptions.output("inverted", 6, on: directory.chip, safe: .off)
    inverted.isActiveLow = true
    let lines: [GPIOLineOptions] = [
      .output("pump", 1, on: directory.chip, safe: .off), .output("valve", 2, on: directory.chip, safe: .on),
      .output("light", 3, on: directory.chip, safe: .hold), .input("door", 4, on: directory.chip),
      .output("new", 5, on: directory.chip, initial: true, safe: .off), inverted,
    ]
    let outcomes = try Self.drive(GPIOOptions(lines: lines))
    #expect(
      outcomes == [
        SafeOutcome(line: "pump", safe: .off, result: .driven), SafeOutcome(line: "valve", safe: .on, result: .driven),
        SafeOutcome(line: "light", safe: .hold, result: .held), SafeOutcome(line: "new", safe: .off, result: .driven),
        SafeOutcome(line: "inverted", safe: .off, result: .driven),
      ])
    #expect((1...6).map { directory.contents($0) } == ["0", "1", "1", "1", "0", "1"])
  }

  @Test func aChipThatIsNotThereIsNotMade() throws {
    let directory = try LineDirectory(exists: false)
    let outcomes = try Self.drive(GPIOOptions(lines: [.output("pump", 1, on: directory.chip)]))
    #expect(outcomes.map(\.result).first.map { "\($0)".contains("is not there; make the directory") } == true)
    #expect(directory.contents(1) == nil)
  }

  private static let faults: [(GPIOFault, String)] = [
    (
      .requesting(
        .output("pump", 1, on: device), of: "/dev/gpiochip0", heldBy: "\"baudgate\"",
        SystemError("ioctl GPIO_V2_GET_LINE", errno: EBUSY)),
      "line 1 of /dev/gpiochip0 is held by Baudgate already: is it twice in gpio.lines, by number and by name, or does "
        + "another baudgated run? (ioctl GPIO_V2_GET_LINE: Device or resource busy)"
    ),
    (
      .requesting(
        .output("pump", 1, on: device), of: "/dev/gpiochip0", heldBy: nil,
        SystemError("ioctl GPIO_V2_GET_LINE", errno: ENODEV)),
      "/dev/gpiochip0 went away: unplugged, or its driver was unloaded (ioctl GPIO_V2_GET_LINE: No such device)"
    ),
    (
      .opening("/dev/gpiochip0", SystemError("open", errno: EACCES)),
      "may not open /dev/gpiochip0; the user baudgate must be in its group, mostly gpio (open: Permission denied)"
    ),
  ]

  @Test(arguments: faults) func whatCannotBeDrivenSaysWhyAndHoldsUpNothing(_ fault: GPIOFault, _ words: String) throws {
    let outcomes = try Self.drive(
      GPIOOptions(lines: [.output("pump", 1, on: Self.device), .output("valve", 2, on: Self.device, safe: .on)])
    ) { line, _ throws(GPIOFault) in
      if line.name == "pump" { throw fault }
      return TwinLine(line.initial)
    }
    #expect(outcomes.map(\.result) == [.failed(words), .driven])
  }

  @Test func aValueThatReadsOtherwiseIsAFailure() throws {
    let outcomes = try Self.drive(GPIOOptions(lines: [.output("pump", 1, on: Self.device)])) {
      _, _ throws(GPIOFault) in TwinLine(true)
    }
    #expect(outcomes.map(\.result.isFailed) == [true])
  }

  @Test func aChipThatDoesNotAnswerCostsItsOwnLinesAlone() throws {
    let gate = DispatchSemaphore(value: 0)
    let outcomes = try Self.drive(
      GPIOOptions(lines: [.output("stuck", 1, on: Self.device), .output("pump", 2, on: Self.device)]),
      limit: .milliseconds(40)
    ) { line, _ throws(GPIOFault) in
      if line.name == "stuck" { gate.wait() }
      return TwinLine(line.initial)
    }
    gate.signal()
    #expect(outcomes.map(\.result.isFailed) == [true, false])
  }

  @Test(arguments: [true, false]) func offGoesBeforeOn(_ canBeDriven: Bool) throws {
    let story = TwinChip([.failure(GPIOControllerTests.absent)])
    let outcomes = try Self.drive(
      GPIOOptions(
        lines: [.output("up", 1, on: Self.device, safe: .on), .output("down", 2, on: Self.device)],
        interlocks: [GPIOInterlock(["up", "down"], gap: .milliseconds(1))])
    ) { line, _ throws(GPIOFault) in
      story.tell("\(line.name)=\(line.initial)")
      if line.name == "down", !canBeDriven { throw GPIOControllerTests.inUse }
      return TwinLine(line.initial)
    }
    #expect(story.story == (canBeDriven ? "down=false up=true" : "down=false"))
    #expect(outcomes.map(\.result.isFailed) == [!canBeDriven, !canBeDriven])
  }

  // MARK: safe_after

  private static func output(
    _ name: String, _ offset: UInt32, after: Duration?, safe: GPIOLineOptions.Safe = .off
  ) -> GPIOLineOptions {
    var line = GPIOLineOptions.output(name, offset, on: device, safe: safe)
    line.safeAfter = after
    return line
  }

  @Test func eachTakesItsSafeValueOnceInAnOutage() throws {
    try onLoop { loop in
      let chip = LevelChip()
      let lines = [
        Self.output("pump", 1, after: .seconds(60)), Self.output("valve", 2, after: .seconds(120), safe: .on),
        Self.output("light", 3, after: nil),
      ]
      let bench = GPIOBench(loop, lines, request: chip.request)
      await bench.gpio.start()
      for line in lines { _ = await bench.set(line.name, to: line.name != "valve") }
      #expect(await bench.gpio.serverUnreachable(for: .zero) == .seconds(60))
      #expect(await bench.gpio.serverUnreachable(for: .seconds(59)) == .seconds(60))
      #expect(await bench.gpio.serverUnreachable(for: .seconds(60)) == .seconds(120))
      try await bench.poll { try await !$0.gpio.value(of: "pump") }
      #expect(chip.levels == [1: false, 2: false, 3: true])
      #expect(await bench.gpio.status.map(\.isMadeSafe) == [true, false, false])
      #expect(await bench.gpio.serverUnreachable(for: .seconds(121)) == nil)
      try await bench.poll { try await $0.gpio.value(of: "valve") }
      // It stays so until it is commanded, and a command stands against the same outage.
      await bench.gpio.serverIsBack()
      #expect(await bench.gpio.status.map(\.isMadeSafe) == [true, true, false])
      #expect(await bench.set("pump", to: true) == true)
      #expect(await bench.gpio.status.map(\.isMadeSafe) == [false, true, false])
      #expect(await bench.gpio.serverUnreachable(for: .seconds(30)) == .seconds(60), "the next outage")
      #expect(
        bench.log.told.contains(
          "warning: pump: is off, its safe value, since the server has been out of reach for 60 s; it stays so until it "
            + "is commanded"))
      await bench.gpio.stop()
    }
  }

  @Test func aPulseEndsWithIt() throws {
    try onLoop { loop in
      let chip = LevelChip()
      let bench = GPIOBench(loop, [Self.output("pump", 1, after: .seconds(60))], request: chip.request)
      await bench.gpio.start()
      try await bench.gpio.pulse("pump", for: .seconds(100))
      #expect(await bench.gpio.serverUnreachable(for: .seconds(60)) == nil)
      await bench.until("pump", says: [false, true, false])
      await bench.gpio.stop()
    }
  }

  @Test func offGoesBeforeOnThereToo() throws {
    try onLoop { loop in
      let chip = LevelChip()
      let lines = [
        Self.output("up", 1, after: .seconds(60), safe: .on), Self.output("down", 2, after: .seconds(60)),
      ]
      let bench = GPIOBench(loop, lines, interlocks: [GPIOInterlock(["up", "down"])], request: chip.request)
      await bench.gpio.start()
      _ = await bench.set("down", to: true)
      // The other is on its way off.
      #expect(await bench.gpio.serverUnreachable(for: .seconds(60)) == .seconds(61))
      try await bench.poll { try await !$0.gpio.value(of: "down") }
      #expect(await bench.gpio.serverUnreachable(for: .seconds(61)) == nil)
      try await bench.poll { try await $0.gpio.value(of: "up") }
      #expect(chip.mostOn == 1)
      await bench.gpio.stop()
    }
  }
}

extension SafeOutcome.Result {
  fileprivate var isFailed: Bool {
    if case .failed = self { true } else { false }
  }
}
