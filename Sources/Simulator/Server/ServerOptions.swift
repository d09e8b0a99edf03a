/// How a ``DeviceServer`` behaves.
public struct ServerOptions: Sendable {
  /// Access tokens of known devices; `nil` takes any, or where there are provisioning profiles none but those of their
  /// devices.
  public var tokens: Set<String>?
  /// Who may provision devices, and how.
  public var provisioningProfiles: [ProvisioningProfile] = []
  /// The largest body of telemetry and attributes in bytes: the usual single-process server's 16 MiB.
  public var payloadLimit = 16 << 20
  /// The largest body of other requests in bytes.
  public var smallPayloadLimit = 64 << 10
  /// When the servlet ends a request that nobody answered, with a 503.
  public var asyncLimit: Duration = .seconds(30)
  /// The length of a long poll that names none.
  public var defaultPollTimeout: Duration = .seconds(60)
  /// When a client-side RPC without a rule for it is answered 408.
  public var callTimeout: Duration = .seconds(60)
  /// The most values in the store.
  public var storeLimit = 2_000_000
  /// Requests the log keeps, the newest.
  public var logLimit = 10_000
  public var converter = ValueConverter()

  public init(tokens: Set<String>? = nil) { self.tokens = tokens }
}
