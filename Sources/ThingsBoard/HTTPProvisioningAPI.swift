public import EventLoop
internal import Telemetry

/// First-boot provisioning over HTTP: `POST /api/v1/provision`.
///
/// No error and no answer here holds a key, a secret or a token; the server's own words are shown only where it says
/// FAILURE or NOT_FOUND, masked, since a 500 repeats the whole request.
///
/// Source: contract.md §7.
public struct HTTPProvisioningAPI: ProvisioningAPI {
  /// Bytes of a credential type's name that are shown.
  private static let longestType = 40

  private let exchange: Exchange

  /// - Parameters: As for `HTTPDeviceAPI`.
  /// - Throws: `DeviceAPIError` when libcurl cannot start.
  public init(on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate") throws(DeviceAPIError) {
    try self.init(on: loop, server: server, userAgent: userAgent, timeLimit: Exchange.timeLimit)
  }

  init(
    on loop: EventLoop, server: ServerOptions, userAgent: String = "baudgate", timeLimit: Duration
  ) throws(DeviceAPIError) {
    self.init(
      over: try ServerConnections(on: loop, server: server, userAgent: userAgent, timeLimit: timeLimit))
  }

  /// Beside the devices of a gateway.
  init(over connections: ServerConnections) { exchange = connections.posts.forAnotherOwner }

  public func provision(_ request: ProvisionRequest) async throws(DeviceAPIError) -> ProvisionAnswer {
    let answer = try await exchange.ask(
      Exchange.Question(
        method: .post, resource: "provision", body: Self.body(request), cargo: .secret,
        secrets: [request.key, request.secret, request.token]))
    guard let document = try answer.document(), case .string(let status)? = document["status"] else {
      throw answer.misshapen("the outcome of provisioning")
    }
    switch status {
    case "SUCCESS": return try Self.success(document, answer)
    case "NOT_FOUND": return .notFound(Self.words(document, answer))
    case "FAILURE": return .failure(Self.words(document, answer))
    default: throw answer.misshapen("an outcome of provisioning known here")
    }
  }

  public func isKnown(_ token: Secret) async throws(DeviceAPIError) -> Bool {
    // One name nobody uses: the answer need not carry all there is.
    let answer = try await exchange.ask(
      Exchange.Question(
        resource: "\(percentEncoded(token.reveal()))/attributes?clientKeys=baudgate.known", secrets: [token]))
    if answer.refusal?.code == .unauthorized { return false }
    guard let document = try answer.document(), AttributeSnapshot(document) != nil else {
      throw answer.misshapen("attributes")
    }
    return true
  }

  /// A member with null would be a 500: a name that is not given is left out.
  private static func body(_ request: ProvisionRequest) -> [UInt8] {
    var members: [JSON.Member] = []
    if let name = request.deviceName { members.append(.init("deviceName", .string(name))) }
    members += [
      .init("provisionDeviceKey", .string(request.key.reveal())),
      .init("provisionDeviceSecret", .string(request.secret.reveal())),
      .init("credentialsType", .string("ACCESS_TOKEN")),
      .init("token", .string(request.token.reveal())),
    ]
    return JSON.object(members).bytes
  }

  private static func success(_ document: JSON, _ answer: ServerAnswer) throws(DeviceAPIError) -> ProvisionAnswer {
    let type: String
    switch document["credentialsType"] {
    case .string(let name): type = name
    case nil: type = "ACCESS_TOKEN"
    default: throw answer.misshapen("a type of credentials")
    }
    guard type == "ACCESS_TOKEN" else {
      let shown = answer.mask(oneLine(type))
      return .unusable(credentialsType: String(decoding: shown.utf8.prefix(longestType), as: UTF8.self))
    }
    guard case .string(let token)? = document["credentialsValue"] else {
      throw answer.misshapen("an access token")
    }
    do throws(TokenError) {
      return .success(try DeviceCredential(token: token, source: .configuration).token)
    } catch {
      throw answer.error(.notThingsBoard, "gave this device an access token that cannot be one: it \(error)")
    }
  }

  private static func words(_ document: JSON, _ answer: ServerAnswer) -> String {
    guard case .string(let words)? = document["errorMsg"] else { return "" }
    return answer.clipped(answer.mask(words))
  }
}
