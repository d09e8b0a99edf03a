import Foundation

/// A line elsewhere: one client at a time over TCP, as the simplest converters serve.
final class SerialServer: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.
  private(set) var port: UInt16 = 0
  private var listener: CInt = -1
  private var client: CInt = -1
  private var former: CInt = -1

  init() throws { try listen() }

  deinit {
    hangUp()
    if former >= 0 { close(former) }
    vanish()
  }

  /// Takes connections, at the port it had before.
  func listen() throws {
    listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var yes: CInt = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && Glibc.listen(listener, 1) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw DaemonProcess.Failure("cannot listen: \(String(cString: strerror(errno)))") }
    port = UInt16(bigEndian: address.sin_port)
  }

  /// Waits for the client.
  func accept(within milliseconds: CInt = 20_000) throws {
    var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, milliseconds) > 0 else { throw DaemonProcess.Failure("nobody connects") }
    client = Glibc.accept(listener, nil, nil)
    if former >= 0 { close(former) }
    former = -1
  }

  func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard Glibc.send(client, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count else {
      throw DaemonProcess.Failure("cannot send: \(String(cString: strerror(errno)))")
    }
  }

  /// What the daemon has sent, until a line's end.
  func line(within milliseconds: CInt = 20_000) -> String {
    var text: [UInt8] = []
    var byte: UInt8 = 0
    var entry = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
    while text.last != UInt8(ascii: "\n"), poll(&entry, 1, milliseconds) > 0, recv(client, &byte, 1, 0) == 1 {
      text.append(byte)
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Sends nothing more, and reads on until the next client comes.
  func closeHalf() {
    shutdown(client, CInt(SHUT_WR))
    (former, client) = (client, -1)
  }

  /// - Parameter resetting: Whether the connection breaks rather than ends.
  func hangUp(resetting: Bool = false) {
    guard client >= 0 else { return }
    if resetting {
      var option = Glibc.linger(l_onoff: 1, l_linger: 0)
      setsockopt(client, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<Glibc.linger>.size))
    }
    close(client)
    client = -1
  }

  /// Takes no more connections.
  func vanish() {
    if listener >= 0 { close(listener) }
    listener = -1
  }
}
