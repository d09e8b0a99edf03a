/// `server:` of the configuration: where the platform is, and how it is spoken to.
public struct ServerOptions: Sendable, Equatable {
  /// `server.transport`: which `DeviceAPI` is used.
  public enum Transport: String, Sendable, CaseIterable {
    /// ThingsBoard's HTTP device API.
    case deviceAPI = "device_api"
    /// ThingsBoard's HTTP integration: upward only, the token is the integration's key.
    case httpIntegration = "http_integration"
  }

  /// `server.link`: what the way to the server costs.
  public enum Link: String, Sendable, CaseIterable {
    case unmetered
    /// Frugal defaults: uploads every 10 s, no long polls but looks at an interval.
    case metered
  }

  public var url: ServerURL
  public var transport = Transport.deviceAPI
  public var link = Link.unmetered
  public var tls = TLSOptions()
  public var proxy = ProxyOptions()

  public init(url: ServerURL) {
    self.url = url
  }
}

/// `server.tls:`. Certificates are verified whatever stands here.
public struct TLSOptions: Sendable, Equatable {
  public enum Version: String, Sendable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"
  }

  /// A PEM file of authorities instead of the system's.
  public var authorities: String?
  /// A PEM file with this side's certificate.
  public var certificate: String?
  /// A PEM file with its private key.
  public var key: String?
  /// `sha256//BASE64` of the server's public key; several separated by `;`. CURLOPT_PINNEDPUBLICKEY(3).
  public var pin: String?
  public var minimumVersion = Version.v12

  public init() {}
}

/// `server.proxy` and `server.no_proxy`. The environment's proxies are never used.
public struct ProxyOptions: Sendable, Equatable {
  /// `http://[USER:PASSWORD@]HOST:PORT` or `socks5h://…`: may hold a password.
  public var url: Secret?
  /// Hosts reached without it; CURLOPT_NOPROXY(3).
  public var exceptions: [String] = []

  public init() {}
}

/// `http(s)://HOST[:PORT][/BASE]`: what stands before `/api/v1`. Holds no secret and may be shown.
///
/// Source: RFC 3986, 3.2 (authority), 3.3 (path).
public struct ServerURL: Sendable, Hashable, CustomStringConvertible {
  public enum Scheme: String, Sendable, CaseIterable { case http, https }

  public let scheme: Scheme
  /// A name or an IPv4 address; an IPv6 address stands in brackets.
  public let host: String
  /// `nil` for the scheme's own, 80 or 443.
  public let port: UInt16?
  /// Begins with a slash and does not end with one; empty at the server's root.
  public let base: String

  /// The URL without a slash at its end.
  public var description: String {
    "\(scheme.rawValue)://\(host)" + (port.map { ":\($0)" } ?? "") + base
  }

  /// Whether requests stay on this machine.
  public var isLoopback: Bool {
    host == "localhost" || host == "[::1]" || (host.hasPrefix("127.") && host.utf8.allSatisfy(Self.isDigitOrPoint))
  }

  /// - Throws: `ServerURLError`, which does not repeat what may be a secret in `text`.
  public init(_ text: String) throws(ServerURLError) {
    guard !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F || $0.value > 0x7E }) else {
      throw ServerURLError("has a space, a control character or one beyond ASCII in it; write it percent-encoded")
    }
    // First of all, so that no other message shows a password.
    guard !text.contains("@") else {
      throw ServerURLError(
        "has a user name or password in it (not shown); the device's token is all the server asks for")
    }
    guard !text.contains("?"), !text.contains("#") else {
      throw ServerURLError("has a ? or # in it (not shown); expected http(s)://HOST[:PORT][/BASE]")
    }
    guard let (scheme, rest) = Self.scheme(of: text) else {
      throw ServerURLError("does not begin with http:// or https://; expected http(s)://HOST[:PORT][/BASE]")
    }
    self.scheme = scheme
    let authority = rest.prefix { $0 != "/" }
    (host, port) = try Self.hostAndPort(authority)
    base = try Self.base(rest.dropFirst(authority.count))
  }

  private static func scheme(of text: String) -> (Scheme, Substring)? {
    for scheme in Scheme.allCases {
      let start = "\(scheme.rawValue)://"
      if text.prefix(start.count).lowercased() == start { return (scheme, text.dropFirst(start.count)) }
    }
    return nil
  }

  private static func hostAndPort(_ authority: Substring) throws(ServerURLError) -> (String, UInt16?) {
    var host = authority
    var digits: Substring?
    if authority.first == "[" {
      guard let end = authority.firstIndex(of: "]") else {
        throw ServerURLError("has a [ without ] in its host")
      }
      host = authority[...end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.first == ":" else { throw ServerURLError("has something between ] and the port") }
      digits = rest.isEmpty ? nil : rest.dropFirst()
      guard host.dropFirst().dropLast().utf8.allSatisfy(isIPv6), host.utf8.count > 3 else {
        throw ServerURLError("has no IPv6 address between [ and ]")
      }
    } else {
      if let colon = authority.firstIndex(of: ":") {
        host = authority[..<colon]
        digits = authority[authority.index(after: colon)...]
      }
      guard !host.isEmpty, host.utf8.allSatisfy(isHostByte), host.first != ".", host.first != "-" else {
        throw ServerURLError("has no host name or address; expected http(s)://HOST[:PORT][/BASE]")
      }
    }
    guard let digits else { return (host.lowercased(), nil) }
    guard let port = UInt16(digits), port > 0, digits.utf8.allSatisfy(isDigitOrPoint) else {
      throw ServerURLError("has a port that is not a number from 1 to 65535")
    }
    return (host.lowercased(), port)
  }

  private static func base(_ path: Substring) throws(ServerURLError) -> String {
    var path = path
    while path.last == "/" { path.removeLast() }
    let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    for (first, second) in zip(segments, segments.dropFirst()) where first == "api" && second == "v1" {
      throw ServerURLError("ends in /api/v1… (not shown), which Baudgate adds itself; write what stands before it")
    }
    guard !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
      throw ServerURLError("has an empty segment, . or .. in its path")
    }
    guard path.utf8.allSatisfy(isPathByte) else {
      throw ServerURLError("has a character in its path that needs percent-encoding")
    }
    return String(path)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
  private static func isDigitOrPoint(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || byte == 0x2E }
  private static func isHostByte(_ byte: UInt8) -> Bool { isLetterOrDigit(byte) || "-._".utf8.contains(byte) }
  private static func isIPv6(_ byte: UInt8) -> Bool {
    isDigitOrPoint(byte) || byte == UInt8(ascii: ":") || (0x61...0x66).contains(byte | 0x20)
  }
  private static func isPathByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || "-._~!$&'()*+,;=:%/".utf8.contains(byte)
  }
}

/// Why a text is no `ServerURL`, to be read behind its name: `server.url has no host name …`.
public struct ServerURLError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
