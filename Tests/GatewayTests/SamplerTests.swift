import Configuration
import EventLoop
import Foundation
import Hardware
import Queue
import Sensors
import Synchronization
import Telemetry
import Testing

@testable import Gateway

/// A port that is a pseudo-terminal, with sensors that change while it is open.
@Suite struct SamplerTests {
  private static let disk = BlockingPool(name: "sampler-tests", threads: 1)

  private final class Published: Sendable {
    let list = Mutex<[String]>([])
  }

  private final class Bench: Sendable {
    let loop: EventLoop
    let line: FarEnd
    let queues: [TelemetryQueue]
    let recorders: [Recorder]
    let sampler: Sampler
    let pool = BlockingPool(name: "sampler-ports", threads: 2)
    let published = Published()

    init(_ loop: EventLoop, _ directory: String, _ sensors: [SensorOptions], of devices: [Int]) async throws {
      self.loop = loop
      line = try FarEnd()
      var queues: [TelemetryQueue] = []
      for name in ["gateway", "pump"] {
        queues.append(
          await TelemetryQueue.open(
            device: name, hotDirectory: "\(directory)/hot", stateDirectory: directory, options: QueueOptions(),
            loop: loop, disk: disk, log: quietLog))
      }
      self.queues = queues
      let recorders = queues.map { Recorder(on: loop, queue: $0, floor: nil, log: quietLog) }
      self.recorders = recorders
      sampler = Sampler(
        on: loop, port: "meters", sensors: sensors,
        recorders: devices.map { recorders[$0] }, log: quietLog,
        publish: { [published] _, readings in
          published.list.withLock { $0 += readings.map { "\($0.key.name) \($0.value)" } }
        })
    }

    func use(_ sensors: [SensorOptions], of devices: [Int]) async {
      await sampler.use(
        sensors: sensors, recorders: devices.map { recorders[$0] })
    }

    func open() async throws {
      await sampler.start(SerialOptions(path: line.path), pool: pool)
      try await loop.eventually("the port is open") { await self.sampler.portStatus?.state == .open }
      // What comes first may be the end of a line.
      line.send("\n")
      try await loop.eventually("it is read") { await self.sampler.portStatus?.bytesReceived == 1 }
    }

    /// What a device's queue holds.
    func records(_ device: Int) async -> [String] {
      let batch = await queues[device].nextBatch(maxRecords: 1000, maxBytes: 1 << 20)
      return batch?.records.map { String(decoding: $0.payload, as: UTF8.self) } ?? []
    }

    func close() async {
      await sampler.stop()
      for queue in queues { await queue.close() }
    }
  }

  fileprivate static func sensors(_ text: String) throws -> [SensorOptions] {
    let file = "server: {url: http://127.0.0.1:8080}\ndevice: {token: A1}\nports: {meters: {path: /dev/x}}\n"
    switch GatewayConfiguration.load(Array((file + "sensors:\n" + text).utf8), file: "f", in: Surroundings()) {
    case .success(let configuration): return configuration.sensors
    case .failure(let errors):
      Issue.record("\(errors.lines)")
      return []
    }
  }

  private static func line(_ name: String, _ template: String, _ more: String = "") -> String {
    "  \(name): {port: meters, protocol: line, template: \"\(template)\"\(more)}\n"
  }

  private static func onBench(
    _ sensors: [SensorOptions], of devices: [Int], _ body: @escaping @Sendable (Bench) async throws -> Void
  ) throws {
    try CallRig.inDirectory { directory in
      try CallRig.run { loop in
        let bench = try await Bench(loop, directory, sensors, of: devices)
        try await bench.open()
        try await body(bench)
        await bench.close()
      }
    }
  }

  @Test func readingsGoToTheDeviceOfTheirSensor() throws {
    let sensors = try Self.sensors(Self.line("a", "A={ax}") + Self.line("b", "B={bx}"))
    try Self.onBench(sensors, of: [0, 1]) { bench in
      bench.line.send("A=1\nB=2\nA=3\n")
      try await bench.loop.eventually("all are there") { await bench.records(0).count == 2 }
      #expect(await bench.records(0).map { $0.contains("ax") } == [true, true])
      #expect(await bench.records(1).map { $0.contains("bx") } == [true])
      // Now all are the gateway's.
      await bench.use(sensors, of: [0, 0])
      bench.line.send("B=4\n")
      try await bench.loop.eventually("it is there") { await bench.records(0).count == 3 }
      #expect(await bench.records(1).count == 1)
      #expect(await bench.sampler.sensors.map(\.samples) == [2, 2])
    }
  }

