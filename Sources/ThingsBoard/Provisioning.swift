/// Asks a server for a device of its own. Needs no credential but the device profile's key and secret.
public protocol ProvisioningAPI: Sendable {
  /// - Throws: `DeviceAPIError`; after any but a definite refusal the device may exist all the same.
  func provision(_ request: ProvisionRequest) async throws(DeviceAPIError) -> ProvisionAnswer

  /// Whether the server knows `token`, proved by reading attributes with it.
  ///
  /// - Throws: `DeviceAPIError` where it cannot be told.
  func isKnown(_ token: Secret) async throws(DeviceAPIError) -> Bool
}

/// `POST /api/v1/provision`. Source: contract.md §7.
public struct ProvisionRequest: Sendable, Equatable {
  /// `nil` lets the server make one up.
  public var deviceName: String?
  public var key: Secret
  public var secret: Secret
  /// The access token this side proposes: taken with the strategy "allow creating new devices", ignored with "check
  /// pre-provisioned devices".
  public var token: Secret

  public init(deviceName: String?, key: Secret, secret: Secret, token: Secret) {
    self.deviceName = deviceName
    self.key = key
    self.secret = secret
    self.token = token
  }
}

/// The server's answer; HTTP says 200 to all of them.
public enum ProvisionAnswer: Sendable, Equatable {
  /// The device's access token from now on.
  case success(Secret)
  /// The device exists, but its profile gives it credentials HTTP cannot use, `MQTT_BASIC` or `X509_CERTIFICATE`.
  case unusable(credentialsType: String)
  /// The key or the secret is wrong. The server's words, without a secret.
  case notFound(String)
  /// Provisioned before, not pre-registered, or refused. The server's words, without a secret.
  case failure(String)
}
