/// Why the server did not take a request, and what a client may do about it.
///
/// Source: contract.md §9.
public struct DeviceAPIError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    /// This payload will never be accepted: find the bad record and set it aside.
    case poison
    /// The body is larger than the server or a proxy takes: send less at once.
    case tooLarge
    /// The server failed without saying why: overload, a rate limit, or one bad record.
    case serverError
    /// Overload, maintenance, a rate limit: the same request later.
    case unavailable
    /// No answer at all.
    case unreachable
    /// The token is unknown to the server.
    case unauthorized
    /// The device was deleted.
    case deviceDeleted
    /// No device API at this address.
    case notFound
    /// The server points elsewhere; a token is never sent after it.
    case redirected
    /// Something answered that is not ThingsBoard: a captive portal or a proxy's page.
    case notThingsBoard
    /// The server's certificate, or ours, was not accepted.
    case certificate
    /// A client-side RPC that no rule answered in time.
    case noAnswer
    /// The transport does not carry this.
    case unsupported
    /// The request was given up by this side.
    case cancelled
  }

  public var code: Code
  /// What happened, in words for a person; holds no secret.
  public var message: String
  /// The HTTP status, where there was an answer.
  public var status: Int?
  /// How long the server asks to be left alone.
  public var retryAfter: Duration?

  public init(_ code: Code, _ message: String, status: Int? = nil, retryAfter: Duration? = nil) {
    self.code = code
    self.message = message
    self.status = status
    self.retryAfter = retryAfter
  }

  public var description: String { message }

  /// The transport goes upward only.
  public static let unsupported = DeviceAPIError(
    .unsupported, "cannot be asked: this transport carries telemetry and attributes upward, nothing comes down")
}
