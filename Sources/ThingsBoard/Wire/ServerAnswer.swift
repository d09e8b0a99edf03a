internal import Telemetry

/// What an answer of the server, or of something between, means: the one reader of every endpoint.
///
/// Source: contract.md §2 and §9.
struct ServerAnswer {
  /// What a request carried, which decides what its refusal is about.
  enum Cargo {
    /// Readings, attributes, a reply: a refusal may blame them.
    case payload
    /// Nothing that could be at fault.
    case nothing
    /// Key and secret of provisioning: the server's words, which may repeat them, are shown to nobody.
    case secret
    /// The name of a package: a refusal says that another one is assigned, or none.
    case package
  }

  /// The most of a server's words that an error repeats, in Unicode scalars.
  static let quoteLimit = 200
  /// Bytes of a body that are looked at for them: enough that what is cut off cannot leave a part of the token behind.
  private static let bytesLookedAt = 8192

  let response: HTTPResponse
  let mask: Mask
  let cargo: Cargo

  init(_ response: HTTPResponse, mask: Mask, cargo: Cargo) {
    self.response = response
    self.mask = mask
    self.cargo = cargo
  }

  // MARK: Taken

  /// - Throws: `DeviceAPIError` unless the server has taken the request. Only an empty body says so: a captive portal
  ///   says 200, too.
  func acknowledged() throws(DeviceAPIError) {
    if let refusal { throw refusal }
    if isEmpty { return }
    throw error(
      .notThingsBoard,
      "answered \(response.status) with a page instead of an empty body, \(said): a captive portal or a proxy?")
  }

  /// The document a successful answer holds; `nil` where it holds nothing.
  ///
  /// - Throws: `DeviceAPIError` for a refusal, a page, and what is no JSON within the reader's bounds.
  func document() throws(DeviceAPIError) -> JSON? {
    if let refusal { throw refusal }
    if isEmpty { return nil }
    if isPage { throw page }
    guard !response.bodyWasCut else {
      throw error(.notThingsBoard, "answered with more than \(response.body.count) bytes: is this ThingsBoard?")
    }
    do throws(JSONError) {
      return try JSON(parsing: response.body, limits: JSONLimits(size: response.body.count, depth: JSONLimits.deepest))
    } catch {
      throw self.error(
        .notThingsBoard, "answered \(response.status) with something that is not JSON (\(error)), \(said)")
    }
  }

  /// HTML where the device API has none.
  var page: DeviceAPIError {
    error(.notThingsBoard, "answered \(response.status) with a page, \(said): a captive portal or a proxy?")
  }

  /// The bytes of a file.
  ///
  /// - Throws: `DeviceAPIError` for a refusal and for a page; a file that is one has a name.
  func file() throws(DeviceAPIError) -> [UInt8] {
    if let refusal { throw refusal }
    guard response.status == 200 else { throw misshapen("a package") }
    if let type = response.contentType, type.hasPrefix("text/html"), !response.file.isNamed { throw page }
    return response.body
  }

  /// Where a document had to stand and another one does, or none.
  func misshapen(_ expected: String) -> DeviceAPIError {
    error(.notThingsBoard, "answered \(response.status) with something else than \(expected), \(said)")
  }

  // MARK: Refused

