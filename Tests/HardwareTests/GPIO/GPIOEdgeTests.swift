import CKernel
import EventLoop
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import Hardware

extension GPIOLineOptions {
  static func counter(
    _ name: String, _ offset: UInt32, on chip: GPIOChipReference, edge: GPIOMeter.Edge = .rising
  ) -> GPIOLineOptions {
    var line = GPIOLineOptions.input(name, offset, on: chip)
    var meter = GPIOMeter(.count)
    meter.edge = edge
    line.meter = meter
    return line
  }
}

/// What the kernel's events say, and what they leave out.
@Suite struct GPIOEventTests {
  /// Source: linereq_put_event drops the oldest of a full buffer; line_seqno counts what was dropped as well.
  @Test func gapsInTheNumbersAreWhatWasDropped() {
    var sequence = LineSequence()
    #expect([1, 2, 3, 7, 8].map { sequence.gap(before: $0) } == [0, 0, 0, 3, 0])
    var late = LineSequence()
    #expect(late.gap(before: 1001) == 1000, "dropped before the first read")
    #expect(late.gap(before: 1001) == 0, "a number twice")
    #expect(late.gap(before: 1000) == 0, "a number before it")
    var around = LineSequence()
    _ = around.gap(before: .max - 1)
    #expect([.max, 0, 2].map { around.gap(before: $0) } == [0, 0, 1], "the numbers begin anew after 2^32")
  }

