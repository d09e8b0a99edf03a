internal import Telemetry

/// Reads the answer to a telemetry or attribute post.
///
/// Source: contract.md §2 and §9.
enum TelemetryAnswer {
  /// The most of a server's words that an error repeats, in Unicode scalars.
  static let quoteLimit = 200
  /// Bytes of a body that are looked at for them: enough that what is cut off cannot leave a part of the token behind.
  private static let bytesLookedAt = 8192

  /// - Returns: `nil` when the server has taken the request.
  static func error(in response: HTTPResponse, secret: Secret) -> DeviceAPIError? {
    let status = response.status
    let words = quote(response, secret: secret)
    let said = words.isEmpty ? "with an empty body" : "\"\(words)\""
    func error(_ code: DeviceAPIError.Code, _ message: String) -> DeviceAPIError {
      DeviceAPIError(code, message, status: status, retryAfter: response.retryAfter)
    }
    switch status {
    case 200..<300:
      // Only an empty body acknowledges: a captive portal says 200, too.
      if response.body.allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x0D }) { return nil }
      return error(
        .notThingsBoard,
        "answered \(status) with a page instead of an empty body, \(said): a captive portal or a proxy?")
    case 300..<400:
      let target = response.location.map { " to \(origin(of: $0, secret: secret))" } ?? ""
      return error(.redirected, "answered \(status), a redirect\(target): correct server.url")
    case 400 where isPage(response):
      // As nginx does for http on its https port: the readings are not at fault.
      return error(.notThingsBoard, "answered 400 with a page, \(said): http instead of https, or a proxy?")
    case 400:
      return error(.poison, "refuses the payload: 400 \(said)")
    case 401:
      return error(.unauthorized, "does not know this device's token (401): check device.token")
    case 403:
      return error(.deviceDeleted, "refuses this device (403 \(said)): was it deleted?")
    case 404, 405, 410:
      return error(.notFound, "has no device API here (\(status)): check server.url")
    case 413:
      return error(.tooLarge, "finds the request too large (413)")
    case 500 where isParserText(response):
      return error(.poison, "refuses the payload: 500 \(said)")
    case 500:
      return error(.serverError, "failed (500 \(said))")
    default:
      return error(.unavailable, "is not available (\(status) \(said))")
    }
  }

  /// A 500 whose body is plain text names the payload's fault; a proxy's HTML page or Spring's JSON does not.
  private static func isParserText(_ response: HTTPResponse) -> Bool {
    guard let first = response.body.first(where: { $0 > 0x20 }) else { return false }
    // Traefik and others say 500 in words: RFC 9110's phrase names no fault.
    let isPhrase =
      response.body.count < 64
      && oneLine(String(decoding: response.body, as: UTF8.self))
        .lowercased().hasPrefix("internal server error")
    return !isPage(response) && !isPhrase && first != UInt8(ascii: "{")
  }

  /// HTML is a proxy's or a portal's: the device API speaks JSON and plain text.
  private static func isPage(_ response: HTTPResponse) -> Bool {
    if let type = response.contentType, type.hasPrefix("text/html") { return true }
    return response.body.first { $0 > 0x20 } == UInt8(ascii: "<")
  }

  private static func quote(_ response: HTTPResponse, secret: Secret) -> String {
    let text = String(decoding: response.body.prefix(bytesLookedAt), as: UTF8.self)
    let line = oneLine(secret.masked(in: text)).unicodeScalars
    return line.count > quoteLimit ? String(line.prefix(quoteLimit)) + "…" : String(line)
  }

  /// Scheme and host of a redirect's target; its path may repeat the token.
  private static func origin(of location: String, secret: Secret) -> String {
    var slashes = 0
    let origin = location.prefix { character in
      if character == "/" { slashes += 1 }
      return slashes < 3 && character != "?"
    }
    return secret.masked(in: String(origin.prefix(100)))
  }
}