  @Test func aLineUnderWayIsNotLostAndThePortStaysOpen() throws {
    let before = try Self.sensors(Self.line("a", "A={ax}") + Self.line("b", "B={bx}"))
    let after = try Self.sensors(Self.line("b", "B={bx}") + Self.line("c", "A={cy}"))
    try Self.onBench(before, of: [0, 0]) { bench in
      bench.line.send("B=1\nA=2")
      try await bench.loop.eventually("it has come") { await bench.sampler.portStatus?.bytesReceived == 8 }
      await bench.use(after, of: [0, 0])
      bench.line.send("5\n")
      try await bench.loop.eventually("both are there") { await bench.records(0).count == 2 }
      #expect(await bench.records(0).last?.contains("\"cy\":25") == true)
      let sensors = await bench.sampler.sensors
      #expect(sensors.map(\.name) == ["b", "c"] && sensors.map(\.samples) == [1, 1])
      #expect(sensors[0].latest.map(\.key.name) == ["bx"])
      #expect(await bench.sampler.portStatus?.reopenCount == 0)
    }
  }

  @Test func ofASensorThatIsAnotherTheCountersStayAndItsValuesIfItSendsThem() throws {
    let before = try Self.sensors(Self.line("a", "A={ax} {ay}"))
    let after = try Self.sensors(Self.line("a", "A={ax} {az}", ", stale_after: 60s"))
    try Self.onBench(before, of: [0]) { bench in
      bench.line.send("A=1 2\n")
      try await bench.loop.eventually("it is there") { await bench.records(0).count == 1 }
      await bench.use(after, of: [0])
      let sensor = await bench.sampler.sensors[0]
      #expect(sensor.samples == 1 && sensor.lastTime != nil && sensor.staleAfter == .seconds(60))
      #expect(sensor.latest.map(\.key.name) == ["ax"])
      await bench.use([], of: [])
      bench.line.send("A=1 2\n")
      try await bench.loop.eventually("it is read") { (await bench.sampler.portStatus?.bytesReceived ?? 0) == 13 }
      #expect(await bench.sampler.sensors.isEmpty)
      #expect(await bench.records(0).count == 1)
    }
  }

  @Test func aStaleSensorIsToldAndItsPortOpenedAgain() throws {
    let sensors = try Self.sensors(Self.line("a", "A={ax}", ", stale_after: 1s") + Self.line("b", "B={bx}"))
    try Self.onBench(sensors, of: [0, 0]) { bench in
      #expect(bench.published.list.withLock { $0 } == ["a.stale bool(false)"])
      try await bench.loop.eventually("it is told") {
        bench.published.list.withLock { $0.last } == "a.stale bool(true)"
      }
      try await bench.loop.eventually("it is open again") {
        let port = await bench.sampler.portStatus
        return port?.reopenCount == 1 && port?.state == .open
      }
      bench.line.send("\nA=1\n")
      try await bench.loop.eventually("it is fresh") {
        bench.published.list.withLock { $0.last } == "a.stale bool(false)"
      }
    }
  }

  @Test func aSensorMayReportAttributes() throws {
    let sensors = try Self.sensors(
      Self.line("a", "A={ax:int}", ", report: attribute") + Self.line("b", "B={bx}"))
    try Self.onBench(sensors, of: [0, 0]) { bench in
      bench.line.send("A=7\nB=2\n")
      try await bench.loop.eventually("both are there") { await bench.records(0).count == 1 }
      #expect(bench.published.list.withLock { $0 } == ["ax long(7)"])
      #expect(await bench.sampler.sensors.map(\.samples) == [1, 1])
    }
  }

  @Test func theLineOfThePortIsOpenedAgainOnlyWhereItDiffers() throws {
    try Self.onBench(try Self.sensors(Self.line("a", "A={ax}")), of: [0]) { bench in
      var options = SerialOptions(path: bench.line.path)
      options.silent = [RecoveryStep(after: .seconds(60), run: "reopen")]
      await bench.sampler.use(options)
      #expect(await bench.sampler.portStatus?.state == .open)
      #expect(await bench.sampler.portStatus?.reopenCount == 0)
      options.baud = 19_200
      await bench.sampler.use(options)
      try await bench.loop.eventually("it is open again") {
        let status = await bench.sampler.portStatus
        return status?.state == .open && status?.reopenCount == 1
      }
      bench.line.send("\nA=1\n")
      try await bench.loop.eventually("it is read") { await bench.records(0).count == 1 }
    }
  }
}