  /// A model of the kernel's buffer: random bursts between reads, of which only the newest fit.
  @Test(arguments: 1...20) func noEdgeIsLostHoweverTheBufferOverflows(_ seed: Int) {
    var random = SplitMix(UInt64(seed))
    var (buffer, sequence) = ([UInt32](), LineSequence())
    var (number, counted) = (UInt32.max - 200, UInt64(0))
    _ = sequence.gap(before: number)
    var happened: UInt64 = 0
    for _ in 0..<200 {
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        number &+= 1
        happened += 1
        if buffer.count == 16 { buffer.removeFirst() }
        buffer.append(number)
      }
      for number in buffer.prefix(Int.random(in: 0...16, using: &random)) {
        counted += 1 + UInt64(sequence.gap(before: number))
        buffer.removeFirst()
      }
    }
    for number in buffer { counted += 1 + UInt64(sequence.gap(before: number)) }
    #expect(counted == happened)
  }

  @Test func anEventBecomesAChange() {
    var event = gpio_v2_line_event()
    (event.timestamp_ns, event.id, event.line_seqno) = (4_998_500_000, GPIO_V2_LINE_EVENT_FALLING_EDGE.rawValue, 4)
    let change = GPIOChange(
      event, missed: 3, now: 5_000_000_000, capture: CaptureTime(milliseconds: 1_000, boottime: 2_000))
    #expect(change.value == false && change.nanoseconds == 4_998_500_000 && change.missed == 3)
    #expect(change.time == CaptureTime(milliseconds: 999, boottime: 1_999))
  }

  // MARK: Requests

  /// INPUT is bit 2, the edges bits 4 and 5.
  @Test(arguments: zip(GPIOMeter.Edge.allCases, [0b01_0100, 0b10_0100, 0b11_0100] as [UInt64]))
  func aCounterAsksForItsEdgesAndAllRoomThereIs(_ edge: GPIOMeter.Edge, _ flags: UInt64) {
    let request = gpio_v2_line_request(.counter("water", 27, on: .device("c"), edge: edge))
    #expect(request.config.flags == flags)
    #expect(request.event_buffer_size == 1024, "the kernel's bound, GPIO_V2_LINES_MAX * 16")
  }

  @Test func measuringAsksForWhatItNeeds() {
    var line = GPIOLineOptions.input("x", 1, on: .device("c"))
    line.meter = GPIOMeter(.pulseWidth)
    #expect(gpio_v2_line_request(line).config.flags == 0b11_0100)
    line.meter = GPIOMeter(.frequency)
    #expect(gpio_v2_line_request(line).config.flags == 0b01_0100)
  }

  @Test(arguments: [ENXIO, EOPNOTSUPP, EINVAL, 524])
  func aLineWithoutAnInterruptIsRequestedWithoutEdges(_ errno: CInt) throws {
    var line = GPIOLineOptions.counter("water", 3, on: .device("c"))
    (line.bias, line.debounce, line.isActiveLow) = (.pullUp, .milliseconds(5), true)
    var asked: [gpio_v2_line_request] = []
    let (request, isPolled) = try GPIORequestPlan.request(line, offset: 3) { request throws(SystemError) in
      asked.append(request)
      if asked.count == 1 { throw SystemError("ioctl", errno: errno) }
      request.fd = 9
    }
    #expect(isPolled && request.fd == 9 && asked.count == 2)
    #expect(asked[0].config.num_attrs == 1 && asked[0].config.flags == 0b1_0001_0110)
    // ACTIVE_LOW, INPUT and BIAS_PULL_UP: the edges and the debouncing are gone, which need an interrupt too.
    #expect(asked[1].config.flags == 0b1_0000_0110 && asked[1].config.num_attrs == 0)
    #expect(asked[1].event_buffer_size == 0 && asked[1].offsets.0 == 3)
  }

  static let refusals: [(CInt, GPIOLineOptions)] = [
    (EBUSY, .counter("a", 3, on: .device("c"))), (EPERM, .counter("a", 3, on: .device("c"))),
    (ENODEV, .counter("a", 3, on: .device("c"))), (EINVAL, .output("a", 3, on: .device("c"))),
  ]

  @Test(arguments: refusals.indices) func otherRefusalsStand(_ row: Int) {
    let (errno, line) = Self.refusals[row]
    var attempts = 0
    let error = #expect(throws: SystemError.self) {
      try GPIORequestPlan.request(line, offset: 3) { _ throws(SystemError) in
        attempts += 1
        throw SystemError("ioctl", errno: errno)
      }
    }
    #expect(error?.errno == errno && attempts == 1)
  }

  @Test func whatNeitherWayDoesSaysTheFirstReason() {
    var attempts = 0
    let error = #expect(throws: SystemError.self) {
      try GPIORequestPlan.request(.counter("a", 3, on: .device("c")), offset: 3) { _ throws(SystemError) in
        attempts += 1
        throw SystemError("ioctl", errno: attempts == 1 ? EINVAL : EBUSY)
      }
    }
    #expect(error?.errno == EINVAL && attempts == 2)
  }

  // MARK: Names

  static let names = ["GPIO0", "GPIO17", "", "SDA", "SDA", "[PH0]"]

  static func find(_ name: String) throws(GPIOFault) -> UInt32 {
    try GPIOLineSelector.offset(named: name, among: 6, of: "/dev/gpiochip0") { names[Int($0)] }
  }

  @Test func aLineIsFoundByItsName() throws {
    #expect(try Self.find("GPIO17") == 1)
    #expect(try Self.find("[PH0]") == 5)
    do throws(GPIOFault) {
      _ = try Self.find("GPIO71")
      Issue.record("it was found")
    } catch {
      #expect(error.code == .wrong)
      #expect(
        error.message.hasPrefix("no line of /dev/gpiochip0 is called \"GPIO71\"; `gpioinfo` lists them; did you mean"))
    }
    do throws(GPIOFault) {
      _ = try Self.find("SDA")
      Issue.record("it was found")
    } catch {
      #expect(
        error.message
          == "the lines 3 and 4 of /dev/gpiochip0 are all called \"SDA\"; write `line: 3`, or another's number")
    }
  }

  @Test func aLineThatIsOursAlreadySaysSo() {
    var line = GPIOLineOptions.input("door", 17, on: .device("c"))
    line.selector = .name("GPIO17")
    let fault = GPIOFault.requesting(
      line, of: "/dev/gpiochip0", heldBy: "\"baudgate\"", SystemError("ioctl", errno: EBUSY))
    #expect(
      fault.message
        == "line GPIO17 of /dev/gpiochip0 is held by Baudgate already: is it twice in gpio.lines, by number and by name, "
        + "or does another baudgated run?")
  }

  @Test func commandsMayUseTheKernelsName() {
    struct Lines: DigitalLines {
      var lines: [GPIOLineOptions]
      func value(of _: String) async throws(GPIOError) -> Bool { false }
      func set(_: String, to _: Bool) async throws(GPIOError) -> Bool { false }
      func pulse(_: String, for _: Duration) async throws(GPIOError) {}
    }
    var named = GPIOLineOptions.output("pump", 0, on: .device("c"))
    named.selector = .name("GPIO4")
    let lines = Lines(lines: [.output("relay", 23, on: .device("c")), named])
    #expect(lines.line(.name("pump"))?.name == "pump")
    #expect(lines.line(.name("GPIO4"))?.name == "pump")
    #expect(lines.line(.number(23))?.name == "relay")
    #expect(lines.line(.number(0)) == nil, "its number is the chip's to say")
  }
}

