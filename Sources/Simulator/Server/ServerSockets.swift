internal import Foundation

/// The server's own connections, found among the process's descriptors: the HTTP package does not hand them out.
struct ServerSockets {
  let port: UInt16

  /// Ends every connection at once; answers under way fail.
  func shutDownConnections() { forEachConnection { shutdown($0, CInt(SHUT_RDWR)) } }

  /// Ends the connection of this peer.
  func shutDownConnection(from peerPort: UInt16) {
    forEachConnection(from: peerPort) { shutdown($0, CInt(SHUT_RDWR)) }
  }

  /// Resets the connection of this peer: it gets an RST at once, and the descriptor stays its owner's to close.
  ///
  /// - Source: connect(2): `AF_UNSPEC` dissolves the association; tcp_disconnect() in the kernel sends the reset.
  func resetConnection(from peerPort: UInt16) {
    forEachConnection(from: peerPort) { descriptor in
      var nowhere = sockaddr()
      nowhere.sa_family = sa_family_t(AF_UNSPEC)
      _ = connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
  }

  /// Sends bytes past the HTTP package, as many as the socket takes at once.
  func send(_ bytes: [UInt8], to peerPort: UInt16) {
    forEachConnection(from: peerPort) { descriptor in
      _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
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

  /// The connections, or the one of a peer.
  private func forEachConnection(from peerPort: UInt16? = nil, _ body: (CInt) -> Void) {
    for descriptor in descriptors() where isConnection(descriptor, from: peerPort) {
      // Their owner may close it at any time, and another server's socket take its number. A duplicate stays what it is,
      // so what it is, is looked at again.
      let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
      guard own >= 0 else { continue }
      if isConnection(own, from: peerPort) { body(own) }
      close(own)
    }
  }

  private func isConnection(_ descriptor: CInt, from peerPort: UInt16?) -> Bool {
    guard localPort(of: descriptor) == port, let peer = self.peerPort(of: descriptor) else { return false }
    return peerPort == nil || peer == peerPort
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
