internal import CCurl

/// Where a package is: an absolute http or https URL, which may hold a secret.
///
/// Source: curl_url(3), which reads it as libcurl itself will.
struct PackageAddress: Sendable, Equatable {
  /// UTF-8 bytes of a URL.
  static let longest = 8 << 10

  let url: Secret
  let isSecure: Bool
  /// In lower case.
  let host: String
  let port: String

  /// - Parameter base: What a relative one is relative to.
  /// - Returns: `nil` for anything else than http or https with a host.
  init?(_ text: String, relativeTo base: PackageAddress? = nil) {
    guard text.utf8.count <= Self.longest, !text.isEmpty, let handle = curl_url() else { return nil }
    defer { curl_url_cleanup(handle) }
    func set(_ text: String) -> Bool {
      curl_url_set(handle, CURLUPART_URL, text, CUnsignedInt(CURLU_URLENCODE)) == CURLUE_OK
    }
    func part(_ part: CURLUPart, _ flags: CInt = 0) -> String? {
      var text: UnsafeMutablePointer<CChar>?
      guard curl_url_get(handle, part, &text, CUnsignedInt(flags)) == CURLUE_OK, let text else { return nil }
      defer { curl_free(text) }
      return String(cString: text)
    }
    if let base, !set(base.url.reveal()) { return nil }
    guard set(text), let scheme = part(CURLUPART_SCHEME)?.lowercased(), scheme == "http" || scheme == "https",
      let host = part(CURLUPART_HOST), !host.isEmpty, let port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT),
      let url = part(CURLUPART_URL)
    else { return nil }
    self.url = Secret(url)
    isSecure = scheme == "https"
    self.host = host.lowercased()
    self.port = port
  }

  /// Whether what is configured for this server holds here, too.
  func isOn(_ server: ServerURL) -> Bool {
    let port = server.port.map { "\($0)" } ?? (server.scheme == .https ? "443" : "80")
    return isSecure == (server.scheme == .https) && host == server.host && self.port == port
  }

  /// Scheme, host and port.
  var origin: ServerURL? {
    do throws(ServerURLError) { return try ServerURL("\(isSecure ? "https" : "http")://\(host):\(port)") } catch {
      return nil
    }
  }

  /// What no message may show: the URL, and each part of it that may be a password or a signature.
  var secrets: [Secret] {
    let text = url.reveal()
    let rest = text.drop { $0 != ":" }.dropFirst(3)
    let path = rest.drop { $0 != "/" && $0 != "?" }
    let query = path.drop { $0 != "?" }.dropFirst()
    let user = rest.prefix { $0 != "/" && $0 != "?" }.split(separator: "@").dropLast().joined(separator: "@")
    let values = query.split(separator: "&").compactMap { $0.split(separator: "=", maxSplits: 1).dropFirst().first }
    let parts =
      [String(path), String(query), user] + user.split(separator: ":").map(String.init) + values.map(String.init)
    // A short one would mask half of every message.
    return [url] + parts.filter { $0.utf8.count >= Self.shortestSecret }.map { Secret($0) }
  }

  /// UTF-8 bytes.
  private static let shortestSecret = 4
}
