import CKernel
import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// Outputs whose value outlives the daemon.
@Suite struct HeldOutputTests {
  static let chip = GPIOChipReference.device("/dev/gpiochip0")

  static func relay(_ safe: GPIOLineOptions.Safe, initial: Bool = false) -> GPIOLineOptions {
    .output("relay", 23, on: chip, initial: initial, safe: safe)
  }

  /// A line that tells what is to become of it, in its chip's story.
  private final class Line: SurrenderableLine, @unchecked Sendable {
    // @unchecked: one user at a time, as `GPIOLineHandle` says.
    private let story: TwinChip
    private let twin = TwinLine(false)
    private(set) var descriptor: CInt
    let storeName = "gpio.gpiochip0.23"
    let offset: UInt32? = 23
    var first: Bool? { false }
    var complaint: String? { nil }

    init(_ story: TwinChip) {
      self.story = story
      descriptor = dup(twin.descriptor)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func takeChanges() throws(GPIOFault) -> [GPIOChange] { [] }
    func drive(_ value: Bool) throws(GPIOFault) -> Bool {
      story.tell(value ? "on" : "off")
      return value
    }
    func release() {
      story.tell("release")
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }
    func surrender() -> CInt? {
      story.tell("surrender")
      defer { descriptor = -1 }
      return descriptor
    }
  }

  /// A relay of a chip whose manager's store is `manager`.
  private static func bench(
    _ loop: EventLoop, _ line: GPIOLineOptions, _ manager: FakeStore
  ) -> (GPIOBench, TwinChip, LineKeeper) {
    let story = TwinChip([.failure(GPIOControllerTests.absent)])
    let keeper = LineKeeper(store: DescriptorStore(socket: manager.path))
    let bench = GPIOBench(loop, [line]) { options, _ throws(GPIOFault) in
      story.tell("request")
      return KeptLine(Line(story), options, keeper)
    }
    return (bench, story, keeper)
  }

  private static let store = "FDSTORE=1\nFDNAME=gpio.gpiochip0.23"
  private static let remove = "FDSTOREREMOVE=1\nFDNAME=gpio.gpiochip0.23"

  @Test func itsNumberIsKnownThoughItIsConfiguredByName() throws {
    let manager = try FakeStore()
    try onLoop { loop in
      var relay = Self.relay(.off)
      relay.selector = .name("RELAY1")
      let (bench, _, _) = Self.bench(loop, relay, manager)
      await bench.gpio.start()
      #expect(await bench.gpio.status.map(\.offset) == [23])
      await bench.gpio.stop()
    }
  }

  @Test func itIsStoredWithItsRequestAndLeftAsItIs() throws {
    let manager = try FakeStore()
    try onLoop { loop in
      let (bench, story, _) = Self.bench(loop, Self.relay(.hold), manager)
      await bench.gpio.start()
      #expect(manager.messages == [Self.store], "before a crash could come")
      _ = await bench.set("relay", to: true)
      await bench.gpio.stop()
      #expect(story.story == "request on surrender")
      #expect(manager.messages == [])
    }
  }

  @Test func itsPulseIsNothingToHold() throws {
    let manager = try FakeStore()
    try onLoop { loop in
      let (bench, story, _) = Self.bench(loop, Self.relay(.hold), manager)
      await bench.gpio.start()
      try await bench.gpio.pulse("relay", for: .milliseconds(2))
      #expect(manager.messages == [Self.store, Self.remove])
      await bench.until("relay", says: [false, true, false])
      #expect(manager.messages == [Self.store])
      try await bench.gpio.pulse("relay", for: .seconds(100))
      await bench.gpio.stop()
      #expect(story.story == "request on off on off surrender", "it is held off")
      #expect(manager.messages == [Self.remove, Self.store])
    }
  }

  @Test(arguments: [GPIOLineOptions.Safe.on, .off])
  func anotherSafeValueIsDrivenAndNothingStored(_ safe: GPIOLineOptions.Safe) throws {
    let manager = try FakeStore()
    try onLoop { loop in
      let (bench, story, _) = Self.bench(loop, Self.relay(safe), manager)
      await bench.gpio.start()
      _ = await bench.set("relay", to: true)
      await bench.gpio.stop()
      #expect(story.story == "request on \(safe.rawValue) release")
      #expect(manager.messages == [])
    }
  }

