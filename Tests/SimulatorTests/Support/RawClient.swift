import Foundation

/// One HTTP connection over a plain socket, so that tests see bytes and ends of connections as they are.
final class RawClient {
  struct Answer: Equatable {
    var status: Int
    var headers: [String: String]
    var body: String
  }

  enum Failure: Error, Equatable {
    case refused(CInt)
    /// The connection ended before the whole answer.
    case ended
    /// The same by an RST.
    case reset
  }

  private var descriptor: CInt
  private var buffer: [UInt8] = []

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 {
      let cause = errno
      close(descriptor)
      throw Failure.refused(cause)
    }
  }

  deinit { hangUp() }

  /// Closes the connection, as a client that is gone.
  func hangUp() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  func send(_ method: String, _ path: String, body: String = "", headers: [String] = []) {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
    for header in headers { text += header + "\r\n" }
    sendBytes(Array((text + "\r\n" + body).utf8))
  }

  func sendBytes(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Blocks; so it runs on a thread of its own, not on one of the few that run the server's tasks.
  func receive() async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
      // The test awaits this call, so nobody else uses the client meanwhile.
      nonisolated(unsafe) let client = self
      Thread.detachNewThread { continuation.resume(with: Result { try client.receiveBlocking() }) }
    }
  }

  private func receiveBlocking() throws -> Answer {
    while true {
      if let head = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
        let lines = String(decoding: buffer[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
          let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
          if parts.count == 2 { headers[parts[0].lowercased()] = parts[1] }
        }
        let length = Int(headers["content-length"] ?? "") ?? 0
        while buffer.count < head.upperBound + length { try fill() }
        let body = String(decoding: buffer[head.upperBound..<(head.upperBound + length)], as: UTF8.self)
        buffer.removeFirst(head.upperBound + length)
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? -1
        return Answer(status: status, headers: headers, body: body)
      }
      try fill()
    }
  }

  private func fill() throws {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { throw count < 0 && errno == ECONNRESET ? Failure.reset : Failure.ended }
    buffer += chunk.prefix(count)
  }

  /// What came of an answer that is not whole.
  var received: String { String(decoding: buffer, as: UTF8.self) }

  /// One request on a connection of its own.
  static func ask(
    _ server: UInt16, _ method: String, _ path: String, body: String = "", headers: [String] = []
  ) async throws -> Answer {
    let client = try RawClient(port: server)
    client.send(method, path, body: body, headers: headers)
    return try await client.receive()
  }
}
