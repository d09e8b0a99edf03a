import EventLoop
import Foundation
import Testing

@testable import Hardware

/// Bytes on their way out.
@Suite struct SerialPortWriteTests {
  static let options = SerialOptions(path: "/dev/ttyUSB0")

  /// The code of the error a write ends with; `nil` for success.
  static func outcome(_ bytes: [UInt8], on port: SerialPort) async -> PortError.Code? {
    do throws(PortError) {
      try await port.write(bytes)
      return nil
    } catch {
      return error.code
    }
  }

  @Test func bytesReachTheFarEnd() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let bench = PortBench(loop, SerialOptions(path: pty.path))
      await bench.start()
      try await bench.port.write(Array("LED=1\n".utf8))
      try await bench.port.write([])
      #expect(pty.take(6) == Array("LED=1\n".utf8))
      #expect(await bench.port.status.bytesSent == 6)
      await bench.port.stop()
    }
  }

  @Test func aFullLineTakesTheRestWhenTheFarEndReads() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      var timing = PortBench.quick
      timing.writeTimeout = .seconds(20)
      let bench = PortBench(loop, SerialOptions(path: pty.path), timing: timing)
      await bench.start()
      let sent = (0..<60_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let writing = Task(executorPreference: loop) { await Self.outcome(sent, on: bench.port) }
      let second = Task(executorPreference: loop) { await Self.outcome([1, 2, 3], on: bench.port) }
      var arrived: [UInt8] = []
      try await bench.poll { _ in
        arrived += pty.take()
        return arrived.count == 60_003
      }
      #expect(await writing.value == nil)
      #expect(await second.value == nil)
      #expect(arrived == sent + [1, 2, 3])
      // With nothing left to send, readiness to write must not wake the loop.
      try pty.send("x")
      await bench.until { $0.received == [0x78] }
      await bench.port.stop()
    }
  }

  @Test func aWriteToAPortThatIsNotOpenFails() throws {
    try onLoop { loop in
      let pty = try PseudoTerminal()
      let bench = PortBench(loop, SerialOptions(path: pty.path))
      #expect(await Self.outcome([1], on: bench.port) == .notOpen)
      await bench.start()
      await bench.port.stop()
      #expect(await Self.outcome([1], on: bench.port) == .notOpen)
    }
  }

  @Test func aWriteWithoutRoomTimesOutAndTheNextGoesOn() throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.room = 3
      let opener = ScriptedOpener([.success(stream)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      #expect(await Self.outcome([1, 2, 3, 4], on: bench.port) == .timedOut)
      #expect(stream.written == [1, 2, 3])
      stream.room = .max
      #expect(await Self.outcome([5], on: bench.port) == nil)
      #expect(stream.written == [1, 2, 3, 5])
      #expect(await bench.port.status.bytesSent == 4)
      await bench.port.stop()
    }
  }

  /// Progress again and again must not put the end off.
  @Test func aWriteThatCreepsTimesOutToo() throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.creeps = true
      let opener = ScriptedOpener([.success(stream)])
      var timing = PortBench.quick
      timing.writeTimeout = .milliseconds(5)
      let bench = PortBench(loop, Self.options, timing: timing, open: opener.open)
      await bench.start()
      #expect(await Self.outcome([UInt8](repeating: 7, count: 65_536), on: bench.port) == .timedOut)
      #expect(stream.written.count > 1)
      await bench.port.stop()
    }
  }

  @Test func moreThanTheLimitIsRefusedAtOnce() throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.room = 0
      let opener = ScriptedOpener([.success(stream)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      let first = Task(executorPreference: loop) {
        await Self.outcome([UInt8](repeating: 0, count: 65_536), on: bench.port)
      }
      await Task.yield()
      #expect(await Self.outcome([1], on: bench.port) == .bufferFull)
      #expect(await first.value == .timedOut)
      await bench.port.stop()
    }
  }

  struct Ending: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let code: PortError.Code
    let happen: @Sendable (PortBench, ScriptedStream) async -> Void
  }

  @Test(arguments: [
    Ending(testDescription: "the port is lost", code: .gone) { bench, stream in
      stream.add(.failure(PortError(code: .gone, message: "hung up")))
      await bench.until { $0.losses.count == 1 }
    },
    Ending(testDescription: "a later write finds it lost", code: .gone) { bench, stream in
      stream.writeError = PortError(code: .gone, message: "hung up")
      stream.room = 1
      await bench.until { $0.losses.count == 1 }
    },
    Ending(testDescription: "the driver promises room it has not", code: .failed) { bench, stream in
      stream.promisesRoom = true
      stream.room = 1
      await bench.until { $0.losses.count == 1 }
    },
    Ending(testDescription: "the port is stopped", code: .notOpen) { bench, _ in await bench.port.stop() },
  ])
  func aWriteThatWaitsFailsWhen(_ ending: Ending) throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.room = 0
      let opener = ScriptedOpener([.success(stream), .failure(SerialPortFailureTests.absent)])
      var timing = PortBench.quick
      timing.writeTimeout = .seconds(20)
      let bench = PortBench(loop, Self.options, timing: timing, open: opener.open)
      await bench.start()
      let writing = Task(executorPreference: loop) { await Self.outcome([1, 2], on: bench.port) }
      await Task.yield()
      await ending.happen(bench, stream)
      #expect(await writing.value == ending.code)
      await bench.port.stop()
    }
  }

  @Test func aWriteThatFindsTheLineGoneFails() throws {
    try onLoop { loop in
      let stream = ScriptedStream(Self.options)
      stream.writeError = PortError(code: .gone, message: "hung up")
      let opener = ScriptedOpener([.success(stream), .failure(SerialPortFailureTests.absent)])
      let bench = PortBench(loop, Self.options, open: opener.open)
      await bench.start()
      #expect(await Self.outcome([1], on: bench.port) == .gone)
      #expect(bench.losses.count == 1)
      await bench.port.stop()
    }
  }
}
