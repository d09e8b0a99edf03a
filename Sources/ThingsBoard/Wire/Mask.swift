/// The secrets a request knows, masked wherever a server, a proxy or libcurl repeats one.
struct Mask: Sendable {
  private let secrets: [Secret]

  /// - Parameter secrets: A short one may stand in a long one, so the long ones go first.
  init(_ secrets: [Secret]) {
    self.secrets = secrets.sorted { $0.reveal().utf8.count > $1.reveal().utf8.count }
  }

  func callAsFunction(_ text: String) -> String {
    secrets.reduce(text) { text, secret in secret.masked(in: text) }
  }

  static func + (mask: Mask, more: [Secret]) -> Mask { Mask(mask.secrets + more) }
}

extension ProxyOptions {
  /// The URL as a whole, which libcurl repeats where it is malformed, and its password, which a proxy might.
  var mask: Mask {
    guard let url else { return Mask([]) }
    let afterScheme = url.reveal().drop { $0 != ":" }.dropFirst().drop { $0 == "/" }
    guard let at = afterScheme.lastIndex(of: "@"), let colon = afterScheme[..<at].firstIndex(of: ":") else {
      return Mask([url])
    }
    return Mask([url, Secret(String(afterScheme[afterScheme.index(after: colon)..<at]))])
  }
}
