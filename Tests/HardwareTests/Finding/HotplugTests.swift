import EventLoop
import Foundation
import Logging
import Telemetry
import Testing

@testable import Hardware

/// Ports that are told what comes and goes.
@Suite struct HotplugTests {
  /// Says what the test adds; a socket carries the readiness.
  final class ScriptedNews: DeviceNewsSource, @unchecked Sendable {
    // @unchecked: `script` is locked.
    let descriptor: CInt
    let isUdev: Bool
    private let far: CInt
    private let lock = NSLock()
    private var script: [DeviceNews] = []

    init(isUdev: Bool = true) {
      var ends: [CInt] = [-1, -1]
      socketpair(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
      (descriptor, far) = (ends[0], ends[1])
      self.isUdev = isUdev
    }

    deinit {
      close(descriptor)
      close(far)
    }

    func add(_ news: DeviceNews...) {
      lock.withLock { script += news }
      for _ in news { _ = send(far, "x", 1, 0) }
    }

    func next() -> DeviceNews {
      var byte: UInt8 = 0
      guard recv(descriptor, &byte, 1, 0) == 1 else { return .nothing }
      return lock.withLock { script.removeFirst() }
    }
  }

  /// Timers that a test cannot sit out: only news wakes.
  static let patient = {
    var timing = PortBench.quick
    (timing.firstRetry, timing.first, timing.most) = (.seconds(3600), .seconds(3600), .seconds(3600))
    timing.mostWhileAbsent = .seconds(3600)
    return timing
  }()

  /// Trees, news and ports on one loop.
  struct Bench {
    let ttys: FakeTTYs
    let news: ScriptedNews
    let log = LogLines()
    let finder: PortFinder
    let hotplug: Hotplug
    let loop: EventLoop

    init(_ loop: EventLoop, isUdev: Bool = true, open: @escaping SerialPort.Opener = TTY.open) throws {
      self.loop = loop
      ttys = try FakeTTYs()
      let news = ScriptedNews(isUdev: isUdev)
      self.news = news
      finder = PortFinder(ttys.inventory(), open: open)
      let log = log
      hotplug = Hotplug(
        on: loop, pool: BlockingPool(name: "test", threads: 1), log: Logger(label: "test") { _ in log.handler },
        finder: finder
      ) { .success(news) }
    }

    func port(_ location: PortLocation) async -> PortBench {
      var options = SerialOptions(path: "")
      options.location = location
      let bench = PortBench(loop, options, timing: HotplugTests.patient, open: hotplug.opener(for: "meter"))
      await hotplug.watch(bench.port)
      await bench.port.start()
      return bench
    }
  }

  static let meter = PortLocation.match(PortMatch(vendor: "0403", serial: "A1"))

