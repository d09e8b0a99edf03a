internal import Foundation

/// An answer under way.
struct ServerAnswer {
  /// What becomes of the connection.
  enum Ending: Equatable {
    /// The answer is sent and the connection goes on.
    case sent
    /// Closed without an answer.
    case closed
    /// Reset without an answer.
    case reset
    /// Ended in the middle of the answer.
    case cut(reset: Bool)
  }

  var status: Int
  var body: [UInt8]
  var contentType: String?
  var headers: [String: String] = [:]
  var ending = Ending.sent
  var messages = 0
  var values = 0

  init(status: Int, body: [UInt8] = [], contentType: String? = nil, headers: [String: String] = [:]) {
    self.status = status
    self.body = body
    self.contentType = contentType
    self.headers = headers
  }

  static let done = ServerAnswer(status: 200)
  static let failed = ServerAnswer(status: 500)
  static let dropped = ended(.closed)

  static func ended(_ ending: Ending) -> ServerAnswer {
    var answer = failed
    answer.ending = ending
    return answer
  }

  static func json(_ status: Int, _ body: String) -> ServerAnswer {
    ServerAnswer(status: status, body: Array(body.utf8), contentType: "application/json")
  }

  static func text(_ status: Int, _ body: String) -> ServerAnswer {
    ServerAnswer(status: status, body: Array(body.utf8), contentType: "text/plain;charset=UTF-8")
  }

  /// The JSON body Spring makes for what no controller answered. It repeats the path, token included.
  static func spring(_ status: Int, _ error: String, message: String? = nil, path: String) -> ServerAnswer {
    var members: [(String, LiteralJSON)] = [
      ("timestamp", .string(ISO8601DateFormatter().string(from: Date()))), ("status", .number("\(status)")),
      ("error", .string(error)),
    ]
    if let message { members.append(("message", .string(message))) }
    members.append(("path", .string(path)))
    return json(status, LiteralJSON.object(members.map { .init(name: ExactText($0), value: $1) }).text)
  }

  /// The answer's bytes up to the middle of its body, or of its head where there is none.
  var firstHalf: [UInt8] {
    var head = "HTTP/1.1 \(status) \r\nContent-Length: \(body.count)\r\n"
    if let contentType { head += "Content-Type: \(contentType)\r\n" }
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if body.isEmpty { return Array(head.utf8) }
    return Array((head + "\r\n").utf8) + body.prefix(body.count / 2)
  }
}

extension Fault {
  /// What is answered instead of the server's own answer; `nil` where that comes later or anyhow.
  var answer: ServerAnswer? {
    switch self {
    case .status(let status, let body, let contentType, let headers):
      return ServerAnswer(status: status, body: Array(body.utf8), contentType: contentType, headers: headers)
    case .emptyServerError: return .failed
    case .captivePortal:
      let page = "<!DOCTYPE html><html><head><title>Login</title></head><body>Please log in.</body></html>"
      return ServerAnswer(status: 200, body: Array(page.utf8), contentType: "text/html;charset=UTF-8")
    case .dropConnection: return .dropped
    case .reset: return .ended(.reset)
    case .poison(_, let answer): return .text(500, answer)
    case .garbage(let count):
      // A byte no UTF-8 text and no JSON document begins with, then noise that is the same each time.
      var noise: UInt32 = 0x9E37_79B9
      let bytes = (0..<max(0, count)).map { index -> UInt8 in
        noise ^= noise << 13
        noise ^= noise >> 17
        noise ^= noise << 5
        return index == 0 ? 0xFF : UInt8(truncatingIfNeeded: noise)
      }
      return ServerAnswer(status: 200, body: bytes, contentType: "application/json")
    case .hugeBody(let count):
      return .json(200, "{\"id\":0,\"method\":\"m\",\"params\":\"\(String(repeating: "a", count: max(0, count)))\"}")
    case .nested(let depth):
      let count = max(0, depth)
      let arrays = String(repeating: "[", count: count) + String(repeating: "]", count: count)
      return .json(200, "{\"id\":0,\"method\":\"m\",\"params\":\(count == 0 ? "null" : arrays)}")
    case .hang, .slow, .storeThenDropConnection, .cutBody, .longer, .shorter, .altered: return nil
    }
  }
}
