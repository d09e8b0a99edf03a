internal import FlyingFox
internal import Foundation
internal import Synchronization

/// ThingsBoard's HTTP device API on loopback, as contract.md describes the real server: for tests, benchmarks and the demo.
///
/// It keeps what it stores in memory. Answers, value types and silent losses are the server's; faults can be put in force,
/// and ``cutOff()`` takes the server away as a pulled cable would.
public final class DeviceServer: Sendable {
  public let options: ServerOptions
  let state: Mutex<ServerState>
  private let life = Mutex(Life())
  private let tally = ConnectionTally()

  private struct Life {
    var port: UInt16?
    var listener: Listener?
  }

  private struct Listener {
    var http: HTTPServer
    var running: Task<Void, any Error>
  }

  public init(_ options: ServerOptions = ServerOptions()) {
    self.options = options
    state = Mutex(ServerState(options))
  }

  /// Changes the state, then resumes who waits for that.
  func update<Result: Sendable>(_ body: (inout ServerState, inout Wakeups) -> Result) -> Result {
    let (result, wakeups) = state.withLock { state -> (Result, Wakeups) in
      var wakeups = Wakeups()
      let result = body(&state, &wakeups)
      wakeups.waiters = state.announceChange()
      return (result, wakeups)
    }
    wakeups.resume()
    return result
  }

  /// The port it listens on, or did before it was cut off.
  public var port: UInt16? { life.withLock { $0.port } }

  /// The server's base URL for a configuration, `http://127.0.0.1:PORT`; port 0 before the first start.
  public var url: String { "http://127.0.0.1:\(port ?? 0)" }

  /// Over all starts.
  public var connections: ConnectionCounts { tally.counts }

  public var isListening: Bool { life.withLock { $0.listener != nil } }

  /// Listens on 127.0.0.1.
  ///
  /// - Parameter port: 0 takes a free one.
  /// - Returns: The port.
  /// - Throws: ``ServerError``.
  @discardableResult
  public func start(port: UInt16 = 0) async throws(ServerError) -> UInt16 {
    guard port == 0 else { return try await listen(on: port) }
    for _ in 0..<Self.portAttempts {
      do throws(ServerError) { return try await listen(on: .random(in: Self.ports)) } catch {
        if case .cannotListen = error { continue }
        throw error
      }
    }
    return try await listen(on: 0)
  }

  private func listen(on port: UInt16) async throws(ServerError) -> UInt16 {
    guard !isListening else { throw .alreadyListening }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var configuration = HTTPServer.Configuration(address: address, timeout: Self.handlerLimit, logger: tally)
    // Read smaller bodies in one piece, and the rest of a refused one so that the connection can go on.
    configuration.sharedRequestBufferSize = 64 << 10
    configuration.sharedRequestReplaySize = Self.drainLimit
    let http = HTTPServer(config: configuration, handler: ClosureHTTPHandler { [self] in try await respond(to: $0) })
    let listening = Task { try await http.waitUntilListening(timeout: Self.startLimit) }
    let running = Task {
      do { try await http.run() } catch {
        listening.cancel()
        throw error
      }
    }
    do { try await listening.value } catch {
      running.cancel()
      let reason = await running.result
      if case .failure(let cause) = reason { throw .cannotListen(port: port, reason: "\(cause)") }
      throw .cannotListen(port: port, reason: "\(error)")
    }
    guard case .ip4(_, let granted) = await http.listeningAddress else {
      running.cancel()
      throw .cannotListen(port: port, reason: "no address")
    }
    ServerSockets(port: granted).prepareListener()
    life.withLock {
      $0.port = granted
      $0.listener = Listener(http: http, running: running)
    }
    return granted
  }

  /// Closes the listening socket and drops every connection at once, also in the middle of an answer. What is stored stays.
  public func cutOff() async {
    let (listener, port) = life.withLock { life in
      defer { life.listener = nil }
      return (life.listener, life.port)
    }
    guard let listener, let port else { return }
    ServerSockets(port: port).shutDownConnections()
    await listener.http.stop(timeout: 0)
    listener.running.cancel()
    _ = await listener.running.result
    // Those accepted meanwhile have nobody who would ever answer them.
    ServerSockets(port: port).shutDownConnections()
  }

  /// Listens again on the port it had.
  ///
  /// - Throws: ``ServerError``, when another process took the port meanwhile or it was never started.
  public func bringBack() async throws(ServerError) {
    guard let port else { throw .neverStarted }
    try await start(port: port)
  }

  /// Ends the server; ``start(port:)`` may follow.
  public func stop() async { await cutOff() }

  /// Drops the open connections and goes on listening. Polls that were open on them stay open for the server, as for the
  /// real one: the next command counts as delivered to them.
  public func dropConnections() {
    guard let port, isListening else { return }
    ServerSockets(port: port).shutDownConnections()
  }

  /// Free ports are taken below those the kernel gives to clients: a client that tries to reach a server that was cut off
  /// could otherwise be given the very port, and be connected to itself (simultaneous open, RFC 9293 section 3.5).
  private static let ports: ClosedRange<UInt16> = 20_000...32_000
  private static let portAttempts = 20
  /// The HTTP package's own limit on a handler: none, in effect.
  private static let handlerLimit: TimeInterval = 86_400
  /// Seconds until a server that does not listen is given up.
  private static let startLimit: TimeInterval = 10
  /// Bytes of a refused body that are read and dropped; beyond, the connection is closed.
  private static let drainLimit = 64 << 20
}

/// Why the server does not listen.
public enum ServerError: Error, Sendable, Hashable, CustomStringConvertible {
  case alreadyListening
  case neverStarted
  case cannotListen(port: UInt16, reason: String)

  public var description: String {
    switch self {
    case .alreadyListening: "the server listens already"
    case .neverStarted: "the server was never started"
    case .cannotListen(let port, let reason): "cannot listen on 127.0.0.1:\(port): \(reason)"
    }
  }
}
