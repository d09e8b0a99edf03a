internal import EventLoop
internal import Glibc

extension PortError {
  /// EAI_NODATA of glibc, which the importer leaves out: the name is known, and has no address.
  private static let noAddress: CInt = -5

  /// getaddrinfo(3) failed.
  ///
  /// - Parameters:
  ///   - code: Its answer.
  ///   - errno: The thread's, which counts where the answer is EAI_SYSTEM.
  static func lookingUp(_ host: String, _ path: String, _ code: CInt, _ errno: CInt) -> PortError {
    switch code {
    case EAI_NONAME, noAddress:
      PortError(code: .absent, message: "\(path): no address is known for \(host); check the name, or write an address")
    case EAI_AGAIN:
      PortError(
        code: .absent,
        message: "\(path): no name server says what \(host) is; check the network, or write an address")
    case EAI_SYSTEM:
      PortError(
        code: .failed, message: "\(path): cannot look \(host) up", cause: SystemError("getaddrinfo", errno: errno))
    default:
      PortError(
        code: .failed,
        message: "\(path): cannot look \(host) up: \(gai_strerror(code).map { String(cString: $0) } ?? "error \(code)")"
      )
    }
  }

  /// No connection came about.
  static func connecting(_ path: String, _ cause: SystemError) -> PortError {
    switch cause.errno {
    case ECONNREFUSED:
      PortError(
        code: .absent,
        message:
          "\(path) refuses: the machine is there, but nothing serves that port; check the serial server's settings",
        cause: cause)
    case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EADDRNOTAVAIL, EAFNOSUPPORT:
      PortError(
        code: .absent,
        message: "\(path) is out of reach: no such machine in that network, or no way there; check cable and address",
        cause: cause)
    case ETIMEDOUT:
      PortError(
        code: .absent, message: "\(path) does not answer: switched off, at another address, or behind a firewall",
        cause: cause)
    case ECONNRESET:
      PortError(
        code: .absent, message: "\(path) hung up at once; it may serve somebody else already", cause: cause)
    case EACCES, EPERM:
      PortError(
        code: .forbidden, message: "may not connect to \(path); a firewall of this machine says no", cause: cause)
    case EMFILE, ENFILE:
      PortError(
        code: .failed, message: "cannot connect to \(path): no file descriptor left; raise LimitNOFILE=", cause: cause)
    default: PortError(code: .failed, message: "cannot connect to \(path)", cause: cause)
    }
  }

  /// A connection ended.
  ///
  /// - Parameter cause: `nil` where the server closed it in order.
  static func disconnected(_ path: String, _ cause: SystemError? = nil) -> PortError {
    switch cause?.errno {
    case nil, ECONNRESET, EPIPE:
      PortError(
        code: .gone, message: "\(path) closed the connection: restarted, or serving somebody else", cause: cause)
    case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN:
      PortError(code: .gone, message: "\(path) is out of reach: its power, its cable or the network", cause: cause)
    default: PortError(code: .gone, message: "\(path): the connection broke", cause: cause)
    }
  }
}