/// Numbers that are the same in each run.
struct SplitMix: RandomNumberGenerator {
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

/// Lines that are counted, on chips that behave as the test says.
@Suite struct GPIOCountedLineTests {
  static let chip = GPIOChipReference.device("/dev/gpiochip0")
  static let water = GPIOLineOptions.counter("water", 27, on: chip)

  static func edge(_ value: Bool, _ nanoseconds: UInt64, missed: UInt32 = 0) -> GPIOChange {
    GPIOChange(
      value: value, time: CaptureTime(milliseconds: 1, boottime: 1), nanoseconds: nanoseconds, missed: missed)
  }

  @Test func eachEdgeOfTheKernelIsToldWithItsGap() throws {
    try onLoop { loop in
      let line = TwinLine(false)
      let bench = GPIOBench(loop, [Self.water], request: TwinChip([.success(line)]).request)
      await bench.gpio.start()
      // All of them rise: the falling ones were not asked for.
      line.happens(.success([Self.edge(true, 10), Self.edge(true, 20, missed: 3)]))
      line.happens(.success([Self.edge(true, 30)]))
      try await bench.poll { $0.edges.count == 3 }
      #expect(bench.edges == [GPIOEdge(true, at: 10), GPIOEdge(true, at: 20, missed: 3), GPIOEdge(true, at: 30)])
      #expect(bench.events.isEmpty, "its level is nobody's telemetry")
      let status = try #require(await bench.gpio.status.first)
      #expect(status.role == "counter" && status.value == nil && status.error == nil && status.changes == 3)
      #expect(await bench.failure { _ = try await bench.gpio.value(of: "water") } == .unavailable)
      await bench.gpio.stop()
    }
  }

  @Test func aFastSignalIsReadInTurns() throws {
    try onLoop { loop in
      let line = TwinLine(false)
      let bench = GPIOBench(loop, [Self.water], request: TwinChip([.success(line)]).request)
      await bench.gpio.start()
      for number in 1...200 as ClosedRange<UInt64> {
        line.happens(.success([Self.edge(true, number)]))
        if number % 20 == 0 { try await loop.sleep(for: .milliseconds(1), accuracy: .microseconds(1)) }
      }
      try await bench.poll { $0.edges.count == 200 }
      #expect(bench.edges.map(\.nanoseconds) == Array(1...200), "none is lost while the line rests")
      // Goes away while it rests.
      line.happens(.failure(GPIOFault(.gone, "/dev/gpiochip0 went away")))
      try await bench.poll { await $0.gpio.status[0].error != nil }
      await bench.gpio.stop()
    }
  }

  @Test func whatWaitsAtAStopIsCounted() throws {
    try onLoop { loop in
      let line = TwinLine(false)
      let chip = TwinChip([.success(line)])
      let bench = GPIOBench(loop, [Self.water], request: chip.request)
      await bench.gpio.start()
      // The second reading follows at once, after which the line rests.
      for number in 1...2 as ClosedRange<UInt64> {
        line.happens(.success([Self.edge(true, number)]))
        try await bench.poll { $0.edges.count == number }
      }
      line.happens(.success([Self.edge(true, 3)]))
      await bench.gpio.stop()
      #expect(bench.edges.map(\.nanoseconds) == [1, 2, 3])
      #expect(chip.story == "request release")
    }
  }

