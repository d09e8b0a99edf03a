internal import CCurl
internal import CKernel
internal import EventLoop
internal import Glibc

/// Bytes a client has exchanged with its server, TLS included, as the kernel counts them per connection.
public struct Traffic: Sendable, Equatable {
  public var sent: UInt64 = 0
  public var received: UInt64 = 0
  /// Connections opened.
  public var connections: UInt64 = 0
  /// Requests made, whatever became of them.
  public var requests: UInt64 = 0
  public init() {}

  /// The sum of two clients' traffic.
  public static func + (first: Traffic, second: Traffic) -> Traffic {
    var sum = first
    sum.sent &+= second.sent
    sum.received &+= second.received
    sum.connections &+= second.connections
    sum.requests &+= second.requests
    return sum
  }
}

/// When the kernel takes a peer for gone: a server that believes a poll alive hands commands to a dead socket.
///
/// Source: contract.md §4; tcp(7).
struct PeerWatch: Sendable {
  /// Sent bytes that nobody acknowledges end the connection.
  static let userTimeout = Duration.seconds(20)
  /// Silence until the first keep-alive probe.
  static let idle = Duration.seconds(15)
  /// Between probes that nobody answers.
  static let interval = Duration.seconds(5)
  /// Unanswered probes that end the connection; `userTimeout` may do so before.
  static let probes: CInt = 3

  /// Off on metered links: probes between the requests would be most of what such a link carries.
  var probesSilence = true

  func apply(to socket: CInt) {
    // A socket that is no TCP one refuses, and has no peer to lose.
    _ = bg_tcp_watch_peer(
      socket, UInt32(Self.userTimeout.wholeMilliseconds), probesSilence ? CInt(Self.idle.components.seconds) : 0,
      CInt(Self.interval.components.seconds), Self.probes)
  }
}

/// Opens and closes libcurl's sockets, to watch their peers and count what they carried. Used on the loop alone.
final class SocketTally {
  private let watch: PeerWatch
  private var open: Set<CInt> = []
  private var closed = Traffic()

  init(_ watch: PeerWatch) { self.watch = watch }

  var traffic: Traffic {
    open.reduce(into: closed) { total, socket in total.add(socket) }
  }

  /// Those opened so far.
  var connections: UInt64 { closed.connections }

  func countRequest() { closed.requests &+= 1 }

  fileprivate func opened(_ socket: CInt) {
    watch.apply(to: socket)
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
