import EventLoop
import Foundation
import Telemetry
import Testing

@testable import Hardware

/// A port on real pseudo-terminals.
@Suite struct SerialPortTests {
  @Test func itOpensReadsAndCloses() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let bench = PortBench(loop, SerialOptions(path: pty.path, baud: 57_600))
      #expect(await bench.port.status.state == .closed)
      #expect(await bench.port.status.since == nil)
      await bench.start()
      let before = CaptureTime.now()
      try pty.send("T=21\r\n")
      await bench.until { $0.received.count == 6 }
      #expect(String(decoding: bench.received, as: UTF8.self) == "T=21\r\n")
      for case .received(_, let time) in bench.events {
        #expect(time.milliseconds >= before.milliseconds)
        #expect(time.milliseconds <= CaptureTime.now().milliseconds)
      }
      let status = await bench.port.status
      #expect(status.state == .open)
      #expect(status.granted == SerialOptions(path: pty.path, baud: 57_600))
      #expect((status.bytesReceived, status.bytesSent, status.reopenCount) == (6, 0, 0))
      #expect(status.driverErrors == nil)
      #expect(status.lastError == nil)
      await bench.port.stop()
      #expect(await bench.port.status.state == .closed)
      #expect(bench.log.told == ["info: meter: \(pty.path) is open (57600 8N1)"])
      #expect(bench.log.ports == ["meter"])
    }
  }

  @Test func afterAHangUpItOpensWhatStandsUnderThePathThen() throws {
    try onLoop { loop in
      let (first, second) = (try PseudoTerminal(), try PseudoTerminal())
      let link = try PortLink(to: first.path)
      let bench = PortBench(loop, SerialOptions(path: link.path))
      await bench.start()
      try first.send("a")
      await bench.until { $0.received.count == 1 }
      link.remove()
      first.hangUp()
      await bench.until { $0.losses.count == 1 }
      #expect(bench.losses.first?.code == .gone)
      try await bench.poll { await $0.port.status.lastError?.code == .absent }
      try link.point(to: second.path)
      await bench.until { $0.openings == 2 }
      try second.send("b")
      await bench.until { $0.received.count == 2 }
      #expect(bench.story == "opened received lost opened received")
      let status = await bench.port.status
      #expect(status.reopenCount == 1)
      #expect(status.bytesReceived == 2)
      await bench.port.stop()
      let told = bench.log.told
      #expect(told.count == 3)
      #expect(told[1].hasPrefix("warning: meter (9600 8N1): \(link.path) hung up: unplugged, or without power; it was"))
      #expect(told[2].hasPrefix("notice: meter: \(link.path) is open again after"))
    }
  }

  @Test func aMissingDeviceIsOneLineHoweverLongItIsMissing() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let link = try PortLink()
      let attempts = Attempts()
      let bench = PortBench(loop, SerialOptions(path: link.path)) { options throws(PortError) in
        attempts.add()
        return try TTY.open(options)
      }
      await bench.port.start()
      try await bench.poll { _ in attempts.count >= 20 }
      try await bench.poll { await $0.port.status.state.name == "waiting" }
      #expect(bench.events.isEmpty)
      try link.point(to: pty.path)
      await bench.until { $0.openings == 1 }
      await bench.port.stop()
      let told = bench.log.told
      #expect(told.count == 2)
      #expect(
        told[0] == """
          warning: meter: \(link.path) is not there: not plugged in, or its name has changed; tried again at least \
          every 4 ms (open: No such file or directory)
          """)
      #expect(told[1].hasPrefix("notice: meter: \(link.path) is open after"))
    }
  }

  @Test func aLineInUseIsWaitedFor() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let holder = try TTY.open(SerialOptions(path: pty.path))
      let bench = PortBench(loop, SerialOptions(path: pty.path))
      await bench.port.start()
      try await bench.poll { await $0.port.status.lastError?.code == .inUse }
      holder.close()
      await bench.until { $0.openings == 1 }
      await bench.port.stop()
      #expect(bench.log.told.count == 2)
      #expect(bench.log.told[0].contains("in use by another process"))
    }
  }

  @Test func whatTheDriverDidNotTakeIsOneWarning() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let bench = PortBench(loop, SerialOptions(path: pty.path, parity: .even))
      for opening in 1...3 {
        await bench.port.start()
        await bench.until { $0.openings == opening }
        await bench.port.stop()
      }
      let warnings = bench.log.told.filter { $0.hasPrefix("warning") }
      #expect(warnings.count == 1)
      #expect(warnings.first?.contains("parity none instead of even") == true)
    }
  }

  @Test func aHungUpLineIsReadOnceAndNeverSpins() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let link = try PortLink(to: pty.path)
      let reads = Attempts()
      let bench = PortBench(loop, SerialOptions(path: link.path)) { options throws(PortError) in
        CountingStream(try TTY.open(options), reads: reads)
      }
      await bench.start()
      link.remove()
      pty.hangUp()
      try await bench.poll { await $0.port.status.lastError?.code == .absent }
      try await loop.sleep(for: .milliseconds(30))
      #expect(reads.count == 1)
      await bench.port.stop()
    }
  }

  @Test func twoHundredReopeningsLeaveNoDescriptor() throws {
    try onLoop { loop in
      let link = try PortLink()
      let descriptors = Attempts()
      var timing = PortBench.quick
      // Every loss is a new outage, so that the first retry comes at once.
      timing.stable = .zero
      let bench = PortBench(loop, SerialOptions(path: link.path), timing: timing) { options throws(PortError) in
        let stream = try TTY.open(options)
        descriptors.add(Int(stream.descriptor))
        return stream
      }
      for round in 1...200 {
        let pty = try PseudoTerminal()
        try link.point(to: pty.path)
        if round == 1 { await bench.port.start() }
        await bench.until { $0.openings == round }
        link.remove()
        pty.hangUp()
        await bench.until { $0.losses.count == round }
      }
      await bench.port.stop()
      #expect(await bench.port.status.reopenCount == 199)
      // The lowest free number is given out: had they leaked, the numbers had climbed by 200. Other tests run beside.
      let numbers = descriptors.values
      #expect((numbers.max() ?? 0) - (numbers.min() ?? 0) < 100)
    }
  }

  @Test func twoHundredStopsLeaveNoDescriptor() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let bench = PortBench(loop, SerialOptions(path: pty.path))
      for round in 1...200 {
        await bench.port.start()
        await bench.until { $0.openings == round }
        #expect(Self.descriptors(of: pty.path) == 1)
        await bench.port.stop()
      }
      #expect(Self.descriptors(of: pty.path) == 0)
    }
  }

  /// How many of the process's descriptors are that device.
  static func descriptors(of path: String) -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return all.count { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path }
  }
}

/// Counts from any thread.
final class Attempts: @unchecked Sendable {
  private let lock = NSLock()
  private var noted: [Int] = []
  func add(_ value: Int = 0) { lock.withLock { noted.append(value) } }
  var count: Int { lock.withLock { noted.count } }
  var values: [Int] { lock.withLock { noted } }
}

/// A stream that counts how often it is read.
final class CountingStream: ByteStream, @unchecked Sendable {
  // @unchecked: as `ByteStream` says.
  private let stream: any ByteStream
  private let reads: Attempts
  init(_ stream: any ByteStream, reads: Attempts) { (self.stream, self.reads) = (stream, reads) }
  var descriptor: CInt { stream.descriptor }
  var granted: SerialOptions { stream.granted }
  func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)? {
    reads.add()
    return try stream.read(atMost: limit)
  }
  func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int { try stream.write(bytes) }
  func readCounters() -> DriverCounters? { stream.readCounters() }
  func close() { stream.close() }
}
