import EventLoop
import Foundation
import Logging
import Queue
import Synchronization
import Telemetry
import Testing
import ThingsBoard

@testable import Gateway

@Suite struct UplinkMachineOptionsTests {
  private static let tooLarge = DeviceAPIError(.tooLarge, "refuses the size", status: 413)

  @Test func othersCountFromTheNextRequestOn() {
    var machine = UplinkStateMachine(maxRecords: 500, maxBytes: 100_000)
    machine.use(maxRecords: 900, maxBytes: 200_000)
    #expect(machine.nextRequest() == .init(records: 900, bytes: 200_000))
    machine.use(maxRecords: 10, maxBytes: 2000)
    #expect(machine.nextRequest() == .init(records: 10, bytes: 2000))
    machine.use(maxRecords: 0, maxBytes: 2000)
    #expect(machine.nextRequest().records == 1)
  }

  @Test func whatTheServerDoesNotTakeStaysKnown() {
    var machine = UplinkStateMachine(maxRecords: 500, maxBytes: 100_000)
    var generator = SplitMix(seed: 1)
    let request = machine.nextRequest()
    #expect(machine.failed(Self.tooLarge, request, records: 500, bytes: 80_000, using: &generator) == .again)
    #expect(machine.nextRequest().bytes == 40_000)
    machine.use(maxRecords: 600, maxBytes: 200_000)
    #expect(machine.nextRequest() == .init(records: 600, bytes: 40_000), "larger than was learned")
    machine.use(maxRecords: 600, maxBytes: 30_000)
    #expect(machine.nextRequest().bytes == 30_000, "smaller than was learned")
  }

  @Test func aSmallerBatchThatWasLearnedGrowsToTheNewLimit() {
    var machine = UplinkStateMachine(maxRecords: 512, maxBytes: 100_000)
    var generator = SplitMix(seed: 1)
    let empty = DeviceAPIError(.serverError, "answered 500 without a word", status: 500)
    for _ in 0..<UplinkStateMachine.patience {
      _ = machine.failed(empty, machine.nextRequest(), records: 512, bytes: 1000, using: &generator)
    }
    #expect(machine.nextRequest().records == 256)
    machine.use(maxRecords: 1000, maxBytes: 100_000)
    #expect(machine.nextRequest().records == 256)
    for _ in 0..<3 { _ = machine.succeeded(machine.nextRequest(), records: 256) }
    #expect(machine.nextRequest().records == 1000)
  }

  @Test func aSearchForOneAtFaultKeepsWithinASmallerBatch() {
    var machine = UplinkStateMachine(maxRecords: 512, maxBytes: 100_000)
    var generator = SplitMix(seed: 1)
    _ = machine.failed(.poisoned, machine.nextRequest(), records: 512, bytes: 1000, using: &generator)
    machine.use(maxRecords: 5, maxBytes: 100_000)
    #expect(machine.nextRequest().records == 5)
  }
}

@Suite struct UplinkOptionsTests {
  private static let disk = BlockingPool(name: "uplink-options", threads: 1)

  private static func options(_ interval: Duration, maxBatch: Int = 500) -> Uplink.Options {
    Uplink.Options(interval: interval, maxBatch: maxBatch, maxBytes: 100_000, server: "http://server")
  }

  private static func append(_ value: Int, to queue: TelemetryQueue) async {
    await queue.append([
      PendingRecord(timestamp: Int64(value), boottime: 1, payload: Array("{\"n\":\(value).0}".utf8))
    ])
  }

  private static func onUplink(
    _ options: Uplink.Options, _ body: @escaping @Sendable (Uplink, TelemetryQueue, CountingAPI) async throws -> Void
  ) throws {
    try CallRig.inDirectory { directory in
      try CallRig.run { loop in
        let queue = await TelemetryQueue.open(
          device: "gateway", hotDirectory: "\(directory)/hot", stateDirectory: directory, options: QueueOptions(),
          loop: loop, disk: disk, log: quietLog)
        let api = CountingAPI()
        let uplink = Uplink(on: loop, queue: queue, api: api, options: options, log: quietLog)
        await queue.setOnAppend { uplink.recordsArrived() }
        try await uplink.start()
        try await body(uplink, queue, api)
        await uplink.stop(within: .seconds(1))
        await queue.close()
      }
    }
  }

  @Test func aShorterIntervalEndsTheWait() throws {
    try Self.onUplink(Self.options(.seconds(3600))) { uplink, queue, api in
      await Self.append(1, to: queue)
      await api.posts.reaches(1)
      await Self.append(2, to: queue)
      await CallRig.settle()
      #expect(api.posts.count == 1, "the interval has not passed")
      await uplink.use(Self.options(.seconds(3600)))
      await CallRig.settle()
      #expect(api.posts.count == 1, "nothing differs")
      await uplink.use(Self.options(.milliseconds(1)))
      await api.posts.reaches(2)
    }
  }

  @Test func aSmallerBatchThatIsFullLeavesAtOnce() throws {
    try Self.onUplink(Self.options(.seconds(3600))) { uplink, queue, api in
      await Self.append(1, to: queue)
      await api.posts.reaches(1)
      for value in 2...5 { await Self.append(value, to: queue) }
      await CallRig.settle()
      #expect(api.posts.count == 1)
      await uplink.use(Self.options(.seconds(3600), maxBatch: 2))
      await api.posts.reaches(3)
      #expect(api.sizes == [1, 2, 2])
    }
  }

  @Test func aPauseAfterAFailureGoesOn() throws {
    try Self.onUplink(Self.options(.milliseconds(100))) { uplink, queue, api in
      api.fail(with: .unknownToken)
      await Self.append(1, to: queue)
      await api.posts.reaches(1)
      await CallRig.settle()
      guard case .backingOff(let until) = await uplink.status.state else {
        Issue.record("it does not pause")
        return
      }
      await uplink.use(Self.options(.milliseconds(200), maxBatch: 7))
      await uplink.use(Self.options(.seconds(60), maxBatch: 7))
      await CallRig.settle()
      #expect(await uplink.status.state == .backingOff(until: until))
      #expect(api.posts.count == 1)
      api.fail(with: nil)
      await uplink.tryNow()
      await api.posts.reaches(2)
    }
  }
}

/// Counts batches; @unchecked: used on one loop.
private final class CountingAPI: DeviceAPI, @unchecked Sendable {
  let posts = Tally()
  private(set) var sizes: [Int] = []
  private var error: DeviceAPIError?

  func fail(with error: DeviceAPIError?) { self.error = error }

  func postTelemetry(_ batch: TelemetryBatch) async throws(DeviceAPIError) {
    posts.add()
    sizes.append(batch.elements.count)
    if let error { throw error }
  }
  func postAttributes(_ attributes: [Reading]) async throws(DeviceAPIError) {}
  func traffic() async -> Traffic { Traffic() }
}
