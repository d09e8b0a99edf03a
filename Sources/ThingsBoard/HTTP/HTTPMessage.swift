/// One request to the server. The URL holds the device's token: it is never logged.
struct HTTPRequest: Sendable {
  enum Method: Sendable { case get, post }
  var method: Method
  var url: Secret
  var body: [UInt8] = []
  /// The time it may take altogether.
  var timeLimit: Duration = .seconds(30)
}

/// The server's answer, whatever its status.
struct HTTPResponse: Sendable {
  /// A larger body is cut here; the API's answers are small.
  static let bodyLimit = 64 * 1024

  var status: Int
  var body: [UInt8]
  var bodyWasCut: Bool
  var contentType: String?
  /// Seconds, bounded at a day; the date form is not used by ThingsBoard nor by the usual proxies.
  var retryAfter: Duration?
  var location: String?
}

/// Why there was no answer.
struct HTTPFailure: Error, Sendable, Equatable {
  enum Code: Sendable, Equatable {
    case nameResolution, connection, timeout, tls, reset, cancelled, other
  }
  var code: Code
  /// libcurl's words, without the URL.
  var message: String
}
