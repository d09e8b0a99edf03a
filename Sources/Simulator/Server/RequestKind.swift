/// What a request asks of the server.
public enum RequestKind: String, Sendable, Hashable, CaseIterable {
  /// `POST /{token}/telemetry`
  case postTelemetry
  /// `POST /{token}/attributes`
  case postAttributes
  /// `GET /{token}/attributes`
  case getAttributes
  /// `GET /{token}/attributes/updates`
  case pollAttributes
  /// `GET /{token}/rpc`
  case pollCommands
  /// `POST /{token}/rpc/{id}`
  case postReply
  /// `POST /{token}/rpc`: a client-side RPC.
  case call
  /// `POST /{token}/claim`
  case claim
  /// `GET /{token}/firmware` and `GET /{token}/software`
  case getPackage
  /// `GET /packages/{name}`: a web server beside ThingsBoard.
  case getFile
  /// `POST /provision`
  case provision
  /// `POST /integrations/http/{key}`: the HTTP integration of ThingsBoard's Professional Edition.
  case integration
  /// What people and benchmarks ask, under `/api/rpc` and `/api/plugins`; faults leave it alone.
  case control
  /// A known path with a method it has not.
  case wrongMethod
  case unknown
}

/// A moment in a request's life, for ``DeviceServer/onRequest(_:)``.
public enum RequestPhase: Sendable, Hashable {
  /// The request was read whole; nothing has come of it yet.
  case before
  /// Its work is done (stored, handed over, created) and nothing of the answer is written yet.
  case after
}
