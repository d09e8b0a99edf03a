internal import ArgumentParser
internal import CKernel
internal import Glibc
internal import Telemetry

/// One request over the control socket.
enum ControlClient {
  /// A status document is a few kilobytes; 200 sensors with 200 keys stay below.
  static let answerLimit = 4 << 20
  static let limits = JSONLimits(size: answerLimit, values: 500_000)
  /// Seconds without a byte from the daemon where it has to ask nobody; it waits for its peer 5 s at most.
  static let patience = 10
  /// Seconds where it has to ask the server.
  static let serverPatience = 95

  static func ask(_ request: String, at path: String, patience seconds: Int = patience) throws -> [UInt8] {
    let descriptor = bg_unix_connect(path)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw ValidationError("cannot reach the daemon at \(path): \(reason); is baudgate running, and may you ask it?")
    }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let line = Array("\(request)\n".utf8)
    guard sendAll(line, on: descriptor) else {
      throw ValidationError("the daemon at \(path) hung up")
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while answer.count < answerLimit {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN {
        throw ValidationError(
          "the daemon at \(path) has not answered for \(seconds) s; see `journalctl -u baudgate`")
      }
      guard count > 0 else { break }
      answer += chunk.prefix(count)
    }
    guard !answer.isEmpty else { throw ValidationError("the daemon at \(path) refused to answer") }
    return answer
  }

  private static func sendAll(_ bytes: [UInt8], on descriptor: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}