  /// Why the server has not taken the request; `nil` where its status says that it has.
  var refusal: DeviceAPIError? {
    let status = response.status
    switch status {
    case 200..<300:
      return nil
    case 300..<400:
      let target = response.location.flatMap(origin).map { " to \($0)" } ?? ""
      return error(.redirected, "answered \(status), a redirect\(target): correct server.url")
    case 400...499 where isPage && saysCertificate:
      // nginx: 400 with a page, or its own 495 and 496 behind it.
      return error(
        .certificate,
        "wants a client certificate it trusts (\(status) \(said)): check server.tls.cert and server.tls.key")
    case 400 where isPage:
      // As nginx does for http on its https port: the readings are not at fault.
      return error(.notThingsBoard, "answered 400 with a page, \(said): http instead of https, or a proxy?")
    case 401 where isPage || cargo == .secret, 403 where isPage:
      // The device API has no page to show: a person's token must not be doubted for a proxy's sake.
      return error(.notThingsBoard, "refuses with a page (\(status) \(said)): a proxy that wants a login?")
    case 400 where cargo == .payload:
      return error(.poison, "refuses the payload: 400 \(said)")
    case 400 where cargo == .package:
      return error(.poison, "does not give this package, another one may be assigned by now (400 \(said))")
    case 404 where cargo == .package && isPage:
      return error(.notThingsBoard, "answered 404 with a page, \(said): a proxy, or another path? Check server.url")
    case 404 where cargo == .package:
      return error(.notFound, "has no package assigned to this device (404)")
    case 401:
      return error(.unauthorized, "does not know this device's token (401): check device.token")
    case 403:
      return error(.deviceDeleted, "refuses this device (403 \(said)): was it deleted?")
    case 404, 405, 410:
      return error(.notFound, "has no device API here (\(status)): check server.url")
    case 407:
      return error(
        .notThingsBoard, "cannot be reached: the proxy wants a user name and password (407): check server.proxy")
    case 413:
      return error(.tooLarge, "finds the request too large (413)")
    case 500 where cargo == .payload && isParserText:
      return error(.poison, "refuses the payload: 500 \(said)")
    case 400, 500:
      return error(.serverError, "failed (\(status) \(said))")
    default:
      return error(.unavailable, "is not available (\(status) \(said))")
    }
  }

  func error(_ code: DeviceAPIError.Code, _ message: String) -> DeviceAPIError {
    DeviceAPIError(code, message, status: response.status, retryAfter: response.retryAfter)
  }

  /// The server's words for a message.
  var said: String {
    if cargo == .secret { return isEmpty ? "with an empty body" : "with words not shown, they may repeat the secret" }
    let words = quote(response.body)
    return words.isEmpty ? "with an empty body" : "\"\(words)\""
  }

  // MARK: What the body is

  var isEmpty: Bool { response.body.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D } }

  /// HTML is a proxy's or a portal's: the device API speaks JSON and plain text.
  var isPage: Bool {
    if let type = response.contentType, type.hasPrefix("text/html") { return true }
    return response.body.first { $0 > 0x20 } == UInt8(ascii: "<")
  }

  /// A 500 whose body is plain text names the payload's fault; a proxy's HTML page or Spring's JSON does not.
  private var isParserText: Bool {
    guard let first = response.body.first(where: { $0 > 0x20 }) else { return false }
    // Traefik and others say 500 in words: RFC 9110's phrase names no fault.
    let isPhrase =
      response.body.count < 64
      && oneLine(String(decoding: response.body, as: UTF8.self)).lowercased().hasPrefix("internal server error")
    return !isPage && !isPhrase && first != UInt8(ascii: "{")
  }

  /// "No required SSL certificate was sent", "The SSL certificate error".
  private var saysCertificate: Bool {
    String(decoding: response.body.prefix(Self.bytesLookedAt), as: UTF8.self).lowercased().mentions("ssl certificate")
  }

  // MARK: Quoting

  private func quote(_ body: [UInt8]) -> String {
    clipped(mask(String(decoding: body.prefix(Self.bytesLookedAt), as: UTF8.self)))
  }

  /// A masked text on one line, within bounds.
  func clipped(_ text: String) -> String {
    let line = oneLine(text).unicodeScalars
    return line.count > Self.quoteLimit ? String(line.prefix(Self.quoteLimit)) + "…" : String(line)
  }

  /// Scheme and host of a redirect's target; its path may repeat the token.
  private func origin(of location: String) -> String? {
    // A relative one leads to another path of the same server.
    guard !location.hasPrefix("/") else { return nil }
    var slashes = 0
    let origin = location.prefix { character in
      if character == "/" { slashes += 1 }
      return slashes < 3 && character != "?"
    }
    return mask(oneLine(String(origin.prefix(100))))
  }
}
