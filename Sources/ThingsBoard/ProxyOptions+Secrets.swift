extension ProxyOptions {
  /// What no message may show: the URL as a whole, which libcurl repeats where it is malformed, and its password as it is
  /// written and as it is meant, since a proxy may repeat either.
  public var secrets: [Secret] {
    guard let url else { return [] }
    let authority = url.reveal().drop { $0 != ":" }.dropFirst().drop { $0 == "/" }
    guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else { return [url] }
    let password = String(authority[authority.index(after: colon)..<at])
    if password.isEmpty { return [url] }
    let meant = Self.percentDecoded(password)
    return [url, Secret(password)] + (meant == password ? [] : [Secret(meant)])
  }

  private static func percentDecoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
