internal import CCurl
internal import Glibc

/// What was found out about the server and this machine's libcurl, for all clients of a server.
final class ServerTraits: @unchecked Sendable {
  // @unchecked: made once, and then used on the loop alone.

  /// Whether the server's last answer over https came over HTTP/1.1; before the first it is taken to know HTTP/2.
  var speaksHTTP1 = false

  /// Whether libcurl's own file of authorities can be read: with the file alone it is read once for all connections, with
  /// the directory beside it for each anew, which takes 800 KB and many milliseconds of each.
  ///
  /// Source: CURLOPT_CA_CACHE_TIMEOUT(3); lib/vtls/openssl.c, `Curl_ssl_setup_x509_store`.
  let hasAuthoritiesFile: Bool

  init() {
    var path: UnsafeMutableRawPointer?
    if let easy = curl_easy_init() {
      bg_easy_get_pointer(easy, CURLINFO_CAINFO, &path)
      // Before the handle goes, whose the text may be.
      hasAuthoritiesFile = path.map { access($0.assumingMemoryBound(to: CChar.self), R_OK) == 0 } ?? false
      curl_easy_cleanup(easy)
    } else {
      hasAuthoritiesFile = false
    }
  }
}
