import EventLoop
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import Hardware

/// Other lines for a controller that holds some.
@Suite struct GPIOOptionsInPlaceTests {
  /// Chips whose every line can be had once at a time, and what was done to each: `23 request`, `23 on`.
  private final class Chips: Sendable {
    private let state = Mutex<(told: [String], held: Set<UInt32>, refusals: Int)>(([], [], 0))
    let gate: DispatchSemaphore?

    init(gate: DispatchSemaphore? = nil) { self.gate = gate }

    var told: [String] { state.withLock { $0.told } }
    var refusals: Int { state.withLock { $0.refusals } }
    func forget() { state.withLock { $0.told = [] } }
    fileprivate func tell(_ offset: UInt32, _ word: String) {
      state.withLock {
        $0.told.append("\(offset) \(word)")
        if word == "release" { $0.held.remove(offset) }
      }
    }

    @Sendable func request(_ line: GPIOLineOptions, _: Bool) throws(GPIOFault) -> any GPIOLineHandle {
      gate?.wait()
      let isFree = state.withLock { state in
        guard state.held.insert(line.offset ?? 0).inserted else {
          state.refusals += 1
          return false
        }
        let value = line.direction == .input ? "" : line.initial ? " on" : " off"
        state.told.append("\(line.offset ?? 0) request\(value)")
        return true
      }
      guard isFree else { throw GPIOFault(.inUse, "line \(line.offset ?? 0) is held by \"baudgate\"") }
      return Handle(self, line)
    }
  }

  private final class Handle: GPIOLineHandle, @unchecked Sendable {
    // @unchecked: one user at a time.
    let descriptor: CInt
    private let far: CInt
    let first: Bool?
    let complaint: String? = nil
    private let chips: Chips
    private let offset: UInt32
    private var isReleased = false

    init(_ chips: Chips, _ line: GPIOLineOptions) {
      var ends: [CInt] = [-1, -1]
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
      (descriptor, far) = (ends[0], ends[1])
      self.chips = chips
      offset = line.offset ?? 0
      first = line.direction == .output ? line.initial : false
    }

    deinit {
      close(descriptor)
      close(far)
    }

    func takeChanges() throws(GPIOFault) -> [GPIOChange] { [] }
    func drive(_ value: Bool) throws(GPIOFault) -> Bool {
      chips.tell(offset, value ? "on" : "off")
      return value
    }
    func release() {
      guard !isReleased else { return }
      isReleased = true
      chips.tell(offset, "release")
    }
  }

  private static let chip = GPIOChipReference.device("/dev/gpiochip0")
  private static let relay = GPIOLineOptions.output("relay", 23, on: chip)
  private static let lamp = GPIOLineOptions.output("lamp", 4, on: chip)
  private static let door = GPIOLineOptions.input("door", 17, on: chip)

  private static func changed(_ line: GPIOLineOptions, _ change: (inout GPIOLineOptions) -> Void) -> GPIOLineOptions {
    var line = line
    change(&line)
    return line
  }

