/// One request to the server. The URL holds the device's token: it is never logged.
struct HTTPRequest: Sendable {
  enum Method: Sendable { case get, post }
  var method: Method
  var url: Secret
  /// Whose it is: places are shared out between owners.
  var owner = RequestOwner()
  var body: [UInt8] = []
  /// The time it may take altogether, connecting included.
  var timeLimit: Duration = .seconds(30)
  /// Whether libcurl may send it again by itself where a connection that stood open was closed under it.
  var mayBeRepeated = true
  /// Bytes of the answer's body that are kept; a larger one ends the transfer.
  var bodyLimit = HTTPResponse.bodyLimit
  var accept = Accept.json
  /// Further lines of the head, such as `Range: bytes=0-`.
  var headers: [String] = []
  /// Takes the place of `timeLimit` where set: the request may take as long as bytes come.
  var slowest: SlowestPace?

  enum Accept: Sendable { case json, file }
}

/// The pace a download must not stay below. CURLOPT_LOW_SPEED_LIMIT(3).
struct SlowestPace: Sendable {
  /// Bytes a second.
  var rate: Int
  /// How long it may be slower; counted in whole seconds, at least one.
  var patience: Duration
}

/// The server's answer, whatever its status.
struct HTTPResponse: Sendable {
  /// What most answers fit into by far.
  static let bodyLimit = 64 * 1024

  var status: Int
  var body: [UInt8]
  /// Whether there was more than the request's `bodyLimit`.
  var bodyWasCut: Bool
  var contentType: String?
  /// Bounded at a day.
  var retryAfter: Duration?
  var location: String?
  /// Of a file.
  var file = FileHeaders()
  /// From when the request could be sent to the answer's end: without connecting.
  var openFor = Duration.zero
}

/// What an answer's headers say of the file in it, as they spell it.
struct FileHeaders: Sendable, Equatable {
  /// Whether the server gives it a name: by Content-Disposition, or ThingsBoard's x-filename.
  var isNamed = false
  var length: Int64?
  var range: String?
  var etag: String?
  var lastModified: String?
  var date: String?
}

/// Why there was no answer.
struct HTTPFailure: Error, Sendable, Equatable {
  enum Code: Sendable, Equatable {
    case nameResolution, connection, timeout, reset, cancelled, other
    /// More requests wait than are kept.
    case overfull
    /// The handshake failed for another reason than a certificate.
    case tls
    /// The server's certificate was not accepted.
    case certificate(Verification)
    /// The server's public key is another than the pinned one.
    case pin
    /// A file with certificates or a key cannot be used.
    case certificateFile
    /// The server does not accept this side's certificate, or misses one.
    case ownCertificate
    /// The proxy's name, its own answer, or its URL.
    case proxy
  }

  /// Why a certificate was not accepted.
  enum Verification: Sendable, Equatable {
    /// Not valid yet, or the clock is plainly wrong.
    case clock
    case expired
    /// Signed by nobody this machine trusts.
    case issuer
    case other
  }

  var code: Code
  /// libcurl's words, without the URL.
  var message: String
  /// How long the request was under way; `nil` where it was never sent.
  var openFor: Duration?
  /// Whether an answer had begun: what it handed over is lost.
  var answerBegan = false

  static let cancelled = HTTPFailure(code: .cancelled, message: "cancelled")

  static func overfull(_ limit: Int) -> HTTPFailure {
    HTTPFailure(code: .overfull, message: "\(limit) requests wait for their turn already")
  }
}
