import EventLoop
import Testing

@testable import ThingsBoard

/// What a call came to: a value, or the error's code.
enum Outcome<Value: Sendable & Equatable>: Sendable, Equatable {
  case value(Value)
  case failure(DeviceAPIError.Code)

  init(_ body: () async throws(DeviceAPIError) -> Value) async {
    do throws(DeviceAPIError) { self = .value(try await body()) } catch { self = .failure(error.code) }
  }
}

/// The error of a call that has to fail.
func failure(_ body: () async throws(DeviceAPIError) -> Void) async -> DeviceAPIError? {
  do throws(DeviceAPIError) {
    try await body()
    return nil
  } catch { return error }
}

/// A client on a loop of its own, in front of a scripted server.
struct Bench {
  static let token = "A1_TEST_TOKEN"

  let server: ScriptedServer
  let loop: EventLoop

  init(_ script: [ScriptedServer.Reply] = [], otherwise: ScriptedServer.Reply = .status(200)) throws {
    server = ScriptedServer(script, otherwise: otherwise)
    loop = try EventLoop()
  }

  /// Runs `body` with the client, then stops the server.
  func run<Result: Sendable>(
    timing: Timing = Timing(), token: String = Self.token,
    _ body: @escaping @Sendable (HTTPDeviceAPI, EventLoop) async throws -> Result
  ) throws -> Result {
    defer { server.stop() }
    let options = ServerOptions(url: try ServerURL(server.url))
    let loop = loop
    return try loop.run {
      try await body(HTTPDeviceAPI(on: loop, server: options, token: Secret(token), timing: timing), loop)
    }
  }

  /// The path and query of each request, behind the token.
  var resources: [String] {
    server.requests.map { request in
      let path = request.head.split(separator: " ").dropFirst().first ?? ""
      return String(path.dropFirst("/api/v1/\(Self.token)/".count))
    }
  }
}
