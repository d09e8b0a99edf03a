/// Profiles and the devices they made. Source: contract.md, section 7.
struct ProvisionRegistry: Sendable {
  /// Devices it makes at most; beyond, provisioning fails.
  static let limit = 10_000
  /// Characters of a name or token the server makes up.
  static let madeUpCount = 20

  enum Answer: Equatable {
    /// `value` is JSON.
    case success(ProvisioningProfile.CredentialsType, value: String)
    case notFound
    case failure

    /// The body; HTTP says 200 to all of them.
    var text: String {
      switch self {
      case .success(let type, let value):
        "{\"credentialsValue\":\(value),\"credentialsType\":\"\(type.rawValue)\",\"status\":\"SUCCESS\"}"
      case .notFound: #"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#
      case .failure: #"{"errorMsg":"Failed to provision device!","status":"FAILURE"}"#
      }
    }
  }

  private let profiles: [ProvisioningProfile]
  private(set) var devices: [ProvisionedDevice] = []

  init(_ profiles: [ProvisioningProfile]) { self.profiles = profiles }

  /// Tokens of devices that exist before they provision themselves.
  var registeredTokens: Set<String> {
    Set(
      profiles.flatMap { profile -> [String] in
        guard case .checkPreProvisioned(let tokens) = profile.strategy else { return [] }
        return Array(tokens.values)
      })
  }

  /// - Parameter isTokenTaken: Whether the proposed token belongs to a device already.
  mutating func provision(_ request: ProvisionRequest, isTokenTaken: Bool) -> Answer {
    guard let profile = profiles.first(where: { $0.key == request.key }), profile.secret == request.secret,
      !request.secret.isEmpty
    else { return .notFound }
    guard devices.count < Self.limit, !devices.contains(where: { $0.name == request.deviceName }) else {
      return .failure
    }
    switch profile.strategy {
    case .allowCreatingNewDevices:
      let type = profile.credentialsType ?? request.credentialsType
      let choosesToken = type == .accessToken && !request.token.isEmpty
      if choosesToken, isTokenTaken { return .failure }
      return enter(
        request, name: request.deviceName.isEmpty ? Self.madeUp() : request.deviceName,
        token: choosesToken ? request.token : Self.madeUp(), type: type, choseToken: choosesToken)
    case .checkPreProvisioned(let tokens):
      guard let token = tokens[request.deviceName] else { return .failure }
      return enter(
        request, name: request.deviceName, token: token, type: profile.credentialsType ?? .accessToken,
        choseToken: false)
    }
  }

  /// The device is gone; its name may be provisioned again.
  mutating func remove(token: String) { devices.removeAll { $0.token == token } }

  private mutating func enter(
    _ request: ProvisionRequest, name: String, token: String, type: ProvisioningProfile.CredentialsType,
    choseToken: Bool
  ) -> Answer {
    let isToken = type == .accessToken
    devices.append(
      ProvisionedDevice(name: name, token: isToken ? token : "", credentialsType: type, choseToken: choseToken))
    switch type {
    case .accessToken: return .success(type, value: LiteralJSON.string(token).text)
    case .x509Certificate: return .success(type, value: LiteralJSON.string(request.hash).text)
    case .mqttBasic:
      let parts = [("clientId", request.clientID), ("userName", request.userName), ("password", request.password)]
      let value = LiteralJSON.object(
        parts.map { .init(name: ExactText($0), value: $1.isEmpty ? .null : .string($1)) })
      return .success(type, value: value.text)
    }
  }

  private static func madeUp() -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    return String((0..<madeUpCount).map { _ in letters[Int.random(in: letters.indices)] })
  }
}
