internal import Foundation

/// A path of the device API, contract.md sections 2 to 4.
struct DeviceRoute {
  enum Kind {
    case postTelemetry, postAttributes, getAttributes, pollAttributes, pollCommands, postReply, wrongMethod, unknown
  }

  let kind: Kind
  /// Decoded; empty where the path is unknown.
  let token: String
  /// The path with the token as `***`, for logs.
  let maskedPath: String

  init(method: String, path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    guard parts.count >= 4, parts[0] == "api", parts[1] == "v1" else {
      kind = .unknown
      token = ""
      // It may hold a token all the same.
      maskedPath = parts.count < 3 ? path : "/***"
      return
    }
    token = parts[2].removingPercentEncoding ?? parts[2]
    let rest = parts[3...].joined(separator: "/")
    maskedPath = "/api/v1/***/\(rest)"
    kind =
      switch (method, rest) {
      case ("POST", "telemetry"): .postTelemetry
      case ("POST", "attributes"): .postAttributes
      case ("GET", "attributes"): .getAttributes
      case ("GET", "attributes/updates"): .pollAttributes
      case ("GET", "rpc"): .pollCommands
      case ("POST", _) where rest.hasPrefix("rpc/") && Int(rest.dropFirst(4)) != nil: .postReply
      case (_, "telemetry"), (_, "attributes"), (_, "attributes/updates"), (_, "rpc"): .wrongMethod
      default: .unknown
      }
  }

  /// Whether the large body limit holds.
  var isBulk: Bool { kind == .postTelemetry || kind == .postAttributes }

  /// A parameter's decoded value, the first of its name.
  func query(_ query: String, _ name: String) -> String? {
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0] == name else { continue }
      let spaced = parts[1].replacingOccurrences(of: "+", with: " ")
      return spaced.removingPercentEncoding ?? spaced
    }
    return nil
  }
}
