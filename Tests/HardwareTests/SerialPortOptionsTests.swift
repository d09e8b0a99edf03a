import EventLoop
import Foundation
import Synchronization
import Testing

@testable import Hardware

/// Other options for a port that is open, or about to be.
@Suite struct SerialPortOptionsTests {
  private static let options = SerialOptions(path: "/dev/ttyUSB0", baud: 9600)
  private static let faster = SerialOptions(path: "/dev/ttyUSB0", baud: 19_200)

  /// Opens anything, and notes by what.
  private final class Driver: Sendable {
    private let state = Mutex<(asked: [SerialOptions], streams: [ScriptedStream])>(([], []))
    let gate: DispatchSemaphore?
    let error: PortError?

    init(gate: DispatchSemaphore? = nil, error: PortError? = nil) {
      self.gate = gate
      self.error = error
    }

    var rates: [Int] { state.withLock { $0.asked.map(\.baud) } }
    var closes: [Int] { state.withLock { $0.streams.map(\.closes) } }
    var last: ScriptedStream? { state.withLock { $0.streams.last } }

    @Sendable func open(_ options: SerialOptions) throws(PortError) -> any ByteStream {
      state.withLock { $0.asked.append(options) }
      gate?.wait()
      if let error { throw error }
      let stream = ScriptedStream(options)
      state.withLock { $0.streams.append(stream) }
      return stream
    }
  }

  @Test func whatTheLineDoesNotKnowOfLeavesItOpen() throws {
    try onLoop { loop in
      let driver = Driver()
      let bench = PortBench(loop, Self.options, open: driver.open)
      await bench.start()
      await bench.port.use(Self.options)
      var other = Self.options
      other.silent = [RecoveryStep(after: .seconds(60), run: "reopen")]
      await bench.port.use(other)
      driver.last?.add(.bytes([1]))
      await bench.until { $0.received == [1] }
      #expect(bench.story == "opened received" && driver.rates == [9600])
      #expect(await bench.port.options == other)
      await bench.port.stop()
    }
  }

  @Test func anotherLineIsClosedAndOpened() throws {
    try onLoop { loop in
      let driver = Driver()
      let bench = PortBench(loop, Self.options, open: driver.open)
      await bench.start()
      await bench.port.use(Self.faster)
      await bench.until { $0.openings == 2 }
      #expect(bench.story == "opened lost opened")
      #expect(driver.rates == [9600, 19_200] && driver.closes == [1, 0])
      let status = await bench.port.status
      #expect(status.granted?.baud == 19_200 && status.state == .open && status.lastError == nil)
      #expect(!bench.log.told.contains { $0.hasPrefix("warning") || $0.hasPrefix("error") })
      await bench.port.stop()
    }
  }

  @Test func whatWaitsToBeSentFails() throws {
    try onLoop { loop in
      let driver = Driver()
      let bench = PortBench(loop, Self.options, open: driver.open)
      await bench.start()
      driver.last?.room = 0
      let write = Task(executorPreference: loop) { () -> PortError.Code? in
        do throws(PortError) {
          try await bench.port.write([1, 2])
          return nil
        } catch { return error.code }
      }
      try await bench.poll { await $0.port.hasWrites }
      await bench.port.use(Self.faster)
      #expect(await write.value == .notOpen)
      await bench.until { $0.openings == 2 }
      await bench.port.stop()
    }
  }

  @Test func anOpeningUnderWayIsMadeAgainByTheNewOnes() throws {
    try onLoop { loop in
      let driver = Driver(gate: DispatchSemaphore(value: 0))
      let bench = PortBench(loop, Self.options, open: driver.open)
      await bench.port.start()
      try await bench.poll { _ in driver.rates.count == 1 }
      await bench.port.use(Self.faster)
      driver.gate?.signal()
      driver.gate?.signal()
      await bench.until { $0.openings == 1 }
      #expect(driver.rates == [9600, 19_200] && driver.closes == [1, 0])
      #expect(bench.story == "opened")
      await bench.port.stop()
    }
  }

  @Test func anOpeningUnderWayThatFailsIsMadeAgainAtOnce() throws {
    try onLoop { loop in
      let driver = Driver(
        gate: DispatchSemaphore(value: 0), error: PortError(code: .absent, message: "/dev/ttyUSB0 is not there"))
      var timing = PortBench.quick
      timing.mostWhileAbsent = .seconds(60)
      timing.first = .seconds(60)
      timing.most = .seconds(60)
      let bench = PortBench(loop, Self.options, timing: timing, open: driver.open)
      await bench.port.start()
      try await bench.poll { _ in driver.rates.count == 1 }
      await bench.port.use(Self.faster)
      driver.gate?.signal()
      try await bench.poll { _ in driver.rates == [9600, 19_200] }
      driver.gate?.signal()
      try await bench.poll { if case .waiting = await $0.port.status.state { true } else { false } }
      // Waiting for the next attempt: other options end that.
      await bench.port.use(Self.options)
      try await bench.poll { _ in driver.rates == [9600, 19_200, 9600] }
      driver.gate?.signal()
      await bench.port.stop()
    }
  }

  @Test func aPortThatIsStoppedStaysSo() throws {
    try onLoop { loop in
      let driver = Driver()
      let bench = PortBench(loop, Self.options, open: driver.open)
      await bench.port.use(Self.faster)
      #expect(driver.rates.isEmpty)
      await bench.start()
      #expect(driver.rates == [19_200])
      await bench.port.stop()
      await bench.port.use(Self.options)
      #expect(await bench.port.status.state == .closed)
      #expect(driver.rates == [19_200])
    }
  }
}

extension SerialPort {
  fileprivate var hasWrites: Bool { !outgoing.isEmpty }
}