  @Test func whatTheConfigurationHasNoMoreIsNotHeld() throws {
    let manager = try FakeStore()
    try onLoop { loop in
      let (bench, story, _) = Self.bench(loop, Self.relay(.hold), manager)
      await bench.gpio.start()
      _ = manager.messages
      await bench.gpio.use(GPIOOptions(lines: [Self.relay(.off)]))
      try await bench.poll { _ in !manager.isEmpty }
      #expect(manager.messages == [Self.remove])
      await bench.gpio.use(GPIOOptions(lines: [Self.relay(.hold)]))
      try await bench.poll { _ in !manager.isEmpty }
      #expect(manager.messages == [Self.store], "nor requested anew")
      manager.answersBarriers()
      await bench.gpio.use(GPIOOptions())
      #expect(story.story == "request release")
      #expect(manager.messages == [Self.remove])
      await bench.gpio.stop()
    }
  }

  @Test func withoutAManagerItIsJustLeftOpen() throws {
    try onLoop { loop in
      let story = TwinChip([.failure(GPIOControllerTests.absent)])
      let keeper = LineKeeper()
      let bench = GPIOBench(loop, [Self.relay(.hold)]) { options, _ throws(GPIOFault) in
        KeptLine(Line(story), options, keeper)
      }
      await bench.gpio.start()
      await bench.gpio.stop()
      #expect(story.story == "surrender")
    }
  }

  // MARK: The simulated chip

  @Test(arguments: ["0", "1"]) func aSimulatedLineIsTakenOverAsItsFileSays(_ level: String) throws {
    let directory = try LineDirectory()
    for offset in [1, 2, 3] { try directory.write(level, to: offset) }
    var inverted = GPIOLineOptions.output("inverted", 2, on: directory.chip, safe: .hold)
    inverted.isActiveLow = true
    let lines = [
      .output("relay", 1, on: directory.chip, initial: level == "0", safe: .hold), inverted,
      .output("pump", 3, on: directory.chip), .output("new", 4, on: directory.chip, initial: true, safe: .hold),
    ]
    try onLoop { loop in
      let bench = GPIOBench(loop, lines)
      await bench.gpio.start()
      #expect(bench.events.map(\.value) == [level == "1", level == "0", false, true])
      await bench.gpio.stop()
    }
    #expect((1...4).map { directory.contents($0) } == [level, level, "0", "1"])
  }

  @Test func aSimulatedPulseThatWasCutShortEndsAtTheNextStart() throws {
    let directory = try LineDirectory()
    let line = GPIOLineOptions.output("relay", 1, on: directory.chip, safe: .hold)
    try onLoop { loop in
      let killed = try SimulatedLine(line, in: directory.path, makingDirectory: false)
      killed.hold(false)
      #expect(try killed.drive(true))
      let bench = GPIOBench(loop, [line])
      await bench.gpio.start()
      #expect(bench.said("relay") == [false])
      // One that ends in order leaves no trace.
      try await bench.gpio.pulse("relay", for: .zero)
      await bench.until("relay", says: [false, true, false])
      _ = await bench.set("relay", to: true)
      await bench.gpio.stop()
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["line1"])
      #expect(directory.contents(1) == "1")
    }
  }

  // MARK: From before

  @Test func whatNobodyWantsIsClosedAndForgotten() throws {
    let manager = try FakeStore()
    try onLoop { loop in
      var ends: [CInt] = [-1, -1]
      pipe(&ends)
      let keeper = LineKeeper(
        [InheritedDescriptor(name: "gpio.gpiochip0.4", descriptor: ends[1])],
        store: DescriptorStore(socket: manager.path))
      let gpio = GPIOController(
        GPIOOptions(), on: loop, pool: BlockingPool(name: "test", threads: 1), log: await GPIOBench(loop, []).gpio.log,
        keeper: keeper
      ) { _ in }
      await gpio.start()
      var byte: UInt8 = 0
      #expect(read(ends[0], &byte, 1) == 0)
      #expect(manager.messages == ["FDSTOREREMOVE=1\nFDNAME=gpio.gpiochip0.4"])
      close(ends[0])
      await gpio.stop()
    }
  }

