internal import Foundation

/// The server's own connections, found among the process's descriptors: the HTTP package does not hand them out.
struct ServerSockets {
  let port: UInt16

  /// Ends every connection at once; answers under way fail.
  func shutDownConnections() {
    for socket in connections() { shutdown(socket.descriptor, CInt(SHUT_RDWR)) }
  }

  /// Ends the connection of this peer.
  func shutDownConnection(from peerPort: UInt16) {
    for socket in connections() where socket.peerPort == peerPort { shutdown(socket.descriptor, CInt(SHUT_RDWR)) }
  }

  /// Resets the connection of this peer: it gets an RST at once, and the descriptor stays its owner's to close.
  ///
  /// - Source: connect(2): `AF_UNSPEC` dissolves the association; tcp_disconnect() in the kernel sends the reset.
  func resetConnection(from peerPort: UInt16) {
    var nowhere = sockaddr()
    nowhere.sa_family = sa_family_t(AF_UNSPEC)
    for socket in connections() where socket.peerPort == peerPort {
      _ = connect(socket.descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
  }

  /// Sends bytes past the HTTP package, as many as the socket takes at once.
  func send(_ bytes: [UInt8], to peerPort: UInt16) {
    for socket in connections() where socket.peerPort == peerPort {
      _ = Glibc.send(socket.descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }
  }

  /// Keeps the listening socket out of child processes and small answers from waiting for an acknowledgement; accepted
  /// sockets inherit the latter (tcp(7)).
  func prepareListener() {
    for descriptor in descriptors() where localPort(of: descriptor) == port && peerPort(of: descriptor) == nil {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      var on: CInt = 1
      setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }
  }

  private func connections() -> [(descriptor: CInt, peerPort: UInt16)] {
    descriptors().compactMap { descriptor in
      guard localPort(of: descriptor) == port, let peer = peerPort(of: descriptor) else { return nil }
      return (descriptor, peer)
    }
  }

  private func descriptors() -> [CInt] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { CInt($0) }
  }

  private func localPort(of descriptor: CInt) -> UInt16? { Self.port { getsockname(descriptor, $0, $1) } }
  private func peerPort(of descriptor: CInt) -> UInt16? { Self.port { getpeername(descriptor, $0, $1) } }

  private static func port(
    _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
  ) -> UInt16? {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, &length) }
    }
    guard result == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
    return UInt16(bigEndian: address.sin_port)
  }
}