  @Test func aChipThatVanishesIsAnOutageOfTheCount() throws {
    try onLoop { loop in
      let (first, second) = (TwinLine(false), TwinLine(true))
      let chip = TwinChip([.success(first), .success(second)])
      let bench = GPIOBench(loop, [Self.water], request: chip.request)
      await bench.gpio.start()
      first.happens(.success([Self.edge(true, 1)]))
      // What was read before the chip was gone counts.
      first.happens(.failure(GPIOFault(.gone, "/dev/gpiochip0 went away")))
      try await bench.poll { _ in chip.story == "request release request" }
      second.happens(.success([Self.edge(true, 2)]))
      try await bench.poll { $0.edges.count == 2 }
      #expect(bench.logged.count == 2)
      #expect(bench.logged[0].hasPrefix("warning: water: /dev/gpiochip0 went away; it was ours for"))
      #expect(bench.logged[1].hasPrefix("notice: water: counter 27 of /dev/gpiochip0 is ours after"))
      #expect(
        bench.logged[1].hasSuffix("; what came meanwhile is not in the count, which goes on from where it was"))
      await bench.gpio.stop()
    }
  }

  // MARK: Polling

  /// A line that is read: the levels in turn, the last for ever.
  final class ReadLine: GPIOLineHandle, @unchecked Sendable {
    // @unchecked: locked.
    let descriptor: CInt
    private let far: CInt
    let first: Bool?
    let complaint: String? = nil
    let isPolled = true
    let offset: UInt32? = 5
    private let levels: Mutex<[Result<Bool, GPIOFault>]>
    var rest: Int { levels.withLock { $0.count } }

    convenience init(_ levels: [Bool], then end: GPIOFault? = nil) {
      self.init(levels.map { .success($0) } + (end.map { [.failure($0)] } ?? []))
    }

    init(_ results: [Result<Bool, GPIOFault>]) {
      var ends: [CInt] = [-1, -1]
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
      (descriptor, far) = (ends[0], ends[1])
      first = results.first.flatMap { try? $0.get() }
      levels = Mutex(results)
    }

    deinit {
      close(descriptor)
      close(far)
    }

    func takeChanges() throws(GPIOFault) -> [GPIOChange] { [] }
    func drive(_ value: Bool) throws(GPIOFault) -> Bool { value }
    func release() {}
    func sample() throws(GPIOFault) -> Bool {
      try levels.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.get()
    }
  }

  static func polled(_ line: GPIOLineOptions) -> GPIOLineOptions {
    var line = line
    line.poll = .milliseconds(1)
    return line
  }

