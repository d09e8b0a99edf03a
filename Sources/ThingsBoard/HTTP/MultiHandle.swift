internal import CCurl
internal import Telemetry

/// The multi handle and the header lists all requests share.
struct MultiHandle: ~Copyable {
  let raw: UnsafeMutableRawPointer
  let headers: UnsafeMutablePointer<curl_slist>?
  /// For requests with a body.
  let postHeaders: UnsafeMutablePointer<curl_slist>?
  /// For questions that are answered by a file.
  let fileHeaders: UnsafeMutablePointer<curl_slist>?
  private let userAgent: String

  /// Streams on one connection as far as this side is concerned; the server says how many it takes.
  private static let mostStreams = 1000

  init(userAgent: String) throws(HTTPFailure) {
    guard curl_global_init(bg_global_all) == CURLE_OK, let raw = curl_multi_init() else {
      throw HTTPFailure(code: .other, message: "libcurl cannot start")
    }
    self.raw = raw
    self.userAgent = "User-Agent: \(oneLine(userAgent))"
    let common = ["Accept: application/json", self.userAgent]
    headers = headerList(common)
    // An empty Expect keeps libcurl from waiting a second for "100 Continue" before a large body.
    postHeaders = headerList(common + ["Content-Type: application/json", "Expect:"])
    fileHeaders = headerList([Self.acceptsFile, self.userAgent])
    // libcurl's own limit is 100.
    bg_multi_set_long(raw, CURLMOPT_MAX_CONCURRENT_STREAMS, Self.mostStreams)
  }

  /// A package may be called any type.
  private static let acceptsFile = "Accept: application/octet-stream, */*;q=0.5"

  func headers(for request: HTTPRequest) -> UnsafeMutablePointer<curl_slist>? {
    switch (request.method, request.accept) {
    case (.get, .json): headers
    case (.get, .file): fileHeaders
    case (.post, _): postHeaders
    }
  }

  /// The lines of a head that has some of its own: of a file.
  func lines(_ request: HTTPRequest) -> [String] { [Self.acceptsFile, userAgent] + request.headers }

  deinit {
    bg_multi_set_socket_callback(raw, nil)
    bg_multi_set_timer_callback(raw, nil)
    curl_multi_cleanup(raw)
    curl_slist_free_all(headers)
    curl_slist_free_all(postHeaders)
    curl_slist_free_all(fileHeaders)
  }

  func bind(
    _ context: UnsafeMutableRawPointer, socketChanged: @escaping curl_socket_callback,
    timerChanged: @escaping curl_multi_timer_callback
  ) {
    bg_multi_set_pointer(raw, CURLMOPT_SOCKETDATA, context)
    bg_multi_set_socket_callback(raw, socketChanged)
    bg_multi_set_pointer(raw, CURLMOPT_TIMERDATA, context)
    bg_multi_set_timer_callback(raw, timerChanged)
  }

  /// Bounds the connections that are open, those in use among them: the one idle for the longest is closed.
  func keepConnections(_ count: Int) { bg_multi_set_long(raw, CURLMOPT_MAXCONNECTS, count) }
}

func headerList(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
  lines.reduce(nil) { list, line in curl_slist_append(list, line) ?? list }
}