/// The sensors of a port that are asked, rarely.
@Suite struct BusSamplerTests {
  @Test func whatWasDueWhileThePortWasClosedIsMadeUpFor() throws {
    let line = try FarEnd()
    let sensors = try SamplerTests.sensors(
      "  m: {port: meters, protocol: modbus_rtu, unit: 1, interval: 1h, registers: {v: {input: 0}}}\n")
    try CallRig.run { loop in
      let sampler = Sampler(on: loop, port: "meters", sensors: sensors, recorders: [], log: quietLog)
      // The port opens on another thread, so that the first question has to wait for it.
      await sampler.start(SerialOptions(path: line.path), pool: BlockingPool(name: "bus-sampler", threads: 1))
      try await loop.eventually("it is asked") { line.received() }
      await sampler.stop()
    }
  }

  @Test func aStopLeavesNobodyWaiting() throws {
    let line = try FarEnd()
    let sensors = try SamplerTests.sensors(
      "  m: {port: meters, protocol: modbus_rtu, unit: 1, interval: 1h, registers: {v: {input: 0}}}\n")
    try CallRig.run { loop in
      let sampler = Sampler(on: loop, port: "meters", sensors: sensors, recorders: [], log: quietLog)
      await sampler.start(SerialOptions(path: line.path), pool: BlockingPool(name: "bus-sampler", threads: 1))
      try await loop.eventually("it is asked") { line.received() }
      let asking = Task(executorPreference: loop) { try? await sampler.readNow("m") }
      await sampler.stop()
      #expect(await asking.value == nil)
      // Nor does the cycle that was cut off seem to be under way for ever.
      await #expect(throws: CommandError.self) { try await sampler.readNow("m") }
    }
  }

  @Test func sensorsOfFilesThatWereNotStartedAreNotReadNow() throws {
    let sensors = try SamplerTests.sensors("  t: {protocol: thermal, zone: cpu-thermal}\n")
    try CallRig.run { loop in
      let files = FileSampler(
        on: loop, sensors, recorders: [], pool: BlockingPool(name: "file-sampler", threads: 1), log: quietLog,
        publish: { _, _ in })
      #expect(await files.readNow("t")?.isEmpty == true)
    }
  }

  /// A sensor that reads when it is let; counts how many were made.
  private struct Gated: FileSensor {
    let gate: DispatchSemaphore
    let value: Key

    mutating func read(as sensor: Int, into output: inout DecoderOutput) {
      gate.wait()
      output.samples.append((sensor, Sample(time: .now(), readings: [Reading(value, .long(7))])))
    }
  }

  @Test func aReloadLeavesASensorThatHangsAsItIs() throws {
    let hung = try SamplerTests.sensors("  t: {protocol: thermal, zone: cpu-thermal, interval: 1h}\n")
    let both = try SamplerTests.sensors(
      "  u: {protocol: thermal, prefix: true, zone: other, interval: 1h}\n"
        + "  t: {protocol: thermal, zone: cpu-thermal, interval: 1h}\n")
    let gate = DispatchSemaphore(value: 0)
    let made = Mutex<[String]>([])
    let key = try Key("temperature")
    try CallRig.run { loop in
      let files = FileSampler(
        on: loop, hung, recorders: [], pool: BlockingPool(name: "file-sampler", threads: 8), log: quietLog,
        publish: { _, _ in },
        makeReader: { options in
          made.withLock { $0.append(options.name) }
          return Gated(gate: gate, value: key)
        })
      try await files.start()
      for sensors in [both, hung, both] { await files.use(sensors, recorders: []) }
      #expect(made.withLock { $0.filter { $0 == "t" } } == ["t"])
      // One for each that was begun: "t" once, "u" twice.
      for _ in 0..<3 { gate.signal() }
      try await loop.eventually("it is there, under its new place") {
        await files.sensors.map(\.samples) == [1, 1]
      }
      await files.stop()
    }
  }
}

/// The other end of a pseudo-terminal. @unchecked: the descriptor does not change.
private final class FarEnd: @unchecked Sendable {
  private let master: CInt
  let path: String

  init() throws {
    var (master, slave): (CInt, CInt) = (-1, -1)
    var name = [CChar](repeating: 0, count: 64)
    try check("openpty") { openpty(&master, &slave, &name, nil, nil) }
    close(slave)
    self.master = master
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { close(master) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(write(master, bytes, bytes.count) == bytes.count)
  }

  /// Whether anything has come.
  func received() -> Bool {
    var entry = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLIN) != 0
  }
}
