internal import CCurl
internal import EventLoop

/// One easy handle and what it gathers while a request is under way. Used on the loop alone; libcurl holds a borrowed
/// pointer to it, so the client keeps it until the transfer is over.
final class Transfer {
  private let easy: UnsafeMutableRawPointer
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private var response = HTTPResponse(status: 0, body: [], bodyWasCut: false)
  /// libcurl takes a connection's end within the headers for the end of an answer without a body.
  private var headersAreWhole = false
  /// Of the request it serves now: handles are used again.
  var request: UInt64 = 0
  var continuation: CheckedContinuation<Result<HTTPResponse, HTTPFailure>, Never>?

  /// - Throws: `HTTPFailure` when libcurl has no memory left.
  init() throws(HTTPFailure) {
    guard let easy = curl_easy_init() else { throw HTTPFailure(code: .other, message: "libcurl is out of memory") }
    self.easy = easy
  }

  deinit {
    curl_easy_cleanup(easy)
    errorText.deallocate()
  }

  var handle: UnsafeMutableRawPointer { easy }

  /// Time to reach the server, name resolution included.
  static let connectLimitMilliseconds = 10_000

  /// Sets everything anew for one request.
  ///
  /// - Parameter headers: A list that outlives the transfer.
  func prepare(
    _ request: HTTPRequest, headers: UnsafeMutablePointer<curl_slist>?, sockets: UnsafeMutableRawPointer
  ) throws(HTTPFailure) {
    curl_easy_reset(easy)
    response = HTTPResponse(status: 0, body: [], bodyWasCut: false)
    headersAreWhole = false
    errorText.pointee = 0
    let context = Unmanaged.passUnretained(self).toOpaque()
    try set(CURLOPT_PRIVATE, context)
    try set(CURLOPT_ERRORBUFFER, errorText)
    try set(CURLOPT_URL, request.url.reveal())
    // Never VERBOSE nor FOLLOWLOCATION: the URL is the secret.
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_NOSIGNAL, 1)
    // Without it a silent name server holds up the loop when the request is given up.
    try set(CURLOPT_QUICK_EXIT, 1)
    try set(CURLOPT_PROXY, "")
    try set(CURLOPT_TIMEOUT_MS, Int(request.timeLimit.wholeMilliseconds))
    try set(CURLOPT_CONNECTTIMEOUT_MS, Self.connectLimitMilliseconds)
    try set(CURLOPT_TCP_KEEPALIVE, 1)
    if let headers { try set(CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headers)) }
    try check(bg_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION, bodyArrived))
    try set(CURLOPT_WRITEDATA, context)
    try check(bg_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION, headerArrived))
    try set(CURLOPT_HEADERDATA, context)
    try check(bg_easy_set_open_socket(easy, socketWanted))
    try set(CURLOPT_OPENSOCKETDATA, sockets)
    try check(bg_easy_set_close_socket(easy, socketUnused))
    try set(CURLOPT_CLOSESOCKETDATA, sockets)
    switch request.method {
    case .get: try set(CURLOPT_HTTPGET, 1)
    case .post:
      try set(CURLOPT_POST, 1)
      try check(bg_easy_set_off_t(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
      try check(
        request.body.withUnsafeBytes { bytes in
          bg_easy_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        })
    }
  }

  /// What came of it, once libcurl says that it is over.
  func outcome(_ result: CURLcode) -> Result<HTTPResponse, HTTPFailure> {
    guard result == CURLE_OK else { return .failure(failure(result)) }
    guard headersAreWhole else {
      return .failure(HTTPFailure(code: .reset, message: "the connection ended within the answer's headers"))
    }
    var status = 0
    bg_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    response.status = status
    return .success(response)
  }

  private func failure(_ result: CURLcode) -> HTTPFailure {
    let code: HTTPFailure.Code =
      switch result {
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .nameResolution
      case CURLE_COULDNT_CONNECT: .connection
      case CURLE_OPERATION_TIMEDOUT: .timeout
      case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        .tls
      case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .reset
      default: .other
      }
    let words = errorText.pointee == 0 ? String(cString: curl_easy_strerror(result)) : String(cString: errorText)
    return HTTPFailure(code: code, message: words)
  }

  // MARK: What libcurl hands over

  fileprivate func append(_ bytes: UnsafeRawBufferPointer) {
    let room = HTTPResponse.bodyLimit - response.body.count
    if bytes.count > room { response.bodyWasCut = true }
    response.body.append(contentsOf: bytes.prefix(max(0, room)))
  }

  fileprivate func header(_ bytes: UnsafeRawBufferPointer) {
    let line = String(decoding: bytes, as: UTF8.self)
    // An interim answer (100) has an end of its own, and the next status line begins anew; trailers end nothing.
    if line.hasPrefix("HTTP/") { headersAreWhole = false }
    if bytes.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) { headersAreWhole = true }
    guard let colon = line.firstIndex(of: ":") else { return }
    let value = line[line.index(after: colon)...].trimmingSpaces
    switch line[..<colon].lowercased() {
    case "content-type": response.contentType = value.lowercased()
    case "location": response.location = value
    case "retry-after": response.retryAfter = Int(value).map { .seconds(min(max($0, 0), 86_400)) }
    default: break
    }
  }

  // MARK: Options

  private func set(_ option: CURLoption, _ value: Int) throws(HTTPFailure) {
    try check(bg_easy_set_long(easy, option, value))
  }
  private func set(_ option: CURLoption, _ value: String) throws(HTTPFailure) {
    try check(bg_easy_set_string(easy, option, value))
  }
  private func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer) throws(HTTPFailure) {
    try check(bg_easy_set_pointer(easy, option, value))
  }
  private func check(_ result: CURLcode) throws(HTTPFailure) {
    guard result == CURLE_OK else { throw failure(result) }
  }
}

/// Always takes everything: another count than what was given would abort the transfer.
private func bodyArrived(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes, let context else { return size * count }
  Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    .append(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

private func headerArrived(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes, let context else { return size * count }
  Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    .header(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

extension Substring {
  fileprivate var trimmingSpaces: String {
    var text = self
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text.drop { $0.isWhitespace })
  }
}
