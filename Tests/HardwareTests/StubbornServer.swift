import EventLoop
import Foundation
import Testing

/// A serial server on 127.0.0.1 that does what the test tells it to, and never more.
final class StubbornServer: @unchecked Sendable {
  // @unchecked: each test uses its own, one step after the other.
  let port: UInt16
  private var listener: CInt
  private var clients: [CInt] = []

  /// - Parameter backlog: How many clients may wait to be accepted.
  init(backlog: CInt = 16) throws {
    listener = try check("socket") { socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0) }
    var address = Self.address(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = listener
    try check("bind") { Self.with(&address) { bind(descriptor, $0, length) } }
    try check("listen") { listen(descriptor, backlog) }
    try check("getsockname") { Self.with(&address) { getsockname(descriptor, $0, &length) } }
    port = UInt16(bigEndian: address.sin_port)
  }

  deinit {
    for client in clients { close(client) }
    stop()
  }

  /// Listens no more: who comes is refused.
  func stop() {
    if listener >= 0 { close(listener) }
    listener = -1
  }

  /// Waits for a client; -1 after 10 s.
  func accepted() -> CInt {
    guard isReadable(listener) else { return -1 }
    let client = accept(listener, nil, nil)
    clients.append(client)
    return client
  }

  /// Ends a connection, in order or with a reset.
  func end(_ client: CInt, reset: Bool = false) {
    if reset {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(client, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
    clients.removeAll { $0 == client }
    close(client)
  }

  /// Fills the queue of clients that wait, so that the kernel answers nobody who comes after: as if packets vanished.
  ///
  /// Source: listen(2), tcp(7), `tcp_abort_on_overflow`.
  func fillQueue() throws {
    for _ in 0..<4 {
      let client = try check("socket") {
        socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
      }
      var address = Self.address(port)
      _ = Self.with(&address) { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      clients.append(client)
    }
    // The first is in the queue as soon as it is connected.
    var entry = pollfd(fd: clients[0], events: Int16(POLLOUT), revents: 0)
    try #require(poll(&entry, 1, 10_000) == 1)
  }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private static func with(
    _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> CInt
  ) -> CInt {
    withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
  }
}
