/// One request and its fate, for the log. Tokens are masked.
public struct RequestRecord: Sendable, Hashable {
  /// Counts from 1 over the server's life.
  public var number: Int
  /// Milliseconds since 1970-01-01 UTC at which the request's head had arrived.
  public var time: Int64
  public var kind: RequestKind
  public var method: String
  /// `/api/v1/***/telemetry`, without the query.
  public var path: String
  /// `nil` where the connection ended without a whole answer.
  public var status: Int?
  /// Bytes of the request's body.
  public var requestBytes: Int
  /// Bytes of the answer's body.
  public var responseBytes: Int
  /// Telemetry messages, or attributes, in the body; 0 where it was refused.
  public var messages: Int
  /// Values that were stored.
  public var values: Int
  /// From the head's arrival to the answer.
  public var duration: Duration
}

/// Sums over the server's life.
public struct ServerCounters: Sendable, Hashable {
  public var requests = 0
  /// Telemetry requests answered 200.
  public var acceptedTelemetry = 0
  /// Requests without 200, those without an answer among them.
  public var failures = 0
  /// Bytes of request bodies.
  public var bytesReceived = 0
  /// Values stored, repeats included.
  public var values = 0
  /// Values that were there already, same key, time, type and text: a repeated request, harmless.
  public var repeats = 0
  /// Values that replaced another one of the same key and time: one of the two is gone.
  public var replacements = 0
  /// Messages lost in silence after a 200, and values refused by the store's limit.
  public var lost = 0
}
