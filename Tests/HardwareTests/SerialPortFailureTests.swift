import EventLoop
import Foundation
import Testing

@testable import Hardware

/// A port whose device misbehaves, by the scripted twin.
@Suite struct SerialPortFailureTests {
  static let options = SerialOptions(path: "/dev/ttyUSB0")
  static let gone = PortError(code: .gone, message: "/dev/ttyUSB0 hung up")
  static let absent = PortError(code: .absent, message: "/dev/ttyUSB0 is not there")

  @Test func aStopWhileOpeningDoesNotWaitAndClosesWhatArrivesLate() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let stream = ScriptedStream(Self.options)
      let opener = ScriptedOpener([.success(stream)], gate: gate)
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.port.start()
      #expect(await bench.port.status.state == .opening)
      await bench.port.stop()
      #expect(await bench.port.status.state == .closed)
      #expect(stream.closes == 0)
      gate.signal()
      try await bench.poll { _ in stream.closes == 1 }
      #expect(bench.events.isEmpty)
      #expect(bench.log.told.isEmpty)
    }
  }

  @Test func aStartAfterThatStopTakesTheLateOpeningUp() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let opener = ScriptedOpener([.success(ScriptedStream(Self.options))], gate: gate)
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.port.start()
      await bench.port.stop()
      await bench.port.start()
      gate.signal()
      await bench.until { $0.openings == 1 }
      #expect(opener.openings == 1)
      await bench.port.stop()
    }
  }

  @Test func aStopReturnsWhenTheDescriptorIsClosed() throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.closing = DispatchSemaphore(value: 0)
      let opener = ScriptedOpener([.success(stream)])
      let bench = PortBench(loop, Self.options, timing: PortBench.impatient, open: opener.open)
      await bench.start()
      let stop = Task(executorPreference: loop) {
        await bench.port.stop()
        return stream.closes
      }
      try await bench.poll { $0.log.told.contains { $0.hasPrefix("error: meter: closing") } }
      #expect(await bench.port.status.state == .closing)
      #expect(stream.closes == 0)
      stream.closing?.signal()
      #expect(await stop.value == 1)
      #expect(
        bench.log.told.last == """
          error: meter: closing /dev/ttyUSB0 has not returned for 20 ms, its driver is stuck; going on when it does; \
          unplug the adapter if it stays so
          """)
    }
  }

  @Test func anOpeningThatHangsIsOneLine() throws {
    try onLoop { loop in
      let gate = DispatchSemaphore(value: 0)
      let opener = ScriptedOpener([.success(ScriptedStream(Self.options))], gate: gate)
      let bench = PortBench(loop, Self.options, timing: PortBench.impatient, open: opener.open)
      await bench.port.start()
      try await bench.poll { !$0.log.told.isEmpty }
      // Three times as long again.
      try await loop.sleep(for: .milliseconds(60))
      #expect(bench.log.told.count == 1)
      #expect(bench.log.told[0].hasPrefix("error: meter: opening /dev/ttyUSB0 has not returned for 20 ms"))
      gate.signal()
      await bench.until { $0.openings == 1 }
      await bench.port.stop()
    }
  }

  @Test func theOldDescriptorIsClosedBeforeThePathIsOpenedAgain() throws {
    try onLoop { loop in
      let (first, second) = (ScriptedStream(Self.options), ScriptedStream(Self.options))
      first.closing = DispatchSemaphore(value: 0)
      let opener = ScriptedOpener([.success(first), .success(second)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      first.add(.failure(Self.gone))
      await bench.until { $0.losses.count == 1 }
      try await loop.sleep(for: .milliseconds(10))
      #expect(opener.openings == 1)
      first.closing?.signal()
      await bench.until { $0.openings == 2 }
      #expect(first.closes == 1)
      await bench.port.stop()
    }
  }

  struct Ending: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let code: PortError.Code
    let happen: @Sendable (ScriptedStream) -> Void
  }

  @Test(arguments: [
    Ending(testDescription: "a read says gone", code: .gone) { $0.add(.failure(Self.gone)) },
    Ending(testDescription: "a read fails otherwise", code: .failed) {
      $0.add(.failure(PortError(code: .failed, message: "/dev/ttyUSB0: the driver reports an error")))
    },
    Ending(testDescription: "a hang-up without bytes or error", code: .gone) { $0.hangUp() },
    Ending(testDescription: "a driver that promises bytes it has not", code: .failed) { $0.add(.nothing) },
  ])
  func everyEndingLeadsToANewBeginning(_ ending: Ending) throws {
    try onLoop { loop in
      let (first, second) = (ScriptedStream(Self.options), ScriptedStream(Self.options))
      let opener = ScriptedOpener([.success(first), .success(second)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      first.add(.bytes([1, 2]))
      await bench.until { $0.received == [1, 2] }
      ending.happen(first)
      second.add(.bytes([3]))
      await bench.until { $0.received == [1, 2, 3] }
      #expect(bench.losses.map(\.code) == [ending.code])
      #expect(bench.story == "opened received lost opened received")
      #expect(first.reads <= SerialPort.brokenPromiseLimit + 1)
      #expect(first.closes == 1)
      await bench.port.stop()
      #expect(second.closes == 1)
    }
  }

  @Test func aPortThatHangsUpAtOnceDoesNotFillTheLog() throws {
    try onLoop { loop in
      let bench = PortBench(loop, Self.options) { options throws(PortError) in
        let stream = ScriptedStream(options)
        stream.add(.failure(Self.gone))
        return stream
      }
      await bench.port.start()
      await bench.until { $0.losses.count == 30 }
      await bench.port.stop()
      let levels = bench.log.told.map { $0.prefix { $0 != ":" } }
      #expect(levels == ["info", "warning", "notice", "warning", "notice"])
      #expect(bench.log.told[3].contains("without a line each time"))
    }
  }

  @Test func eachCauseOfAnOutageIsToldOnce() throws {
    try onLoop { loop in
      let forbidden = PortError(code: .forbidden, message: "may not open /dev/ttyUSB0")
      let stream = ScriptedStream(Self.options)
      let opener = ScriptedOpener(
        [Self.absent, Self.absent, forbidden, Self.absent, forbidden].map { .failure($0) } + [.success(stream)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      await bench.port.stop()
      #expect(bench.log.told.map { $0.prefix { $0 != ":" } } == ["warning", "error", "notice"])
    }
  }

  @Test func driverErrorsAddUpOverReopenings() throws {
    try onLoop { loop in
      let first = ScriptedStream(Self.options, counters: DriverCounters(overrun: 5, framing: .max))
      let second = ScriptedStream(Self.options, counters: DriverCounters())
      let opener = ScriptedOpener([.success(first), .success(second)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      // Counted before the opening, by somebody else.
      #expect(await bench.port.status.driverErrors == LineErrorCounts())
      first.counters = DriverCounters(overrun: 7, framing: 1)
      #expect(await bench.port.status.driverErrors == LineErrorCounts(overrun: 2, framing: 2))
      first.counters = DriverCounters(overrun: 8, framing: 1)
      first.add(.failure(Self.gone))
      await bench.until { $0.openings == 2 }
      second.counters = DriverCounters(overrun: 1, parity: 4, breaks: 2, bufferOverrun: 9)
      let expected = LineErrorCounts(overrun: 4, framing: 2, parity: 4, breaks: 2, bufferOverrun: 9)
      #expect(await bench.port.status.driverErrors == expected)
      await bench.port.stop()
      #expect(await bench.port.status.driverErrors == expected)
    }
  }
}
