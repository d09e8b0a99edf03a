internal import CKernel
internal import EventLoop
internal import Glibc

/// One attempt to reach a serial server: the addresses of its name one after the other, all within one time.
///
/// Not several at once: many serial servers have room for one client only, and a second connection would take it.
struct Connecting {
  /// The most addresses of a name that are tried.
  static let addressLimit = 8

  private let path: String
  private let host: String
  private let port: UInt16
  private let limit: Duration

  /// - Parameter path: What messages call the server.
  init(_ path: String, host: String, port: UInt16, within limit: Duration) {
    self.path = path
    self.host = host
    self.port = port
    self.limit = limit
  }

  /// - Returns: A connected socket that does not block.
  func run() throws(PortError) -> CInt {
    let list = try addresses()
    defer { freeaddrinfo(list) }
    let deadline = Uptime.monotonic + limit
    var left = Self.count(list)
    var failure = SystemError("connect", errno: EHOSTUNREACH)
    var next: UnsafeMutablePointer<addrinfo>? = list
    while let address = next, left > 0 {
      next = address.pointee.ai_next
      // A silent address must leave time for those behind it.
      let share = max(.zero, deadline - Uptime.monotonic) / left
      left -= 1
      do throws(SystemError) {
        return try Self.connect(to: address.pointee, until: Uptime.monotonic + share)
      } catch {
        // A family that this machine has no way for says less than any other answer.
        let isFamily = error.errno == ENETUNREACH || error.errno == EAFNOSUPPORT || error.errno == EADDRNOTAVAIL
        if !isFamily || failure.errno == EHOSTUNREACH { failure = error }
      }
    }
    throw .connecting(path, failure)
  }

  private func addresses() throws(PortError) -> UnsafeMutablePointer<addrinfo> {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &list)
    let failure = errno
    if code == 0, let list { return list }
    throw .lookingUp(host, path, code, failure)
  }

  private static func count(_ list: UnsafeMutablePointer<addrinfo>) -> Int {
    var count = 0
    var next: UnsafeMutablePointer<addrinfo>? = list
    while let address = next, count < addressLimit {
      count += 1
      next = address.pointee.ai_next
    }
    return count
  }

  private static func connect(to address: addrinfo, until deadline: Duration) throws(SystemError) -> CInt {
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = try check("socket") { socket(address.ai_family, kind, address.ai_protocol) }
    do throws(SystemError) {
      try finish(descriptor, Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen), until: deadline)
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Waits for the end of a connect(2) that has returned `result`.
  private static func finish(_ descriptor: CInt, _ result: CInt, until deadline: Duration) throws(SystemError) {
    guard result < 0 else { return }
    let failure = errno
    // An interrupted one goes on by itself.
    guard failure == EINPROGRESS || failure == EINTR else { throw SystemError("connect", errno: failure) }
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    while true {
      let rest = max(.zero, deadline - Uptime.monotonic)
      // Rounded up, so that the last wait does not spin.
      let ready = poll(&entry, 1, CInt(clamping: rest == .zero ? 0 : rest.wholeMilliseconds + 1))
      if ready > 0 { break }
      if ready == 0, rest == .zero { throw SystemError("connect", errno: ETIMEDOUT) }
      if ready < 0, errno != EINTR { throw SystemError("poll") }
    }
    let ended = bg_socket_error(descriptor)
    if ended != 0 { throw SystemError("connect", errno: ended > 0 ? ended : errno) }
  }
}