  @Test func aDescriptorThatIsNoLineIsNotTakenOver() throws {
    let manager = try FakeStore()
    manager.answersBarriers()
    var ends: [CInt] = [-1, -1]
    pipe(&ends)
    let keeper = LineKeeper(
      [InheritedDescriptor(name: "gpio.gpiochip0.23", descriptor: ends[1])],
      store: DescriptorStore(socket: manager.path))
    #expect(keeper.takeOver(Self.relay(.hold), 24, as: "gpio.gpiochip0.24", on: ends[0]) == nil)
    #expect(fcntl(ends[1], F_GETFD) >= 0, "another line's")
    #expect(keeper.takeOver(Self.relay(.hold), 23, as: "gpio.gpiochip0.23", on: ends[0]) == nil)
    var byte: UInt8 = 0
    #expect(read(ends[0], &byte, 1) == 0, "closed, or the request would find the line held")
    #expect(manager.messages == [Self.remove])
    close(ends[0])
  }

  @Test func theKernelSaysWhichLineADescriptorHolds() {
    // As Linux 6.12 prints it for one line, and for two.
    let head = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n"
    #expect(HeldLine.lines(in: head + "gpio-chip:\tgpiochip2\ngpio-line:\t7\n") == ["gpio.gpiochip2.7"])
    #expect(
      HeldLine.lines(in: head + "gpio-chip:\tgpiochip0\ngpio-line:\t7\ngpio-line:\t8\n")
        == ["gpio.gpiochip0.7", "gpio.gpiochip0.8"])
    #expect(HeldLine.lines(in: head) == nil)
    #expect(HeldLine.lines(in: "") == nil)
    #expect(HeldLine.lines(in: "gpio-line:\t7\ngpio-chip:\tgpiochip0\ngpio-line:\t-1\n") == [])
  }

  struct Info: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let flags: UInt64
    let consumer: String
    let isActiveLow: Bool
    let isOurs: Bool
  }

  /// USED is bit 0, ACTIVE_LOW bit 1, INPUT bit 2, OUTPUT bit 3.
  static let infos = [
    Info(testDescription: "ours", flags: 0b1001, consumer: "baudgate", isActiveLow: false, isOurs: true),
    Info(testDescription: "ours, inverted", flags: 0b1011, consumer: "baudgate", isActiveLow: true, isOurs: true),
    Info(testDescription: "inverted since", flags: 0b1001, consumer: "baudgate", isActiveLow: true, isOurs: false),
    Info(testDescription: "an input", flags: 0b0101, consumer: "baudgate", isActiveLow: false, isOurs: false),
    Info(testDescription: "free", flags: 0b1000, consumer: "", isActiveLow: false, isOurs: false),
    Info(testDescription: "another's", flags: 0b1001, consumer: "gpioset", isActiveLow: false, isOurs: false),
  ]

  @Test(arguments: infos) func aLineIsTakenOverOnlyAsItWouldBeRequested(_ row: Info) {
    var info = gpio_v2_line_info()
    info.flags = row.flags
    withUnsafeMutableBytes(of: &info.consumer) { $0.copyBytes(from: row.consumer.utf8) }
    #expect(HeldLine.isDriven(info, isActiveLow: row.isActiveLow) == row.isOurs)
  }
}

/// A service manager's socket that keeps what it is told.
final class FakeStore: @unchecked Sendable {
  // @unchecked: `taken` is locked, the rest never changes.
  let path: String
  private let socket: CInt
  private let lock = NSLock()
  private var taken: [String] = []

  init() throws {
    path = NSTemporaryDirectory() + "baudgate-store-" + UUID().uuidString
    socket = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    try check("bind") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, size) }
      }
    }
  }

  deinit {
    shutdown(socket, CInt(SHUT_RDWR))
    close(socket)
    unlink(path)
  }

  /// What came since, without barriers. What came with it is closed.
  var messages: [String] {
    lock.withLock {
      drain()
      defer { taken = [] }
      return taken.filter { $0 != "BARRIER=1" }
    }
  }

  var isEmpty: Bool {
    lock.withLock {
      drain()
      return taken.isEmpty
    }
  }

  /// From now on a thread reads, so that a barrier is over at once.
  func answersBarriers() {
    Thread { [weak self, socket] in
      var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      while poll(&entry, 1, 100) >= 0, let self {
        if entry.revents != 0 { self.lock.withLock { self.drain() } }
      }
    }.start()
  }

  /// recv(2) drops the descriptors that come along: nothing takes them.
  private func drain() {
    var text = [UInt8](repeating: 0, count: 512)
    while true {
      let count = recv(socket, &text, text.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { return }
      taken.append(String(decoding: text.prefix(count), as: UTF8.self))
    }
  }
}
