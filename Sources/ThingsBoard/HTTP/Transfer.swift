internal import CCurl
internal import EventLoop

/// One easy handle and what it gathers while a request is under way. Used on the loop alone; libcurl holds a borrowed
/// pointer to it, so the client keeps it until the transfer is over.
final class Transfer {
  private let easy: UnsafeMutableRawPointer
  /// Lines for this request alone; freed with the transfer.
  private var ownHeaders: UnsafeMutablePointer<curl_slist>?
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private var response = HTTPResponse(status: 0, body: [], bodyWasCut: false)
  private var bodyLimit = HTTPResponse.bodyLimit
  /// libcurl takes a connection's end within the headers for the end of an answer without a body.
  private var headersAreWhole = false
  /// Whether a status line has come, interim ones (1xx) apart.
  private var answerBegan = false
  private var mayBeRepeated = true
  /// When the request could be sent for the first time, by `Uptime.monotonic`.
  private var firstSent: Duration?
  private var wasClosedUnderIt = false
  /// Of the request it serves now: handles are used again.
  var request: UInt64 = 0
  var continuation: CheckedContinuation<Result<HTTPResponse, HTTPFailure>, Never>?
  /// Takes the body of what was granted, piece by piece; `nil` for answers that are kept whole.
  var stream: BodyStream?

  /// - Throws: `HTTPFailure` when libcurl has no memory left.
  init() throws(HTTPFailure) {
    guard let easy = curl_easy_init() else { throw HTTPFailure(code: .other, message: "libcurl is out of memory") }
    self.easy = easy
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_slist_free_all(ownHeaders)
    errorText.deallocate()
  }

  var handle: UnsafeMutableRawPointer { easy }

  /// Whether the request could be sent: there was a connection.
  var wasSent: Bool { firstSent != nil }

  /// Whether the answer came over HTTP/1.
  var usedHTTP1: Bool { [Int(CURL_HTTP_VERSION_1_0), Int(CURL_HTTP_VERSION_1_1)].contains(version) }
  var usedHTTP2: Bool { version == Int(CURL_HTTP_VERSION_2_0) }

  private var version: Int {
    var version = 0
    bg_easy_get_long(easy, CURLINFO_HTTP_VERSION, &version)
    return version
  }

  /// Forgets the request and its answer, and who waits for it.
  func rest() {
    continuation = nil
    response = HTTPResponse(status: 0, body: [], bodyWasCut: false)
    // libcurl has copies of the URL and the body.
    curl_easy_reset(easy)
  }

  /// Time to reach the server, name resolution included.
  static let connectLimitMilliseconds = 10_000

  /// Up to here after the first time a poll may be sent again: the server had closed the connection before.
  static let repeatLimit = Duration.milliseconds(250)

