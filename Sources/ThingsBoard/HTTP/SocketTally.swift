internal import CCurl
internal import CKernel
internal import Glibc

/// Bytes a client has exchanged with its server, TLS included, as the kernel counts them per connection.
public struct Traffic: Sendable, Equatable {
  public var sent: UInt64 = 0
  public var received: UInt64 = 0
  /// Connections opened.
  public var connections: UInt64 = 0
  public init() {}
}

/// Opens and closes libcurl's sockets, to count what they carried. Used on the loop alone.
final class SocketTally {
  private var open: Set<CInt> = []
  private var closed = Traffic()

  var traffic: Traffic {
    open.reduce(into: closed) { total, socket in total.add(socket) }
  }

  fileprivate func opened(_ socket: CInt) {
    open.insert(socket)
    closed.connections &+= 1
  }

  fileprivate func close(_ socket: CInt) -> CInt {
    if open.remove(socket) != nil { closed.add(socket) }
    return Glibc.close(socket)
  }
}

extension Traffic {
  fileprivate mutating func add(_ socket: CInt) {
    var sent: UInt64 = 0
    var received: UInt64 = 0
    guard bg_tcp_traffic(socket, &sent, &received) == 0 else { return }
    self.sent &+= sent
    self.received &+= received
  }
}

func socketWanted(
  _ context: UnsafeMutableRawPointer?, _: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
  guard let context, let address else { return -1 }
  let socket = bg_open_socket(address)
  if socket >= 0 { Unmanaged<SocketTally>.fromOpaque(context).takeUnretainedValue().opened(socket) }
  return socket
}

func socketUnused(_ context: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> CInt {
  guard let context else { return Glibc.close(socket) }
  return Unmanaged<SocketTally>.fromOpaque(context).takeUnretainedValue().close(socket)
}
