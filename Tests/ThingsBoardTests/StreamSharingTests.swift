import EventLoop
import Foundation
import Simulator
import Telemetry
import Testing

@testable import ThingsBoard

/// Polls of many devices over HTTP/2, through a real nginx.
@Suite(
  .enabled(
    if: ["/usr/sbin/nginx", "/usr/bin/openssl"].allSatisfy(FileManager.default.isExecutableFile),
    "nginx or openssl is missing: scripts/setup installs them"))
struct StreamSharingTests {
  private static let patience = Duration.seconds(20)

  /// A server behind nginx, and a client with many devices on a loop and a thread of its own: the server's tasks need
  /// the pool this test's thread belongs to.
  private func run<Result: Sendable>(
    streams: Int, http2: Bool = true,
    _ body: @escaping @Sendable (DeviceServer, NginxProxy, ServerConnections, EventLoop) async throws -> Result
  ) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("streams-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let server = DeviceServer()
    try await server.start()
    var options = NginxProxy.Options()
    options.http2 = http2
    options.maxStreams = streams
    let proxy = try await NginxProxy(upstream: server.url, directory: directory, options: options)
    var client = ThingsBoard.ServerOptions(url: try ServerURL(proxy.url))
    client.tls.authorities = proxy.caFile
    let clientOptions = client
    typealias Outcome = Swift.Result<Result, any Error>
    let result = await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
      Thread.detachNewThread {
        continuation.resume(
          returning: Outcome {
            let loop = try EventLoop()
            return try loop.run {
              try await body(server, proxy, try clientOptions.connections(on: loop), loop)
            }
          })
      }
    }
    proxy.stop()
    await server.stop()
    return try result.get()
  }

  private static func poll(_ devices: [any DeviceAPI], on loop: EventLoop) -> [Task<Bool, Never>] {
    devices.flatMap { device in
      [
        Task(executorPreference: loop) { (try? await device.pollCommand(for: .seconds(25))) != nil },
        Task(executorPreference: loop) { (try? await device.pollAttributes(for: .seconds(25))) != nil },
      ]
    }
  }

  private static func devices(_ count: Int, over connections: ServerConnections) -> [any DeviceAPI] {
    (0..<count).map { connections.deviceAPI(token: Secret("T\($0)"), deviceName: nil) }
  }

  private static func isPolled(_ server: DeviceServer, by count: Int) async -> Bool {
    await server.wait(upTo: patience) {
      server.openPolls(.pollCommands) == count && server.openPolls(.pollAttributes) == count
    }
  }

  private static func answer(_ server: DeviceServer, _ devices: Int) {
    for index in 0..<devices {
      server.sendCommand("m", token: "T\(index)", oneWay: true)
      server.setSharedAttributes(#"{"a":1}"#, token: "T\(index)")
    }
  }

  @Test(arguments: [(128, 1), (32, 4)])
  func pollsTakeAsFewConnectionsAsTheServersStreamsAllow(_ streams: Int, _ connections: UInt64) async throws {
    let (polled, answered, before, after) = try await run(streams: streams) { server, _, shared, loop in
      let devices = Self.devices(50, over: shared)
      // All at once, as after an outage.
      let polls = Self.poll(devices, on: loop)
      let polled = await Self.isPolled(server, by: 50)
      let before = await shared.traffic().connections
      // A large answer among many polls: each has a small buffer.
      server.setSharedAttributes(#"{"large":"\#(String(repeating: "x", count: 300_000))"}"#, token: "T7")
      Self.answer(server, 50)
      var answered = 0
      for poll in polls { answered += await poll.value ? 1 : 0 }
      for device in devices.prefix(10) { try await device.postTelemetry(HTTPDeviceAPITests.batch) }
      return (polled, answered, before, await shared.traffic().connections)
    }
    #expect(polled)
    #expect(answered == 100)
    #expect(before == connections)
    #expect(after == connections + 1, "posts have their own")
  }

  @Test func aReloadOfTheProxyLosesNoPollAndNewOnesGoOn() async throws {
    let (opened, reopened, answered) = try await run(streams: 32) { server, proxy, shared, loop in
      let first = Self.poll(Self.devices(20, over: shared), on: loop)
      let opened = await Self.isPolled(server, by: 20)
      try await proxy.reload()
      let second = Self.poll(Self.devices(20, over: shared), on: loop)
      let reopened = await Self.isPolled(server, by: 40)
      Self.answer(server, 20)
      var answered = 0
      for poll in first + second { answered += await poll.value ? 1 : 0 }
      return (opened, reopened, answered)
    }
    #expect(opened)
    #expect(reopened)
    #expect(answered == 80)
  }

  @Test func withoutHTTP2EachPollHasItsConnection() async throws {
    let (polled, connections) = try await run(streams: 0, http2: false) { server, _, shared, loop in
      let devices = Self.devices(10, over: shared)
      // What the server speaks is known from its first answer.
      try await devices[0].postTelemetry(HTTPDeviceAPITests.batch)
      let polls = Self.poll(devices, on: loop)
      let polled = await Self.isPolled(server, by: 10)
      let connections = await shared.traffic().connections
      for poll in polls { poll.cancel() }
      for poll in polls { _ = await poll.value }
      return (polled, connections)
    }
    #expect(polled)
    #expect(connections == 21)
  }
}
