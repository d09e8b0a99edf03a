import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Lines of a chip that behaves as the test says; its calls run on the pool, as a character device's.
@Suite struct GPIOControllerTests {
  static let chip = GPIOChipReference.device("/dev/gpiochip0")
  static let relay = GPIOLineOptions.output("relay", 23, on: chip)
  static let door = GPIOLineOptions.input("door", 17, on: chip)
  static let absent = GPIOFault(.absent, "/dev/gpiochip0 is not there")
  static let inUse = GPIOFault(
    .inUse, "line 23 of /dev/gpiochip0 is held by \"w1\"", SystemError("ioctl", errno: EBUSY))
  static let gone = GPIOFault(.gone, "/dev/gpiochip0 went away")

  static func change(_ value: Bool, at milliseconds: Int64 = 1) -> GPIOChange {
    GPIOChange(value: value, time: CaptureTime(milliseconds: milliseconds, boottime: milliseconds))
  }

  // MARK: Having a line

  @Test func aLineThatCannotBeHadIsAskedForUntilItCan() throws {
    try onLoop { loop in
      let chip = TwinChip([
        .failure(Self.absent), .failure(Self.absent), .failure(Self.inUse), .failure(Self.inUse),
        .success(TwinLine(false)),
      ])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .unavailable)
      await bench.gpio.start()
      #expect(await bench.gpio.status.map(\.error) == ["/dev/gpiochip0 is not there"])
      await #expect(
        throws: GPIOError(
          .unavailable, "relay cannot be used: /dev/gpiochip0 is not there; tried again by itself")
      ) { try await bench.gpio.value(of: "relay") }
      await bench.until("relay", says: [false])
      #expect(await bench.set("relay", to: true) == true)
      #expect(chip.story == "request request request request request on")
      // Each cause once.
      #expect(bench.log.told.count == 3)
      #expect(
        bench.log.told.prefix(2) == [
          "warning: relay: /dev/gpiochip0 is not there; tried again at least every 4 ms",
          "error: relay: line 23 of /dev/gpiochip0 is held by \"w1\"; tried again at least every 8 ms "
            + "(ioctl: Device or resource busy)",
        ])
      #expect(bench.log.told[2].hasPrefix("notice: relay: output 23 of /dev/gpiochip0 is ours after"))
      await bench.gpio.stop()
    }
  }

  @Test func aChipThatDoesNotAnswerHoldsUpNothing() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let stuck = TwinChip([.success(TwinLine(false))], gate: gate)
      let good = TwinChip([.success(TwinLine(true))])
      var timing = GPIOBench.quick
      timing.startLimit = .milliseconds(20)
      let bench = GPIOBench(loop, [Self.relay, Self.door], timing: timing) { (line, isFirst) throws(GPIOFault) in
        try (line.direction == .input ? good : stuck).request(line, isFirst)
      }
      await bench.gpio.start()
      await bench.until("door", says: [true])
      #expect(await bench.failure { _ = try await bench.gpio.value(of: "relay") } == .unavailable)
      #expect(
        bench.log.told.contains {
          $0.hasPrefix("error: relay: /dev/gpiochip0 has not answered for 20 ms, its driver is stuck")
        })
      gate.signal()
      await bench.until("relay", says: [false])
      await bench.gpio.stop()
    }
  }

  @Test func aLineThatIsLostIsGivenBackBeforeItIsAskedForAgain() throws {
    try onLoop { loop in
      let (first, second) = (TwinLine(false), TwinLine(false))
      let chip = TwinChip([.success(first), .success(second)])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      _ = try await bench.gpio.set("relay", to: true)
      first.fail(Self.gone)
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .unavailable)
      await bench.until("relay", says: [false, true, false])
      #expect(chip.story == "request on on release request")
      #expect(await bench.set("relay", to: true) == true)
      await bench.gpio.stop()
      #expect(chip.story == "request on on release request on off release")
    }
  }

  @Test(arguments: [true, false])
  func aChipThatGoesAwayIsNoticedByItself(_ saysSo: Bool) throws {
    try onLoop { loop in
      let (first, second) = (TwinLine(true), TwinLine(true))
      let chip = TwinChip([.success(first), .failure(Self.absent), .success(second)])
      let bench = GPIOBench(loop, [Self.door], request: chip.request)
      await bench.gpio.start()
      if saysSo { first.happens(.failure(Self.gone)) } else { first.hangUp() }
      try await bench.poll { _ in chip.story == "request release request request" }
      second.happens(.success([Self.change(false)]))
      await bench.until("door", says: [true, false])
      #expect(bench.log.told.filter { $0.hasPrefix("warning") }.count == 1, "its absence is no news")
      await bench.gpio.stop()
    }
  }

  @Test func aStopWhileTheChipIsAskedLeavesWhatArrivesLateSafe() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let chip = TwinChip([.success(TwinLine(false))], gate: gate)
      var timing = GPIOBench.quick
      timing.startLimit = .milliseconds(5)
      let bench = GPIOBench(loop, [Self.relay], timing: timing, request: chip.request)
      await bench.gpio.start()
      await bench.gpio.stop()
      gate.signal()
      try await bench.poll { _ in chip.story == "request off release" }
      #expect(await bench.failure { _ = try await bench.gpio.value(of: "relay") } == .unavailable)
    }
  }

  @Test func aSafeValueThatCannotBeDrivenIsTold() throws {
    try onLoop { loop in
      let line = TwinLine(false)
      let chip = TwinChip([.success(line)])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      line.fail(Self.gone)
      await bench.gpio.stop()
      #expect(chip.story == "request off release")
      #expect(
        bench.log.told.last
          == "error: relay: could not be left off: /dev/gpiochip0 went away; look after what it switches")
    }
  }

  // MARK: Values

  @Test func theKernelsEventsAreReportedInOrderWithTheirTimes() throws {
    try onLoop { loop in
      let line = TwinLine(false)
      let bench = GPIOBench(loop, [Self.door], request: TwinChip([.success(line)]).request)
      await bench.gpio.start()
      // The first came between the request and the reading of the first value.
      line.happens(.success([Self.change(false, at: 1), Self.change(true, at: 2), Self.change(false, at: 3)]))
      line.happens(.success([]))
      line.happens(.success([Self.change(true, at: 4)]))
      await bench.until("door", says: [false, true, false, true])
      #expect(bench.events.dropFirst().map(\.time.milliseconds) == [2, 3, 4])
      #expect(await bench.value(of: "door") == true)
      #expect(
        await bench.gpio.status == [
          GPIOLineStatus(
            name: "door", chip: "/dev/gpiochip0", offset: 17, direction: .input, value: true, error: nil, changes: 3)
        ])
      await bench.gpio.stop()
    }
  }

  @Test func whatIsReadBackIsWhatCounts() throws {
    try onLoop { loop in
      let bench = GPIOBench(loop, [Self.relay], request: TwinChip([.success(TwinLine(false, stuckAt: false))]).request)
      await bench.gpio.start()
      let stuck = GPIOError(
        .unavailable,
        "relay was driven on and reads off; something else drives the line, or it is short-circuited: look at the wiring"
      )
      await #expect(throws: stuck) { try await bench.gpio.set("relay", to: true) }
      await #expect(throws: stuck) { try await bench.gpio.pulse("relay", for: .seconds(100)) }
      #expect(await bench.set("relay", to: false) == false)
      #expect(await bench.value(of: "relay") == false)
      #expect(bench.said("relay") == [false])
      #expect(
        bench.log.told.filter { $0.hasPrefix("error") } == [
          "error: relay: was driven on and reads off; something else drives line 23 of /dev/gpiochip0, or it is "
            + "short-circuited; look at the wiring"
        ], "once, not for each command")
      await bench.gpio.stop()
    }
  }

  @Test func commandsReachASlowChipInTheirOrder() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let chip = TwinChip([.success(TwinLine(false, gate: gate))])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      let values = [true, false, true, true, false, true]
      let commands = values.map { value in
        Task(executorPreference: loop) { await bench.set("relay", to: value) }
      }
      for _ in values { gate.signal() }
      for (command, value) in zip(commands, values) { #expect(await command.value == value) }
      #expect(chip.story == "request on off on on off on")
      gate.signal()
      await bench.gpio.stop()
    }
  }

  @Test func commandsThatPileUpAreRefused() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let chip = TwinChip([.success(TwinLine(false, gate: gate))])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      // One is with the chip, the others wait.
      let commands = (0...GPIOController.waitingLimit).map { _ in
        Task(executorPreference: loop) { await bench.set("relay", to: true) }
      }
      await loop.turn()
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: false) } == .unavailable)
      for _ in 0...commands.count { gate.signal() }
      for command in commands { #expect(await command.value == true) }
      #expect(await bench.value(of: "relay") == true)
      gate.signal()
      await bench.gpio.stop()
    }
  }

  @Test func namesAreChecked() throws {
    try onLoop { loop in
      let bench = GPIOBench(
        loop, [Self.relay, Self.door], request: { _, _ throws(GPIOFault) in TwinLine(false) })
      await bench.gpio.start()
      let noPump = GPIOError(.noSuchLine, "there is no line \"pump\"; gpio.lines has relay and door")
      await #expect(throws: noPump) { try await bench.gpio.value(of: "pump") }
      await #expect(throws: noPump) { try await bench.gpio.set("pump", to: true) }
      await #expect(throws: noPump) { try await bench.gpio.pulse("pump", for: .seconds(1)) }
      let input = GPIOError(
        .notOutput, "door is an input; `direction: output` in gpio.lines.door makes it an output")
      await #expect(throws: input) { try await bench.gpio.set("door", to: true) }
      await #expect(throws: input) { try await bench.gpio.pulse("door", for: .seconds(1)) }
      await bench.gpio.stop()
      await #expect(throws: input, "what a line is does not depend on its chip") {
        try await bench.gpio.set("door", to: true)
      }
    }
  }

  // MARK: Pulses

  /// A relay and a lamp on a chip that does not block, and what counts the time: the lamp's own pulse.
  static func pulses(_ body: @escaping @Sendable (GPIOBench) async throws -> Void) throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      let bench = GPIOBench(
        loop,
        [.output("relay", 23, on: directory.chip, safe: .hold), .output("lamp", 24, on: directory.chip)])
      await bench.gpio.start()
      try await body(bench)
      await bench.gpio.stop()
      #expect(directory.contents(23) == "0", "a pulse under way is no value to hold")
    }
  }

  @Test func aPulseEndsAfterItsTime() throws {
    try Self.pulses { bench in
      try await bench.gpio.pulse("relay", for: .milliseconds(20))
      #expect(bench.said("relay") == [false, true])
      await bench.until("relay", says: [false, true, false])
      let times = bench.events.filter { $0.line == "relay" }.map(\.time.boottime)
      // Both are cut to whole milliseconds.
      #expect(times[2] - times[1] >= 19)
    }
  }

  @Test func aPulseUnderWayIsBegunAnew() throws {
    try Self.pulses { bench in
      try await bench.gpio.pulse("relay", for: .milliseconds(5))
      try await bench.gpio.pulse("relay", for: .seconds(100))
      try await bench.gpio.pulse("lamp", for: .milliseconds(30))
      await bench.until("lamp", says: [false, true, false])
      #expect(await bench.value(of: "relay") == true)
      try await bench.gpio.pulse("relay", for: .zero)
      try await bench.poll { try await !$0.gpio.value(of: "relay") }
      try await bench.gpio.pulse("relay", for: .seconds(100))
    }
  }

  @Test(arguments: [true, false])
  func aCommandEndsAPulse(_ value: Bool) throws {
    try Self.pulses { bench in
      try await bench.gpio.pulse("relay", for: .milliseconds(5))
      _ = try await bench.gpio.set("relay", to: value)
      let before = bench.said("relay")
      try await bench.gpio.pulse("lamp", for: .milliseconds(30))
      await bench.until("lamp", says: [false, true, false])
      #expect(bench.said("relay") == before)
      #expect(await bench.value(of: "relay") == value)
      _ = try await bench.gpio.set("relay", to: false)
    }
  }

  @Test func aCommandOvertakesThePulseThatStillWaitsForTheChip() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let chip = TwinChip([.success(TwinLine(false, gate: gate))])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      let pulse = Task(executorPreference: loop) { try await bench.gpio.pulse("relay", for: .zero) }
      let command = Task(executorPreference: loop) { await bench.set("relay", to: true) }
      for _ in 0..<8 { gate.signal() }
      try await pulse.value
      #expect(await command.value == true)
      // A pulse of no length would have ended by now.
      try await loop.sleep(for: .milliseconds(2))
      #expect(chip.story == "request on on")
      await bench.gpio.stop()
    }
  }

  @Test func aPulseEndsOnASlowChipToo() throws {
    try onLoop { loop in
      let chip = TwinChip([.success(TwinLine(false))])
      let bench = GPIOBench(loop, [Self.relay], request: chip.request)
      await bench.gpio.start()
      try await bench.gpio.pulse("relay", for: .milliseconds(1))
      await bench.until("relay", says: [false, true, false])
      #expect(chip.story == "request on off")
      await bench.gpio.stop()
    }
  }
}

extension EventLoop {
  /// Returns after what is queued on the loop now.
  fileprivate func turn() async {
    await withCheckedContinuation { continuation in execute { continuation.resume() } }
  }
}
