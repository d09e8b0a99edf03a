import Simulator
import Testing

/// A server with the device `T`, and what tests do with it.
struct ServerBench: Sendable {
  let server: DeviceServer
  let port: UInt16

  /// Longer than any test waits for what has to happen.
  static let patience: Duration = .seconds(20)

  static func run(
    _ options: ServerOptions = ServerOptions(tokens: ["T"]), _ body: (ServerBench) async throws -> Void
  ) async throws {
    let server = DeviceServer(options)
    let port = try await server.start()
    do { try await body(ServerBench(server: server, port: port)) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  func get(_ path: String) async throws -> RawClient.Answer { try await RawClient.ask(port, "GET", path) }

  func post(_ path: String, _ body: String) async throws -> RawClient.Answer {
    try await RawClient.ask(port, "POST", path, body: body)
  }

  /// A poll of commands that ends by itself: it leaves a ghost.
  func endedPoll() async throws { #expect(try await get("/api/v1/T/rpc?timeout=1").status == 408) }

  /// Opens a long poll and waits until the server has it.
  func openPoll(_ path: String = "rpc") async throws -> RawClient {
    let kind: RequestKind = path == "rpc" ? .pollCommands : .pollAttributes
    let before = server.openPolls(kind)
    let client = try RawClient(port: port)
    client.send("GET", "/api/v1/T/\(path)?timeout=20000")
    let server = server
    #expect(await server.wait(upTo: Self.patience) { server.openPolls(kind) == before + 1 })
    return client
  }
}