  /// Sets everything anew for one request.
  ///
  /// - Parameters:
  ///   - headers: A list that outlives the transfer.
  ///   - receiveBuffer: Bytes; libcurl's own 16 KiB where it is out of bounds, CURLOPT_BUFFERSIZE(3).
  func prepare(
    _ request: HTTPRequest, to server: ServerOptions, headers: UnsafeMutablePointer<curl_slist>?,
    sockets: UnsafeMutableRawPointer, receiveBuffer: Int, traits: ServerTraits
  ) throws(HTTPFailure) {
    curl_easy_reset(easy)
    response = HTTPResponse(status: 0, body: [], bodyWasCut: false)
    bodyLimit = request.bodyLimit
    headersAreWhole = false
    answerBegan = false
    mayBeRepeated = request.mayBeRepeated
    firstSent = nil
    wasClosedUnderIt = false
    errorText.pointee = 0
    let context = Unmanaged.passUnretained(self).toOpaque()
    try set(CURLOPT_PRIVATE, context)
    try set(CURLOPT_ERRORBUFFER, errorText)
    try set(CURLOPT_URL, request.url.reveal())
    // Never VERBOSE nor FOLLOWLOCATION: the URL is the secret.
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_BUFFERSIZE, receiveBuffer)
    // Without it a silent name server holds up the loop when the request is given up.
    try set(CURLOPT_QUICK_EXIT, 1)
    if let slowest = request.slowest {
      try set(CURLOPT_LOW_SPEED_LIMIT, slowest.rate)
      try set(CURLOPT_LOW_SPEED_TIME, max(1, Int(slowest.patience.wholeMilliseconds / 1000)))
    } else {
      try set(CURLOPT_TIMEOUT_MS, Int(request.timeLimit.wholeMilliseconds))
    }
    try set(CURLOPT_CONNECTTIMEOUT_MS, Self.connectLimitMilliseconds)
    if let headers { try set(CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headers)) }
    try check(bg_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION, bodyArrived))
    try set(CURLOPT_WRITEDATA, context)
    try check(bg_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION, headerArrived))
    try set(CURLOPT_HEADERDATA, context)
    try check(bg_easy_set_before_request(easy, requestIsNext))
    try set(CURLOPT_PREREQDATA, context)
    try check(bg_easy_set_open_socket(easy, socketWanted))
    try set(CURLOPT_OPENSOCKETDATA, sockets)
    try check(bg_easy_set_close_socket(easy, socketUnused))
    try set(CURLOPT_CLOSESOCKETDATA, sockets)
    try route(through: server.proxy)
    if server.url.scheme == .https { try secure(with: server.tls, traits) }
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

  /// Bytes libcurl receives at a time of a stream.
  private static let streamBuffer = 16 << 10

  /// Prepares for an answer that is handed over piece by piece. Such a transfer is used once.
  ///
  /// - Parameter headers: All lines of the head that are not libcurl's own.
  func prepare(
    _ request: HTTPRequest, into stream: BodyStream, to server: ServerOptions, headers: [String],
    sockets: UnsafeMutableRawPointer, traits: ServerTraits
  ) throws(HTTPFailure) {
    ownHeaders = headerList(headers)
    try prepare(
      request, to: server, headers: ownHeaders, sockets: sockets, receiveBuffer: Self.streamBuffer, traits: traits)
    // Over HTTP/2 a pause holds up this side alone: libcurl would go on to buffer up to 32 MiB.
    try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    self.stream = stream
  }

  /// Lets a paused body go on: libcurl hands over what it has kept back within this call.
  func resume() { curl_easy_pause(easy, CURLPAUSE_CONT) }

  /// The proxy of the configuration or none: never one of the environment.
  private func route(through proxy: ProxyOptions) throws(HTTPFailure) {
    try set(CURLOPT_PROXY, proxy.url?.reveal() ?? "")
    try set(CURLOPT_NOPROXY, proxy.exceptions.joined(separator: ","))
    // A proxy's "200 Connection established" is no answer.
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
  }

  private func secure(with tls: TLSOptions, _ traits: ServerTraits) throws(HTTPFailure) {
    // A libcurl built without HTTP/2 refuses: HTTP/1.1 does as well.
    bg_easy_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    // A second poll waits to learn whether the first one's connection takes it, too.
    try set(CURLOPT_PIPEWAIT, 1)
    let version =
      switch tls.minimumVersion {
      case .v12: CURL_SSLVERSION_TLSv1_2
      case .v13: CURL_SSLVERSION_TLSv1_3
      }
    try set(CURLOPT_SSLVERSION, Int(version))
    if let authorities = tls.authorities { try set(CURLOPT_CAINFO, authorities) }
    // Otherwise the system's directory of authorities would be trusted beside the named file; beside the system's own
    // file, which has the same, it would be read anew for each connection.
    if tls.authorities != nil || traits.hasAuthoritiesFile {
      try check(bg_easy_set_string(easy, CURLOPT_CAPATH, nil))
    }
    if let certificate = tls.certificate { try set(CURLOPT_SSLCERT, certificate) }
    if let key = tls.key { try set(CURLOPT_SSLKEY, key) }
    if let pin = tls.pin { try set(CURLOPT_PINNEDPUBLICKEY, pin) }
  }

  /// What came of it, once libcurl says that it is over.
  func outcome(_ result: CURLcode) -> Result<HTTPResponse, HTTPFailure> {
    var status = 0
    bg_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    // A refusal is one, however its body ends: nginx refuses a large body before it has come, and then breaks off what
    // is still being sent (RFC 9113, 8.1; RFC 9112, 9.3). Of what was granted every byte counts.
    let isRefusal = headersAreWhole && status >= 300
    let isCut = result == CURLE_WRITE_ERROR && response.bodyWasCut
    guard result == CURLE_OK || isCut || isRefusal else { return .failure(failure(result)) }
    guard headersAreWhole else {
      return .failure(
        HTTPFailure(
          code: .reset, message: "the connection ended within the answer's headers", openFor: openFor,
          answerBegan: true))
    }
    response.status = status
    stream?.head = response
    response.openFor = openFor ?? .zero
    return .success(response)
  }

  /// Since the request could be sent; `nil` where it never could.
  private var openFor: Duration? {
    var sent: curl_off_t = 0
    var total: curl_off_t = 0
    bg_easy_get_off_t(easy, CURLINFO_PRETRANSFER_TIME_T, &sent)
    bg_easy_get_off_t(easy, CURLINFO_TOTAL_TIME_T, &total)
    return sent > 0 ? .microseconds(max(0, total &- sent)) : nil
  }

  private func failure(_ result: CURLcode) -> HTTPFailure {
    if wasClosedUnderIt, let firstSent {
      return HTTPFailure(
        code: .reset, message: "the connection was closed", openFor: Uptime.monotonic - firstSent, answerBegan: false)
    }
    let words = errorText.pointee == 0 ? String(cString: curl_easy_strerror(result)) : String(cString: errorText)
    var verification = 0
    bg_easy_get_long(easy, CURLINFO_SSL_VERIFYRESULT, &verification)
    return HTTPFailure(
      code: HTTPFailure.Code(result, words: words, verification: verification), message: words, openFor: openFor,
      answerBegan: answerBegan)
  }

  // MARK: What libcurl hands over

  /// A request on a connection that stood open is sent again by libcurl where that is closed without an answer: no harm to
  /// a post, but a poll begins anew then without anybody's knowledge, and what happened in between is told by none.
  ///
  /// - Returns: Whether to go on.
  fileprivate func isAboutToSend() -> Bool {
    let now = Uptime.monotonic
    guard let firstSent else {
      self.firstSent = now
      return true
    }
    if mayBeRepeated || now - firstSent < Self.repeatLimit { return true }
    wasClosedUnderIt = true
    return false
  }

  fileprivate func append(_ bytes: UnsafeRawBufferPointer) -> Taken {
    if let stream, stream.head != nil || isGranted {
      if stream.head == nil { stream.head = response }
      return stream.take(bytes) ? .taken : .later
    }
    let room = bodyLimit - response.body.count
    if bytes.count > room { response.bodyWasCut = true }
    response.body.append(contentsOf: bytes.prefix(max(0, room)))
    // The rest would cost traffic and time, without end where somebody is hostile.
    return response.bodyWasCut ? .enough : .taken
  }

  fileprivate enum Taken { case taken, enough, later }

  /// Notes the status where the answer is what was asked for.
  private var isGranted: Bool {
    var status = 0
    bg_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    response.status = status
    return (200..<300).contains(status)
  }

  /// Looked at as bytes: of a server's dozen lines few matter, and a command waits behind them.
  fileprivate func header(_ bytes: UnsafeRawBufferPointer) {
    let line = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.headerLimit))
    // An interim answer (100) has an end of its own, and the next status line begins anew; trailers end nothing.
    if line.starts(with: "HTTP/".utf8) {
      headersAreWhole = false
      let status = line.drop { $0 != UInt8(ascii: " ") }.drop { $0 == UInt8(ascii: " ") }
      if status.first != UInt8(ascii: "1") { answerBegan = true }
      response.file = FileHeaders()
    }
    if bytes.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) { headersAreWhole = true }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
    let name = line[..<colon]
    var value: String { String(Substring(decoding: line[(colon + 1)...], as: UTF8.self).trimmingSpaces) }
    if name.isName("content-type") {
      response.contentType = value.lowercased()
    } else if name.isName("location") {
      response.location = value
    } else if name.isName("retry-after") {
      response.retryAfter = Clock.delay(of: value)
    } else if name.isName("content-disposition") || name.isName("x-filename") {
      response.file.isNamed = true
    } else if stream != nil {
      if name.isName("content-range") {
        response.file.range = value
      } else if name.isName("content-length") {
        response.file.length = Int64(value)
      } else if name.isName("etag") {
        response.file.etag = value
      } else if name.isName("last-modified") {
        response.file.lastModified = value
      } else if name.isName("date") {
        response.file.date = value
      }
    }
  }

  /// Bytes of a header line that are looked at.
  private static let headerLimit = 4096

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

