import Glibc
import Synchronization

/// A server that does what it is told, byte by byte: what no well-behaved one can be made to do.
final class ScriptedServer: Sendable {
  indirect enum Reply: Sendable {
    /// These bytes as they are; the connection stays.
    case bytes(String)
    /// A plain answer with a matching length.
    case status(Int, body: String, headers: [String])
    /// These bytes, then the end of the connection.
    case bytesThenClose(String)
    /// A 200 with this body, whatever its bytes.
    case body([UInt8])
    /// These bytes, then a reset (RST).
    case bytesThenReset(String)
    /// Nothing for so long, then the reply: a poll that was waited for.
    case after(Duration, Reply)
    /// A reset (RST) instead of an answer.
    case reset
    /// Nothing, until the server stops.
    case hang

    static func status(_ code: Int, body: String = "") -> Reply { .status(code, body: body, headers: []) }
  }

  struct Request: Sendable, Equatable {
    var head: String
    var body: String
    /// Counts from 0 in the order in which connections were accepted.
    var connection: Int
  }

  private struct State {
    var script: [Reply] = []
    var requests: [Request] = []
    var connections = 0
    /// Open ones alone: a number may belong to somebody else as soon as it is closed.
    var descriptors: Set<CInt> = []
    var isStopped = false
    var isAccepting = true
  }

  private let state = Mutex(State())
  private let listener: CInt
  private let otherwise: Reply
  let port: UInt16

  /// Answers the requests with these replies in turn, and all further ones with the last argument.
  init(_ script: [Reply], otherwise: Reply = .status(200), isIPv6: Bool = false) {
    self.otherwise = otherwise
    listener = socket(isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    port = isIPv6 ? Self.listenOnIPv6(listener) : Self.listenOnIPv4(listener)
    state.withLock { $0.script = script }
    Self.onThread { self.acceptAll() }
  }

  private static func listenOnIPv4(_ listener: CInt) -> UInt16 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    listen(listener, on: &address)
    return UInt16(bigEndian: address.sin_port)
  }

  private static func listenOnIPv6(_ listener: CInt) -> UInt16 {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    listen(listener, on: &address)
    return UInt16(bigEndian: address.sin6_port)
  }

  /// Fills in the port it got.
  private static func listen<Address>(_ listener: CInt, on address: inout Address) {
    var length = socklen_t(MemoryLayout<Address>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        precondition(bind(listener, generic, length) == 0 && Glibc.listen(listener, 16) == 0)
        getsockname(listener, generic, &length)
      }
    }
  }

  var requests: [Request] { state.withLock { $0.requests } }
  var url: String { "http://127.0.0.1:\(port)" }

  func stop() {
    state.withLock { state in
      state.isStopped = true
      for descriptor in state.descriptors { shutdown(descriptor, CInt(SHUT_RDWR)) }
    }
    shutdown(listener, CInt(SHUT_RDWR))
    // The number may be another server's listener once it is closed, so nobody may be accepting on it.
    while state.withLock({ $0.isAccepting }) { sched_yield() }
    close(listener)
  }

  private func acceptAll() {
    while true {
      let descriptor = accept(listener, nil, nil)
      guard descriptor >= 0 else { break }
      let number: Int? = state.withLock { state in
        guard !state.isStopped else { return nil }
        state.descriptors.insert(descriptor)
        state.connections += 1
        return state.connections - 1
      }
      guard let number else {
        close(descriptor)
        break
      }
      Self.onThread { self.serve(descriptor, number) }
    }
    state.withLock { $0.isAccepting = false }
  }

  private func end(_ descriptor: CInt) {
    state.withLock { state in
      state.descriptors.remove(descriptor)
      close(descriptor)
    }
  }

  private func serve(_ descriptor: CInt, _ number: Int) {
    var buffer: [UInt8] = []
    while let request = Self.readRequest(descriptor, &buffer) {
      let reply = state.withLock { state in
        state.requests.append(Request(head: request.head, body: request.body, connection: number))
        return state.script.isEmpty ? otherwise : state.script.removeFirst()
      }
      guard carryOut(reply, descriptor) else { break }
    }
    end(descriptor)
  }

  /// - Returns: Whether the connection stays.
  private func carryOut(_ reply: Reply, _ descriptor: CInt) -> Bool {
    switch reply {
    case .bytes(let text):
      Self.send(descriptor, Array(text.utf8))
      return true
    case .status(let code, let body, let headers):
      let lines = ["HTTP/1.1 \(code) Words", "Content-Length: \(body.utf8.count)"] + headers
      Self.send(descriptor, Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))
      return true
    case .body(let body):
      Self.send(descriptor, Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
      return true
    case .bytesThenClose(let text):
      Self.send(descriptor, Array(text.utf8))
      return false
    case .bytesThenReset(let text):
      Self.send(descriptor, Array(text.utf8))
      // What the client has not read yet would go with the reset, so that it is seen to have arrived first.
      var waiting: CInt = 1
      while ioctl(descriptor, UInt(TIOCOUTQ), &waiting) == 0, waiting > 0 { sched_yield() }
      return carryOut(.reset, descriptor)
    case .after(let delay, let reply):
      usleep(UInt32(delay / .microseconds(1)))
      return carryOut(reply, descriptor)
    case .reset:
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
      return false
    case .hang:
      var byte: UInt8 = 0
      _ = recv(descriptor, &byte, 1, 0)
      return false
    }
  }

  private static func readRequest(_ descriptor: CInt, _ buffer: inout [UInt8]) -> (head: String, body: String)? {
    let end = Array("\r\n\r\n".utf8)
    while true {
      if let start = buffer.indices.first(where: { buffer[$0...].starts(with: end) }) {
        let head = String(decoding: buffer[..<start], as: UTF8.self)
        let length =
          head.split(separator: "\r\n").lazy
          .filter { $0.lowercased().hasPrefix("content-length:") }
          .compactMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) }.first ?? 0
        let bodyStart = start + end.count
        if buffer.count >= bodyStart + length {
          let body = String(decoding: buffer[bodyStart..<bodyStart + length], as: UTF8.self)
          buffer.removeFirst(bodyStart + length)
          return (head, body)
        }
      }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      buffer += chunk.prefix(count)
    }
  }

  private static func send(_ descriptor: CInt, _ bytes: [UInt8]) {
    _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
  }

  private static func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
  }
}