  @Test func whatIsTheSameIsNotTouched() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay, Self.door], request: chips.request)
      await bench.gpio.start()
      #expect(await bench.set("relay", to: true) == true)
      chips.forget()
      await bench.gpio.use(GPIOOptions(lines: [Self.relay, Self.door]))
      await bench.gpio.use(GPIOOptions(lines: [Self.door, Self.relay]))
      // Of these the chip knows nothing.
      let other = Self.changed(Self.relay) { ($0.device, $0.safe, $0.initial) = ("pump", .on, true) }
      await bench.gpio.use(GPIOOptions(lines: [Self.changed(Self.door) { $0.device = "pump" }, other]))
      #expect(chips.told.isEmpty)
      #expect(bench.gpio.lines.map(\.device) == ["pump", "pump"])
      #expect(await bench.gpio.status.map(\.name) == ["door", "relay"])
      #expect(await bench.value(of: "relay") == true)
      #expect(bench.events.count == 3, "no level was told again")
      await bench.gpio.stop()
      #expect(chips.told.filter { $0.hasPrefix("23") } == ["23 on", "23 release"], "the new safe value")
    }
  }

  @Test func oneThatIsGoneIsLeftSafeAndOneThatIsNewIsRequested() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay, Self.door], request: chips.request)
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      chips.forget()
      await bench.gpio.use(GPIOOptions(lines: [Self.door, Self.lamp]))
      #expect(chips.told == ["23 off", "23 release", "4 request off"])
      #expect(await bench.failure { _ = try await bench.gpio.set("relay", to: true) } == .noSuchLine)
      #expect(await bench.set("lamp", to: true) == true)
      #expect(bench.gpio.lines.map(\.name) == ["door", "lamp"])
      await bench.gpio.stop()
    }
  }

  @Test func linesThatChangePlacesAreGivenBackFirst() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay, Self.lamp], request: chips.request)
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      chips.forget()
      await bench.gpio.use(
        GPIOOptions(lines: [Self.changed(Self.relay) { $0.offset = 4 }, Self.changed(Self.lamp) { $0.offset = 23 }]))
      #expect(chips.refusals == 0)
      #expect(Set(chips.told.prefix(4)) == ["23 off", "23 release", "4 off", "4 release"])
      #expect(Set(chips.told.suffix(2)) == ["4 request off", "23 request off"])
      #expect(await bench.value(of: "relay") == false)
      await bench.gpio.stop()
    }
  }

  @Test func aLineThatIsRenamedIsHadAgain() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay], request: chips.request)
      await bench.gpio.start()
      chips.forget()
      await bench.gpio.use(GPIOOptions(lines: [Self.changed(Self.relay) { $0.name = "pump" }]))
      #expect(chips.told == ["23 off", "23 release", "23 request off"] && chips.refusals == 0)
      #expect(await bench.value(of: "pump") == false)
      await bench.gpio.stop()
    }
  }

  @Test func anOutputThatOnlyMeansSomethingElseKeepsItsLevel() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay, Self.lamp], request: chips.request)
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      chips.forget()
      await bench.gpio.use(
        GPIOOptions(lines: [Self.relay, Self.lamp].map { Self.changed($0) { $0.isActiveLow = true } }))
      // High was on and is off now, and not driven in between.
      #expect(chips.told.filter { $0.hasPrefix("23") } == ["23 release", "23 request off"])
      #expect(chips.told.filter { $0.hasPrefix("4") } == ["4 release", "4 request on"])
      #expect(await bench.value(of: "relay") == false)
      #expect(bench.said("relay") == [false, true, false])
      await bench.gpio.stop()
      #expect(chips.told.suffix(4).sorted() == ["23 off", "23 release", "4 off", "4 release"])
    }
  }

  @Test func anInputIsRequestedAgainForWhatItsChipKnows() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.door], request: chips.request)
      await bench.gpio.start()
      var door = Self.door
      for change: (inout GPIOLineOptions) -> Void in [
        { $0.debounce = .milliseconds(5) }, { $0.bias = .pullUp }, { $0.isActiveLow = true },
      ] {
        chips.forget()
        change(&door)
        await bench.gpio.use(GPIOOptions(lines: [door]))
        #expect(chips.told == ["17 release", "17 request"])
      }
      #expect(await bench.gpio.status.map(\.changes) == [0])
      await bench.gpio.stop()
    }
  }

  @Test func aDirectionThatChangesLeavesItSafe() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay], request: chips.request)
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      chips.forget()
      await bench.gpio.use(GPIOOptions(lines: [Self.changed(Self.relay) { $0.direction = .input }]))
      #expect(chips.told == ["23 off", "23 release", "23 request"])
      await bench.gpio.stop()
    }
  }

  @Test func aRequestUnderWayIsMadeAgainByTheNewOnes() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let chips = Chips(gate: gate)
      var timing = GPIOBench.quick
      timing.startLimit = .milliseconds(1)
      let bench = GPIOBench(loop, [Self.relay], timing: timing, request: chips.request)
      await bench.gpio.start()
      await bench.gpio.use(GPIOOptions(lines: [Self.changed(Self.relay) { ($0.offset, $0.initial) = (5, true) }]))
      gate.signal()
      gate.signal()
      await bench.until("relay", says: [true])
      #expect(chips.told == ["23 request off", "23 off", "23 release", "5 request on"])
      await bench.gpio.use(GPIOOptions())
      #expect(bench.gpio.lines.isEmpty)
      #expect(await bench.gpio.status.isEmpty)
      #expect(chips.told.suffix(2) == ["5 off", "5 release"])
      await bench.gpio.stop()
    }
  }

  @Test func placesOfLinesThatAreGoneAreUsedAgain() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay], request: chips.request)
      await bench.gpio.start()
      for round in 0..<50 {
        await bench.gpio.use(GPIOOptions(lines: [Self.changed(Self.relay) { $0.name = "relay\(round)" }]))
      }
      #expect(await bench.gpio.places <= 3)
      #expect(await bench.value(of: "relay49") == false)
      #expect(chips.refusals == 0)
      await bench.gpio.stop()
    }
  }

  @Test func aControllerThatIsNotStartedTouchesNothing() throws {
    try onLoop { loop in
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay], request: chips.request)
      await bench.gpio.use(GPIOOptions(lines: [Self.lamp]))
      #expect(chips.told.isEmpty)
      await bench.gpio.start()
      #expect(chips.told == ["4 request off"])
      await bench.gpio.stop()
      await bench.gpio.use(GPIOOptions(lines: [Self.relay]))
      #expect(chips.told == ["4 request off", "4 off", "4 release"])
    }
  }

  @Test func simulatedLinesAreNotWrittenUnlessTheyChange() throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      let relay = GPIOLineOptions.output("relay", 23, on: directory.chip)
      let door = GPIOLineOptions.input("door", 17, on: directory.chip)
      try directory.write("1", to: 17)
      let bench = GPIOBench(loop, [relay, door])
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      await bench.gpio.use(
        GPIOOptions(lines: [Self.changed(relay) { $0.device = "pump" }, door, .output("lamp", 4, on: directory.chip)]))
      #expect(directory.contents(23) == "1" && directory.contents(4) == "0")
      try directory.write("0", to: 17)
      await bench.until("door", says: [true, false])
      await bench.gpio.use(GPIOOptions(lines: [door]))
      #expect(directory.contents(23) == "0")
      await bench.gpio.use(GPIOOptions(lines: [Self.changed(door) { $0.isActiveLow = true }]))
      await bench.until("door", says: [true, false, true])
      await bench.gpio.stop()
    }
  }

  /// Whatever is asked for in whatever order, what is held in the end is what was asked for last.
  @Test(arguments: UInt64(1)...10) func theLastOptionsCount(_ seed: UInt64) throws {
    try onLoop { loop in
      var generator = Dice(state: seed)
      let chips = Chips()
      let bench = GPIOBench(loop, [Self.relay], request: chips.request)
      await bench.gpio.start()
      var wanted: [GPIOLineOptions] = []
      var changes: [Task<Void, Never>] = []
      for _ in 0..<40 {
        let offsets = Array(UInt32(1)...6).shuffled(using: &generator)
        let names = ["a", "b", "c", "d"].shuffled(using: &generator).prefix(Int.random(in: 0...4, using: &generator))
        wanted = zip(names, offsets).map { name, offset in
          var line = GPIOLineOptions.output(name, offset, on: Self.chip)
          line.isActiveLow = Bool.random(using: &generator)
          if Bool.random(using: &generator) { line.direction = .input }
          return line
        }
        let options = GPIOOptions(lines: wanted)
        changes.append(Task(executorPreference: loop) { await bench.gpio.use(options) })
        if Bool.random(using: &generator) { await changes.removeLast().value }
      }
      for change in changes { await change.value }
      let expected = wanted.map(\.name)
      try await bench.poll { bench in
        let status = await bench.gpio.status
        return status.map(\.name) == expected && status.allSatisfy { $0.value != nil }
      }
      #expect(bench.gpio.lines == wanted)
      await bench.gpio.stop()
      #expect(chips.told.count { $0.contains("request") } == chips.told.count { $0.contains("release") })
    }
  }

  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }
}

extension GPIOController {
  fileprivate var places: Int { held.count }
}
