/// A device profile that lets devices provision themselves. Source: contract.md, section 7.
public struct ProvisioningProfile: Sendable, Hashable {
  public enum Strategy: Sendable, Hashable {
    /// Devices are made as they ask for it; one of the same name is made once.
    case allowCreatingNewDevices
    /// Only devices registered before, name to access token; each is given its token once.
    case checkPreProvisioned([String: String])
  }

  public enum CredentialsType: String, Sendable, Hashable, CaseIterable {
    case accessToken = "ACCESS_TOKEN"
    case mqttBasic = "MQTT_BASIC"
    case x509Certificate = "X509_CERTIFICATE"
  }

  /// `provisionDeviceKey`
  public var key: String
  /// `provisionDeviceSecret`
  public var secret: String
  public var strategy: Strategy
  /// The credentials all its devices have; `nil` gives each new device what it asks for.
  public var credentialsType: CredentialsType?

  public init(
    key: String, secret: String, strategy: Strategy = .allowCreatingNewDevices, credentialsType: CredentialsType? = nil
  ) {
    self.key = key
    self.secret = secret
    self.strategy = strategy
    self.credentialsType = credentialsType
  }
}

/// A device that has provisioned itself.
public struct ProvisionedDevice: Sendable, Hashable {
  public var name: String
  /// The access token; empty where the credentials are of another type.
  public var token: String
  public var credentialsType: ProvisioningProfile.CredentialsType
  /// Whether the token is the one the device proposed.
  public var choseToken: Bool
}
