internal import ThingsBoard
internal import YAML

extension ProxyOptions {
  /// What libcurl speaks to a proxy. CURLOPT_PROXY(3).
  private static let schemes = ["http", "https", "socks5", "socks5h"]
  static let exceptionLimit = 64
  /// Bytes of the longest URL of a proxy.
  static let longestURL = 1024
  private static let form = "http://[USER:PASSWORD@]HOST:PORT, or the same with https, socks5 or socks5h"

  /// Reads `proxy` and `no_proxy` of `server`, whose reader hides values.
  init(from reader: inout MappingReader) {
    self.init()
    if let text = reader.nonEmptyString("proxy") {
      if let problem = Self.problem(of: text) {
        reader.error(at: "proxy", "\(reader.path(of: "proxy")) \(problem) (not shown); expected \(Self.form)")
      } else {
        url = Secret(text)
      }
    }
    guard let hosts = Self.hosts(&reader) else { return }
    exceptions = hosts
    if !reader.has("proxy") {
      reader.warning(at: "no_proxy", "\(reader.path(of: "no_proxy")) means nothing without \(reader.path(of: "proxy"))")
    }
  }

  /// Why `text` is no proxy's URL, without repeating it.
  private static func problem(of text: String) -> String? {
    if text.utf8.count > longestURL { return "is longer than \(longestURL) bytes" }
    if text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
      return "has a space, a control character or one beyond ASCII in it"
    }
    guard let (scheme, rest) = parts(of: text), schemes.contains(scheme.lowercased()) else {
      return "does not begin with http://, https://, socks5:// or socks5h://"
    }
    let authority = rest.last == "/" ? rest.dropLast() : rest
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    guard let server = try? ServerURL("http://\(host)"), server.base.isEmpty else {
      return "has a host or a port that cannot be one"
    }
    return nil
  }

  /// `http` and `user:password@host:port` of a URL.
  private static func parts(of text: String) -> (scheme: Substring, rest: Substring)? {
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
    return (text[..<colon], text[colon...].dropFirst(3))
  }

  /// A list, or one text with commas, as the environment's `no_proxy` is written.
  private static func hosts(_ reader: inout MappingReader) -> [String]? {
    guard let node = reader.node("no_proxy") else { return nil }
    let hosts: [String]
    if let text = node.text {
      hosts = text.split(separator: ",", omittingEmptySubsequences: false).map {
        String(decoding: $0.utf8.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
      }
    } else if case .sequence = node.value {
      guard let items = reader.strings("no_proxy") else { return nil }
      hosts = items
    } else {
      reader.mismatch("no_proxy", expected: "hosts such as [localhost, .example.com, 192.168.0.0/16]")
      return nil
    }
    guard hosts.count <= exceptionLimit else {
      reader.error(
        at: "no_proxy",
        "\(reader.path(of: "no_proxy")) has \(hosts.count) entries; at most \(exceptionLimit) are possible")
      return nil
    }
    for host in hosts where host.isEmpty || !host.utf8.allSatisfy(isHostByte) {
      reader.error(
        at: "no_proxy",
        "\(reader.path(of: "no_proxy")) has \(quoted(host)); expected hosts such as localhost, .example.com, "
          + "192.168.0.0/16 or *, without scheme and port")
    }
    return hosts
  }

  /// Names, addresses, networks and `*`. CURLOPT_NOPROXY(3).
  private static func isHostByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || ".-_:/[]*".utf8.contains(byte) }
}

/// Of ASCII.
func isAlphanumeric(_ byte: UInt8) -> Bool {
  (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
}
