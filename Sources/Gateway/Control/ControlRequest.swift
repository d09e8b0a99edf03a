internal import Telemetry
internal import ThingsBoard

/// What a peer of the control socket asks for: the word `status`, or a JSON object with the member `request`.
enum ControlRequest: Equatable {
  /// `status`
  case status
  /// `{"request":"rpc","method":"…","params":…}`: a client-side RPC.
  case call(method: String, params: JSON)
  /// `{"request":"claim","secret":"…","duration_ms":60000}`; the configuration's own where a member is missing.
  case claim(secret: Secret?, duration: Duration?)
  /// `{"request":"provision","force":true}`
  case provision(force: Bool)
  /// `{"request":"reload"}`: reads the configuration file again.
  case reload

  /// The longest claim asked for here.
  static let longestClaim = Duration.seconds(30 * 86_400)

  /// - Returns: `nil` for a line that is no request.
  init?(_ line: String) {
    if line == "status" {
      self = .status
      return
    }
    guard let document = try? JSON(parsing: Array(line.utf8), limits: JSONLimits(size: ControlSocket.requestLimit)),
      case .string(let word) = document["request"]
    else { return nil }
    switch word {
    case "status": self = .status
    case "rpc":
      guard case .string(let method) = document["method"], !method.isEmpty else { return nil }
      self = .call(method: method, params: document["params"] ?? .null)
    case "claim":
      var secret: Secret?
      var duration: Duration?
      if case .string(let text) = document["secret"] { secret = Secret(text) }
      if case .integer(let milliseconds) = document["duration_ms"] {
        guard (1...Self.longestClaim.components.seconds * 1000).contains(milliseconds) else { return nil }
        duration = .milliseconds(milliseconds)
      }
      self = .claim(secret: secret, duration: duration)
    case "provision": self = .provision(force: document["force"] == .bool(true))
    case "reload": self = .reload
    default: return nil
    }
  }
}

/// What the control socket answers: a document, or why there is none.
enum ControlAnswer {
  case document(JSON)
  case failure(String)

  /// The document's own text, or `{"error":"…"}`; a line.
  var bytes: [UInt8] {
    let json: JSON =
      switch self {
      case .document(let document): document
      case .failure(let words): .object([.init("error", .string(words))])
      }
    var bytes: [UInt8] = []
    json.write(into: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }
}