private func bodyArrived(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes, let context else { return size * count }
  let taken = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    .append(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return switch taken {
  case .taken: size * count
  // Another count than what was given ends the transfer with CURLE_WRITE_ERROR.
  case .enough: 0
  // The same bytes come again behind `resume`.
  case .later: Int(CURL_WRITEFUNC_PAUSE)
  }
}

/// `CURLOPT_PREREQFUNCTION`: connected, or on a connection that stood open; each time before the request is sent.
private func requestIsNext(
  _ context: UnsafeMutableRawPointer?, _: UnsafeMutablePointer<CChar>?, _: UnsafeMutablePointer<CChar>?, _: CInt,
  _: CInt
) -> CInt {
  guard let context else { return bg_request_goes_on }
  let goesOn = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().isAboutToSend()
  return goesOn ? bg_request_goes_on : bg_request_ends
}

/// Always takes everything.
private func headerArrived(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let bytes, let context else { return size * count }
  Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    .header(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

extension Slice<UnsafeRawBufferPointer> {
  /// Whether it is this header's name, which is in lower case.
  fileprivate func isName(_ name: StaticString) -> Bool {
    guard count == name.utf8CodeUnitCount else { return false }
    // A bit of letters alone: "-" has it set.
    return zip(self, UnsafeBufferPointer(start: name.utf8Start, count: count)).allSatisfy { $0 | 0x20 == $1 }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: String {
    var text = self
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text.drop { $0.isWhitespace })
  }
}