  @Test func aPortIsFoundWhenItAppearsAndFollowedUnderAnotherName() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let port = await bench.port(Self.meter)
      try await port.poll { await $0.port.status.state.name == "waiting" }
      let first = try PseudoTerminal()
      let directory = try bench.ttys.plug(first, at: "1-1", serial: "A1")
      bench.news.add(.appeared)
      await port.until { $0.openings == 1 }
      #expect(await port.port.status.device == first.path)
      // Pulled: the name is free before anything else has it.
      try bench.ttys.unplug(directory)
      bench.news.add(.removed(directory: directory))
      await port.until { $0.losses.count == 1 }
      #expect(port.losses.first == .gone(first.path))
      try await port.poll { await $0.port.status.state.name == "waiting" }
      #expect(bench.finder.claims.all.isEmpty)
      #expect(await port.port.status.device == nil)
      let second = try PseudoTerminal()
      try bench.ttys.plug(second, at: "1-2", serial: "A1")
      bench.news.add(.appeared)
      await port.until { $0.openings == 2 }
      #expect(await port.port.status.device == second.path)
      let words = Self.meter.description
      #expect(port.log.told.count == 4)
      #expect(port.log.told[0].hasPrefix("warning: meter: nothing fits \(words): not plugged in"))
      #expect(port.log.told[1].hasPrefix("notice: meter: \(words) is open after "))
      #expect(port.log.told[1].hasSuffix(" at \(first.path) (9600 8N1)"))
      #expect(port.log.told[2].contains("(9600 8N1): \(first.path) hung up"))
      #expect(port.log.told[3].hasSuffix(" at \(second.path), which was \(first.path) before (9600 8N1)"))
      #expect(bench.log.told.isEmpty)
      await port.port.stop()
    }
  }

  /// udevd tells late: the device is there again, under the same name, and its port open.
  @Test func aRemovalThatIsOverClosesNothing() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let pty = try PseudoTerminal()
      let directory = try bench.ttys.plug(pty, at: "1-1", serial: "A1")
      let port = await bench.port(Self.meter)
      await port.until { $0.openings == 1 }
      bench.news.add(.removed(directory: directory), .removed(directory: "/sys/devices/another"))
      try pty.send("still")
      await port.until { $0.received.count == 5 }
      try await port.poll { _ in !isReadableNow(bench.news.descriptor) }
      #expect(port.losses.isEmpty)
      await port.port.stop()
    }
  }

  @Test func afterAnOverflowAllIsLookedAt() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let pty = try PseudoTerminal()
      let directory = try bench.ttys.plug(pty, at: "1-1", serial: "A1")
      let port = await bench.port(Self.meter)
      await port.until { $0.openings == 1 }
      try bench.ttys.unplug(directory)
      bench.news.add(.overflow)
      await port.until { $0.losses.count == 1 }
      try await port.poll { await $0.port.status.state.name == "waiting" }
      try bench.ttys.plug(pty, at: "1-3", serial: "A1")
      bench.news.add(.overflow)
      await port.until { $0.openings == 2 }
      await port.port.stop()
    }
  }

  /// Two fitted; one of them is pulled.
  @Test func aRemovalEndsAnAmbiguity() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let (a, b) = (try PseudoTerminal(), try PseudoTerminal())
      try bench.ttys.plug(a, at: "1-1", serial: "A1")
      let directory = try bench.ttys.plug(b, at: "1-2", serial: "A1")
      let port = await bench.port(Self.meter)
      try await port.poll { await $0.port.status.lastError?.code == .ambiguous }
      try bench.ttys.unplug(directory)
      bench.news.add(.removed(directory: directory))
      await port.until { $0.openings == 1 }
      #expect(await port.port.status.device == a.path)
      await port.port.stop()
    }
  }

  @Test func newsDuringAnOpeningIsNotMissed() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let bench = try Bench(loop) { (options: SerialOptions) throws(PortError) in
        gate.wait()
        return try TTY.open(options)
      }
      let link = try PortLink()
      let port = await bench.port(.path(link.path))
      try await port.poll { await $0.port.status.state.name == "opening" }
      // It looks before the link is there, or after: either way it is told meanwhile.
      bench.news.add(.appeared)
      try await port.poll { _ in !isReadableNow(bench.news.descriptor) }
      gate.signal()
      let pty = try PseudoTerminal()
      try link.point(to: pty.path)
      gate.signal()
      await port.until { $0.openings == 1 }
      await port.port.stop()
    }
  }

  @Test func withoutUdevdItIsToldOnce() throws {
    try onLoop { loop in
      let bench = try Bench(loop, isUdev: false)
      let pty = try PseudoTerminal()
      let port = await bench.port(.path(pty.path))
      await port.until { $0.openings == 1 }
      try await port.poll { _ in !bench.log.told.isEmpty }
      bench.news.add(.appeared)
      try await port.poll { _ in !isReadableNow(bench.news.descriptor) }
      #expect(bench.log.told.count == 1)
      #expect(bench.log.told.first?.hasPrefix("notice: no udevd runs here") == true)
      await port.port.stop()
    }
  }

  @Test func aSourceThatFailsIsGivenUp() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let pty = try PseudoTerminal()
      let port = await bench.port(.path(pty.path))
      await port.until { $0.openings == 1 }
      for _ in 0..<Hotplug.failureLimit { bench.news.add(.failed(SystemError("recvmsg", errno: EBADF))) }
      try await port.poll { _ in !bench.log.told.isEmpty }
      #expect(
        bench.log.told == [
          "warning: nobody tells what is plugged in (recvmsg: Bad file descriptor); ports are looked for by timers alone"
        ])
      try pty.send("x")
      await port.until { $0.received.count == 1 }
      await port.port.stop()
    }
  }

  @Test func aStoppedOneTellsNothing() throws {
    try onLoop { loop in
      let bench = try Bench(loop)
      let port = await bench.port(Self.meter)
      await bench.hotplug.stop()
      try bench.ttys.plug(try PseudoTerminal(), at: "1-1", serial: "A1")
      bench.news.add(.appeared)
      await port.port.stop()
      #expect(port.openings == 0)
    }
  }

  /// The kernel's own socket: it is made, says nothing, and where the test may, tells of a real event.
  @Test func theRealMonitorHearsTheKernel() throws {
    let monitor = try UdevMonitor()
    while monitor.next() != .nothing {}
    let line = "/sys/class/tty/tty1/uevent"
    guard !monitor.isUdev, access(line, W_OK) == 0 else { return }
    try Data("change\n".utf8).write(to: URL(fileURLWithPath: line))
    #expect(isReadable(monitor.descriptor))
    #expect(monitor.next() == .appeared)
  }
}

/// Whether the descriptor has something to say now.
private func isReadableNow(_ descriptor: CInt) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return poll(&entry, 1, 0) == 1
}