  @Test(arguments: zip(GPIOMeter.Edge.allCases, [[true, true], [false, false], [true, false, true, false]]))
  func aCounterWithoutAnInterruptIsRead(_ edge: GPIOMeter.Edge, _ expected: [Bool]) throws {
    try onLoop { loop in
      let line = ReadLine([false, false, true, true, false, true, false])
      let options = Self.polled(.counter("water", 27, on: Self.chip, edge: edge))
      let bench = GPIOBench(loop, [options]) { _, _ throws(GPIOFault) in line }
      await bench.gpio.start()
      try await bench.poll { _ in line.rest == 1 }
      try await bench.poll { $0.edges.count >= expected.count }
      #expect(bench.edges.map(\.value) == expected)
      #expect(bench.edges.map(\.nanoseconds) == bench.edges.map(\.nanoseconds).sorted())
      let status = try #require(await bench.gpio.status.first)
      #expect(status.isPolled)
      #expect(
        bench.logged == [
          "notice: water: line 27 of /dev/gpiochip0 has no interrupt, so it is read every 1 ms; shorter pulses, and more "
            + "than 500 a second, are lost"
        ])
      await bench.gpio.stop()
    }
  }

  @Test func anInputWithoutAnInterruptIsReadAndDebounced() throws {
    try onLoop { loop in
      var door = Self.polled(.input("door", 5, on: Self.chip))
      door.selector = .name("GPIO5")
      door.debounce = .milliseconds(4)
      let line = ReadLine([true, true, false, true] + [Bool](repeating: false, count: 40))
      let bench = GPIOBench(loop, [door]) { [door] _, _ throws(GPIOFault) in
        _ = door
        return line
      }
      await bench.gpio.start()
      await bench.until("door", says: [true, false])
      #expect(await bench.gpio.status.map(\.offset) == [5], "as the chip says it")
      #expect(await bench.value(of: "door") == false)
      await bench.gpio.stop()
    }
  }

  @Test func aReadingThatFailsIsAnOutage() throws {
    try onLoop { loop in
      let fault = GPIOFault(.failed, "line 5: the driver reports an error")
      let lines = Mutex([ReadLine([false, true], then: fault), ReadLine([true, true, false])])
      let bench = GPIOBench(loop, [Self.polled(.input("door", 5, on: Self.chip))]) { _, _ throws(GPIOFault) in
        lines.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
      }
      await bench.gpio.start()
      await bench.until("door", says: [false, true, false])
      #expect(bench.logged.contains { $0.hasPrefix("warning: door: line 5: the driver reports an error") })
      #expect(bench.logged.filter { $0.contains("has no interrupt") }.count == 1, "told once")
      await bench.gpio.stop()
    }
  }

  @Test func aDisturbanceOfTheBusIsNone() throws {
    try onLoop { loop in
      let fault = GPIOFault(.failed, "line 5: the driver reports an error")
      let failures = [Result<Bool, GPIOFault>](repeating: .failure(fault), count: GPIOController.toleratedReads)
      let line = ReadLine([.success(false)] + failures + [.success(true)] + failures + [.success(false)])
      let bench = GPIOBench(loop, [Self.polled(.input("door", 5, on: Self.chip))]) { _, _ throws(GPIOFault) in line }
      await bench.gpio.start()
      await bench.until("door", says: [false, true, false])
      #expect(!bench.logged.contains { $0.hasPrefix("warning") })
      await bench.gpio.stop()
    }
  }

  // MARK: The simulated chip

  @Test func aSimulatedCounterCountsWhatStands() throws {
    let directory = try LineDirectory()
    try directory.write("1", to: 27)
    try onLoop { loop in
      let bench = GPIOBench(
        loop,
        [.counter("water", 27, on: directory.chip), .counter("both", 28, on: directory.chip, edge: .both)])
      await bench.gpio.start()
      for level in ["0", "1", "0", "1"] {
        for offset in [27, 28] { try directory.write(level, to: offset) }
        // Nothing tells of the edges that are not asked for.
        try await bench.poll { await $0.gpio.levels == [level == "1", level == "1"] }
      }
      #expect(bench.edgesOf("water").map(\.value) == [true, true], "on at the start is no edge")
      #expect(bench.edgesOf("both").map(\.value) == [true, false, true])
      await bench.gpio.stop()
    }
  }

  @Test func aSimulatedLineMayHaveTheKernelsName() throws {
    let directory = try LineDirectory()
    try onLoop { loop in
      var line = GPIOLineOptions.output("relay", 0, on: directory.chip, initial: true)
      line.selector = .name("GPIO23")
      let bench = GPIOBench(loop, [line])
      await bench.gpio.start()
      #expect(FileManager.default.contents(atPath: "\(directory.path)/lineGPIO23") == Data("1".utf8))
      await bench.gpio.stop()
    }
  }

  // MARK: Other options

  @Test func anotherEdgeIsAnotherRequest() {
    let water = Self.water
    var other = water
    other.meter?.edge = .falling
    #expect(!water.isServedLike(other) && water.isSameLine(as: other))
    other = water
    other.meter?.scale = 2
    other.poll = .seconds(1)
    #expect(water.isServedLike(other), "of these the chip knows nothing")
    other.meter = nil
    #expect(!water.isServedLike(other))
    other = water
    other.selector = .name("GPIO27")
    #expect(!water.isSameLine(as: other))
  }
}

extension GPIOController {
  /// As they stand, told or not.
  fileprivate var levels: [Bool?] { held.map(\.value) }
}

extension GPIOBench {
  /// What an operator is told.
  fileprivate var logged: [String] { log.told.filter { !$0.hasPrefix("info") } }
}
