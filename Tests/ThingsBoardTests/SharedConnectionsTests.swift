import EventLoop
import Telemetry
import Testing

@testable import ThingsBoard

/// Many devices over one pair of clients.
@Suite struct SharedConnectionsTests {
  typealias Reply = ScriptedServer.Reply

  static let batch = HTTPDeviceAPITests.batch

  /// Runs `body` with devices that share connections to a scripted server.
  private func run<Result: Sendable>(
    _ server: ScriptedServer, devices count: Int, timeLimit: Duration = .seconds(30),
    limits: ClientLimits = .posts,
    _ body: @escaping @Sendable ([any DeviceAPI], ServerConnections, EventLoop) async throws -> Result
  ) throws -> Result {
    defer { server.stop() }
    let options = ServerOptions(url: try ServerURL(server.url))
    let loop = try EventLoop()
    return try loop.run {
      let connections = try ServerConnections(on: loop, server: options, timeLimit: timeLimit, postLimits: limits)
      let devices = (0..<count).map { connections.deviceAPI(token: Secret("T\($0)"), deviceName: nil) }
      return try await body(devices, connections, loop)
    }
  }

  private static func post(_ device: any DeviceAPI, on loop: EventLoop) -> Task<DeviceAPIError.Code?, Never> {
    Task(executorPreference: loop) {
      do throws(DeviceAPIError) {
        try await device.postTelemetry(batch)
        return nil
      } catch { return error.code }
    }
  }

  @Test func aDeviceWhoseRequestsHangHoldsUpNoOther() throws {
    let perDevice = ClientLimits.posts.placesPerOwner
    let server = ScriptedServer(Array(repeating: .hang, count: perDevice))
    let (others, hung) = try run(server, devices: 2) { devices, _, loop in
      let hanging = (0..<perDevice + 2).map { _ in Self.post(devices[0], on: loop) }
      while server.requests.count < perDevice { try await loop.sleep(for: .milliseconds(1)) }
      var others: [DeviceAPIError.Code?] = []
      for _ in 0..<3 { others.append(await Self.post(devices[1], on: loop).value) }
      // One of those that wait is given up, then all others.
      hanging[perDevice].cancel()
      var hung = [await hanging[perDevice].value]
      for task in hanging { task.cancel() }
      for task in hanging { hung.append(await task.value) }
      return (others, hung)
    }
    #expect(others == [nil, nil, nil])
    #expect(hung.allSatisfy { $0 == .cancelled })
    #expect(server.requests.count == perDevice + 3, "what waited was never sent")
  }

  @Test func aCallNobodyAnswersHoldsUpNoTelemetryOfItsDevice() throws {
    let perDevice = ClientLimits.posts.placesPerOwner
    let server = ScriptedServer(Array(repeating: .hang, count: perDevice))
    let code = try run(server, devices: 1) { devices, _, loop in
      let calls = (0..<perDevice).map { _ in
        Task(executorPreference: loop) { _ = try? await devices[0].call("m", params: .null) }
      }
      while server.requests.count < perDevice { try await loop.sleep(for: .milliseconds(1)) }
      let code = await Self.post(devices[0], on: loop).value
      for call in calls { call.cancel() }
      return code
    }
    #expect(code == nil)
  }

  @Test func whoWaitedForAPlaceHasItsWholeTimeLimit() throws {
    let server = ScriptedServer([], otherwise: .after(.milliseconds(250), .status(200)))
    var limits = ClientLimits.posts
    limits.places = 1
    let codes = try run(server, devices: 6, timeLimit: .milliseconds(1200), limits: limits) { devices, _, loop in
      let tasks = devices.map { Self.post($0, on: loop) }
      var codes: [DeviceAPIError.Code?] = []
      for task in tasks { codes.append(await task.value) }
      return codes
    }
    #expect(codes == Array(repeating: nil, count: 6))
    #expect(Set(server.requests.map(\.connection)) == [0], "one after the other, on one connection")
  }

  @Test func postsAreBoundedAndKeepFewConnections() throws {
    let server = ScriptedServer([], otherwise: .after(.milliseconds(20), .status(200)))
    var limits = ClientLimits.posts
    limits.places = 4
    limits.idleConnections = 2
    let traffic = try run(server, devices: 40, limits: limits) { devices, connections, loop in
      let tasks = devices.map { Self.post($0, on: loop) }
      for task in tasks { #expect(await task.value == nil) }
      return await connections.traffic()
    }
    #expect(traffic.requests == 40)
    #expect(traffic.connections <= 6)
  }

  @Test func aQueueThatIsFullIsToldApartFromAServerThatIsDown() throws {
    let server = ScriptedServer([.hang])
    var limits = ClientLimits.posts
    limits.places = 1
    limits.longestQueue = 1
    let codes = try run(server, devices: 3, limits: limits) { devices, _, loop in
      let hanging = Self.post(devices[0], on: loop)
      while server.requests.isEmpty { try await loop.sleep(for: .milliseconds(1)) }
      // On the loop in the order of their beginning.
      let (second, third) = (Self.post(devices[1], on: loop), Self.post(devices[2], on: loop))
      let last = await third.value
      hanging.cancel()
      return [await second.value, last]
    }
    #expect(codes == [nil, .unavailable])
  }

  /// Otherwise each would wait for a connection of its own, ten seconds and one after the other.
  @Test func thatTheServerIsGoneIsLearntByAllThatWait() throws {
    let server = ScriptedServer([])
    let url = server.url.replacing("http:", with: "https:")
    server.stop()
    let loop = try EventLoop()
    let (codes, traffic) = try loop.run {
      let connections = try ServerOptions(url: ServerURL(url)).connections(on: loop)
      let tasks = (0..<100).map { index in
        Self.post(connections.deviceAPI(token: Secret("T\(index)"), deviceName: nil), on: loop)
      }
      var codes: [DeviceAPIError.Code?] = []
      for task in tasks { codes.append(await task.value) }
      return (codes, await connections.traffic())
    }
    #expect(codes == Array(repeating: .unreachable, count: 100))
    #expect(traffic.requests < 100)
  }

  @Test func pollsOfManyDevicesHaveAConnectionEachOverPlainHTTP() throws {
    let server = ScriptedServer([], otherwise: .hang)
    let traffic = try run(server, devices: 20) { devices, connections, loop in
      let polls = devices.map { device in
        Task(executorPreference: loop) { _ = try? await device.pollCommand(for: .seconds(25)) }
      }
      while server.requests.count < 20 { try await loop.sleep(for: .milliseconds(1)) }
      let traffic = await connections.traffic()
      for poll in polls { poll.cancel() }
      for poll in polls { await poll.value }
      return traffic
    }
    #expect(traffic.connections == 20)
    #expect(Set(server.requests.map { $0.head.split(separator: "/")[3] }).count == 20)
  }

  @Test func provisioningGoesOverTheSameConnections() throws {
    let server = ScriptedServer([.status(200, body: #"{"status":"SUCCESS","credentialsValue":"NEW"}"#), .status(200)])
    let traffic = try run(server, devices: 1) { devices, connections, _ in
      _ = try await connections.provisioningAPI().provision(
        ProvisionRequest(deviceName: "d", key: Secret("k"), secret: Secret("s"), token: Secret("t")))
      try await devices[0].postTelemetry(Self.batch)
      return await connections.traffic()
    }
    #expect(traffic.connections == 1)
    #expect(traffic.requests == 2)
  }
}
