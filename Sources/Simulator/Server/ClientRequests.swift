/// A client-side RPC as it arrived.
public struct ClientCall: Sendable, Hashable {
  public var token: String
  public var method: String
  /// JSON.
  public var params: String
}

/// A payload of the HTTP integration as it arrived.
public struct IntegrationUplink: Sendable, Hashable {
  public var key: String
  /// The body, whatever it was.
  public var payload: String
}

/// A claiming request as it arrived.
public struct ClaimRequest: Sendable, Hashable {
  public var token: String
  /// Empty where the device named none.
  public var secret: String
  /// Milliseconds; 0, the server's own duration, where the device named none.
  public var duration: Int64
}
