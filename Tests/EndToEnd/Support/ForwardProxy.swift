import Foundation
import Synchronization

/// A forward proxy as a company has one: plain requests in absolute form, tunnels for https, a user name and a password.
/// Whatever host is asked for, it goes to one upstream, so that the host need not exist.
///
/// Source: RFC 9110, 9.3.6 (CONNECT) and 11.7 (Proxy-Authorization); RFC 9112, 3.2.2 (absolute form).
final class ForwardProxy: Sendable {
  let port: UInt16
  private let listener: CInt
  private let upstream: UInt16
  private let login: String
  private let lines = Mutex<[String]>([])

  /// - Parameters:
  ///   - upstream: A port on 127.0.0.1.
  ///   - login: `USER:PASSWORD`, as they are meant.
  init(to upstream: UInt16, login: String) throws {
    self.upstream = upstream
    self.login = login
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var address = Self.address(0)
    let isBound = Self.with(&address) { bind(listener, $0, length) } == 0 && listen(listener, 64) == 0
    guard isBound, Self.with(&address, { getsockname(listener, $0, &length) }) == 0 else {
      close(listener)
      throw DaemonProcess.Failure("the proxy cannot listen: \(String(cString: strerror(errno)))")
    }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        if client < 0 { break }
        Thread.detachNewThread { self.serve(client) }
      }
      close(listener)
    }
  }

  /// The first line of each request for which there was a right password.
  var requestLines: [String] { lines.withLock { $0 } }

  /// Takes no more connections.
  func stop() { shutdown(listener, CInt(SHUT_RDWR)) }

  private func serve(_ client: CInt) {
    var buffer: [UInt8] = []
    var server: CInt = -1
    let copied = DispatchSemaphore(value: 0)
    while let (head, body) = Self.request(client, &buffer) {
      var headers = head.components(separatedBy: "\r\n")
      let credentials = "Basic \(Data(login.utf8).base64EncodedString())"
      guard headers.contains(where: { $0 == "Proxy-Authorization: \(credentials)" }) else {
        // It repeats what it was told and would want to hear, as a careless one does.
        let page = "<html>\(head) is not \(login)</html>"
        Self.send(
          client,
          "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"gate\"\r\n"
            + "Content-Length: \(page.utf8.count)\r\nConnection: close\r\n\r\n\(page)")
        break
      }
      lines.withLock { $0.append(headers[0]) }
      if server < 0 {
        server = Self.connected(to: upstream)
        if server < 0 { break }
        Thread.detachNewThread { [server] in
          Self.copy(from: server, to: client)
          copied.signal()
        }
      }
      if headers[0].hasPrefix("CONNECT ") {
        Self.send(client, "HTTP/1.1 200 Connection established\r\n\r\n")
        Self.send(server, buffer)
        Self.copy(from: client, to: server)
        break
      }
      let words = headers[0].split(separator: " ").map(String.init)
      headers[0] = "\(words[0]) /\(words[1].split(separator: "/", maxSplits: 2)[2]) HTTP/1.1"
      headers.removeAll { $0.lowercased().hasPrefix("proxy-") }
      Self.send(server, Array("\(headers.joined(separator: "\r\n"))\r\n\r\n".utf8) + body)
    }
    if server >= 0 {
      shutdown(server, CInt(SHUT_RDWR))
      copied.wait()
      close(server)
    }
    close(client)
  }

  /// - Returns: A request's head, without the empty line, and its body; `nil` at the connection's end.
  private static func request(_ client: CInt, _ buffer: inout [UInt8]) -> (head: String, body: [UInt8])? {
    let end = Data("\r\n\r\n".utf8)
    while true {
      if let found = Data(buffer).range(of: end) {
        let head = String(decoding: buffer[..<found.lowerBound], as: UTF8.self)
        let length =
          head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
          .flatMap { Int($0.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces)) } ?? 0
        if buffer.count >= found.upperBound + length {
          defer { buffer.removeFirst(found.upperBound + length) }
          return (head, Array(buffer[found.upperBound..<found.upperBound + length]))
        }
      }
      guard let bytes = receive(client) else { return nil }
      buffer += bytes
    }
  }

  /// Until the one ends, which ends the other.
  private static func copy(from source: CInt, to target: CInt) {
    while let bytes = receive(source) { send(target, bytes) }
    shutdown(target, CInt(SHUT_RDWR))
  }

  private static func receive(_ descriptor: CInt) -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    return count > 0 ? Array(chunk.prefix(count)) : nil
  }

  private static func send(_ descriptor: CInt, _ text: String) { send(descriptor, Array(text.utf8)) }

  private static func send(_ descriptor: CInt, _ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }

  private static func connected(to port: UInt16) -> CInt {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var address = address(port)
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    if with(&address, { connect(descriptor, $0, length) }) == 0 { return descriptor }
    close(descriptor)
    return -1
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
