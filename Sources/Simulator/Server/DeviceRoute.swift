internal import Foundation

/// A path of the device API, contract.md sections 2 to 7, or of what people steer the server with.
struct DeviceRoute {
  /// A control endpoint; its token is the route's.
  enum Control: Equatable {
    /// `POST /api/rpc/oneway/{token}`, `POST /api/rpc/twoway/{token}`
    case command(isOneWay: Bool)
    /// `POST` and `DELETE /api/plugins/telemetry/{token}/SHARED_SCOPE`
    case setShared, deleteShared
    /// `GET /api/plugins/telemetry/{token}/values/attributes`
    case attributes
    /// `GET /api/plugins/telemetry/{token}/values/timeseries`
    case series
    /// `POST` and `DELETE /api/packages/{token}/{kind}`
    case assignPackage, unassignPackage
    /// `PUT` and `DELETE /packages/{name}`
    case offerFile, removeFile
    /// `GET /api/status`
    case status
    /// `POST /api/devices`
    case addDevices
  }

  let kind: RequestKind
  /// Set where `kind` is `.control`.
  private(set) var control: Control?
  /// The number of the command that is replied to.
  private(set) var commandID: Int64?
  /// Set where it is about a package.
  private(set) var packageKind: ServedPackage.Kind?
  /// Set where it is about a file beside ThingsBoard; decoded.
  private(set) var fileName: String?
  /// Decoded; empty where the path is unknown or has none.
  let token: String
  /// The path with the token as `***`, for logs.
  let maskedPath: String

  init(method: String, path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    if parts == ["api", "v1", "provision"] {
      self.init(method == "POST" ? .provision : .wrongMethod, maskedPath: path)
    } else if parts.count == 5, parts[..<4] == ["api", "v1", "integrations", "http"] {
      self.init(
        method == "POST" ? .integration : .wrongMethod, token: parts[4], maskedPath: "/api/v1/integrations/http/***")
    } else if parts.count >= 4, parts[0] == "api", parts[1] == "v1" {
      let rest = parts[3...].joined(separator: "/")
      self.init(Self.kind(method, rest), token: parts[2], maskedPath: "/api/v1/***/\(rest)")
      if kind == .postReply { commandID = Int64(rest.dropFirst(4)) }
      packageKind = ServedPackage.Kind(rawValue: rest)
    } else if parts.count == 2, parts[0] == "packages" {
      self.init(Self.fileKind(method), maskedPath: path)
      fileName = parts[1].removingPercentEncoding ?? parts[1]
      control = method == "PUT" ? .offerFile : method == "DELETE" ? .removeFile : nil
    } else if let control = Self.control(method, parts) {
      self.init(.control, token: control.token, maskedPath: control.maskedPath)
      self.control = control.action
      packageKind = parts.last.flatMap { ServedPackage.Kind(rawValue: $0) }
    } else {
      // It may hold a token all the same.
      self.init(.unknown, maskedPath: parts.count < 3 ? path : "/***")
    }
  }

  private init(_ kind: RequestKind, token: String = "", maskedPath: String) {
    self.kind = kind
    self.token = token.removingPercentEncoding ?? token
    self.maskedPath = maskedPath
  }

  private static func kind(_ method: String, _ rest: String) -> RequestKind {
    switch (method, rest) {
    case ("POST", "telemetry"): .postTelemetry
    case ("POST", "attributes"): .postAttributes
    case ("GET", "attributes"): .getAttributes
    case ("GET", "attributes/updates"): .pollAttributes
    case ("GET", "rpc"): .pollCommands
    case ("POST", "rpc"): .call
    case ("POST", "claim"): .claim
    case ("GET", "firmware"), ("GET", "software"): .getPackage
    // A Java int in the real server; what is none matches no path here.
    case ("POST", _) where rest.hasPrefix("rpc/") && Int64(rest.dropFirst(4)) != nil: .postReply
    case (_, "telemetry"), (_, "attributes"), (_, "attributes/updates"), (_, "rpc"), (_, "claim"), (_, "firmware"),
      (_, "software"):
      .wrongMethod
    default: .unknown
    }
  }

  private static func fileKind(_ method: String) -> RequestKind {
    switch method {
    case "GET": .getFile
    case "PUT", "DELETE": .control
    default: .wrongMethod
    }
  }

  private static func control(
    _ method: String, _ parts: [String]
  ) -> (action: Control, token: String, maskedPath: String)? {
    guard parts.first == "api", parts.count >= 2 else { return nil }
    switch (method, parts[1], parts.count) {
    case ("GET", "status", 2): return (.status, "", "/api/status")
    case ("POST", "devices", 2): return (.addDevices, "", "/api/devices")
    case ("POST", "rpc", 4) where parts[2] == "oneway" || parts[2] == "twoway":
      return (.command(isOneWay: parts[2] == "oneway"), parts[3], "/api/rpc/\(parts[2])/***")
    case ("POST", "packages", 4) where ServedPackage.Kind(rawValue: parts[3]) != nil:
      return (.assignPackage, parts[2], "/api/packages/***/\(parts[3])")
    case ("DELETE", "packages", 4) where ServedPackage.Kind(rawValue: parts[3]) != nil:
      return (.unassignPackage, parts[2], "/api/packages/***/\(parts[3])")
    case (_, "plugins", 5...) where parts[2] == "telemetry":
      let rest = parts[4...].joined(separator: "/")
      let masked = "/api/plugins/telemetry/***/\(rest)"
      switch (method, rest) {
      case ("POST", "SHARED_SCOPE"): return (.setShared, parts[3], masked)
      case ("DELETE", "SHARED_SCOPE"): return (.deleteShared, parts[3], masked)
      case ("GET", "values/attributes"): return (.attributes, parts[3], masked)
      case ("GET", "values/timeseries"): return (.series, parts[3], masked)
      default: return nil
      }
    default: return nil
    }
  }

  /// Whether the large body limit holds.
  var isBulk: Bool {
    switch kind {
    case .postTelemetry, .postAttributes, .integration, .control: true
    default: false
    }
  }

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

  /// The names in a parameter such as `clientKeys=a,b`; an empty one counts as absent.
  func keys(_ query: String, _ name: String) -> [String]? {
    guard let text = self.query(query, name), !text.isEmpty else { return nil }
    return text.split(separator: ",").map(String.init)
  }
}
