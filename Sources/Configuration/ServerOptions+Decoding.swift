internal import ThingsBoard
internal import YAML

extension ServerOptions {
  /// Reads `server`, whose reader hides values: a URL may hold a password.
  init?(from reader: inout MappingReader) {
    reader.notYet("tls", "TLS settings; certificates are verified against the system's authorities")
    reader.notYet("proxy", "proxies")
    reader.notYet("link", "link control")
    reader.notYet("unreachable", "what to do while the server is out of reach")
    reader.require("url")
    var url: ServerURL?
    if let text = reader.string("url") {
      do throws(ServerURLError) {
        let found = try ServerURL(text)
        if found.scheme == .http, !found.isLoopback {
          reader.warning(
            at: "url", "\(reader.path(of: "url")): over http the token travels unencrypted; prefer https"
          )
        }
        url = found
      } catch {
        reader.error(at: "url", "\(reader.path(of: "url")) \(error)")
      }
    }
    guard reader.finish(hints: ["port": "write it into url: http://HOST:PORT", "host": "write it into url"]), let url
    else { return nil }
    self.init(url: url)
  }
}
