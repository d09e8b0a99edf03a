internal import Foundation

/// Asks the daemon's control socket: one request line, one JSON document until the end of the stream.
struct ControlClient {
  let path: String

  /// The most a status document may have.
  private static let answerLimit = 4 << 20
  /// Microseconds the daemon may take between two pieces.
  private static let patience = 500_000

  /// - Returns: `nil` where there is no daemon, no answer or no document.
  func status() -> DaemonStatus? {
    guard let answer = ask("status"), let document = try? LiteralJSON.parse(answer).document else { return nil }
    return DaemonStatus(document)
  }

  private func ask(_ request: String) -> [UInt8]? {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 0, tv_usec: Self.patience)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    guard UnixAddress(path).with({ connect(descriptor, $0, $1) }) == 0 else { return nil }
    let line = Array("\(request)\n".utf8)
    guard send(descriptor, line, line.count, CInt(MSG_NOSIGNAL)) == line.count else { return nil }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while answer.count < Self.answerLimit {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 { return nil }
      if count == 0 { return answer }
      answer += chunk.prefix(count)
    }
    return nil
  }
}

/// What the demo shows of the daemon's status; members that are missing are `nil`.
struct DaemonStatus: Sendable, Equatable {
  /// Port names with their states, `open` among them.
  var ports: [String: String] = [:]
  var queueRecords: Int?
  var queueBytes: Int?
  /// Milliseconds.
  var queueOldestAge: Int?
  var uplinkState: String?
  /// Milliseconds.
  var uplinkNextTry: Int?

  init(_ document: LiteralJSON) {
    if case .object(let members)? = document["ports"] {
      for member in members {
        if case .string(let state)? = member.value["state"] { ports[member.name.text] = state }
      }
    }
    let queue = document["queue"]
    queueRecords = Self.integer(queue?["records"])
    queueBytes = Self.integer(queue?["bytes"])
    queueOldestAge = Self.integer(queue?["oldest_age_ms"])
    let uplink = document["uplink"]
    if case .string(let state)? = uplink?["state"] { uplinkState = state.replacingOccurrences(of: "_", with: " ") }
    uplinkNextTry = Self.integer(uplink?["next_try_in_ms"])
  }

  private static func integer(_ value: LiteralJSON?) -> Int? {
    if case .number(let literal)? = value { Int(literal) } else { nil }
  }
}

/// A path as the address of a unix socket.
struct UnixAddress {
  private var address = sockaddr_un()

  init(_ path: String) {
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
  }

  func with(_ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
