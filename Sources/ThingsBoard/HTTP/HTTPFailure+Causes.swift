internal import CCurl
internal import Telemetry

extension HTTPFailure.Code {
  /// What libcurl's result means.
  ///
  /// - Parameters:
  ///   - words: libcurl's text, which alone tells a refused client certificate from other ends of a connection.
  ///   - verification: CURLINFO_SSL_VERIFYRESULT, one of OpenSSL's X509_V_ERR_….
  init(_ result: CURLcode, words: String, verification: Int) {
    self =
      switch result {
      case CURLE_COULDNT_RESOLVE_HOST: .nameResolution
      case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: .proxy
      case _ where words.hasPrefix("Unsupported proxy"): .proxy
      case CURLE_COULDNT_CONNECT: .connection
      case CURLE_OPERATION_TIMEDOUT: words.hasPrefix("Resolving") ? .nameResolution : .timeout
      case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
        .certificate(HTTPFailure.Verification(verification))
      case CURLE_SSL_PINNEDPUBKEYNOTMATCH: .pin
      case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM: .certificateFile
      case CURLE_SSL_CLIENTCERT: .ownCertificate
      case _ where Self.refusesCertificate(words): .ownCertificate
      case CURLE_SSL_CONNECT_ERROR: .tls
      case CURLE_RECV_ERROR where words.mentions("CONNECT"): .proxy
      case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM:
        .reset
      default: .other
      }
  }

  /// With TLS 1.3 the server's judgement of our certificate comes after the handshake, as an alert in the first read.
  ///
  /// Source: RFC 8446, 6.2; OpenSSL's SSL_alert_desc_string_long(3).
  private static func refusesCertificate(_ words: String) -> Bool {
    words.mentions(" alert ") && (words.mentions("certificate") || words.mentions("unknown ca"))
  }
}

extension HTTPFailure.Verification {
  /// Source: openssl/x509_vfy.h.
  init(_ result: Int) {
    self =
      switch result {
      case _ where Clock.isPlainlyWrong, 9: .clock
      case 10: .expired
      case 2, 18, 19, 20, 21: .issuer
      default: .other
      }
  }
}
