extension DeviceAPIError {
  /// A request without an answer, in words for a person.
  init(_ failure: HTTPFailure, mask: Mask) {
    let words = mask(failure.message)
    switch failure.code {
    case .cancelled:
      self.init(.cancelled, "the request was given up")
    case .overfull:
      self.init(.unavailable, "is slower than what is asked of it: \(words)")
    case .nameResolution:
      self.init(.unreachable, "cannot be reached: \(words); check the network and its name server")
    case .proxy:
      self.init(.unreachable, "cannot be reached through the proxy: \(words); check server.proxy")
    case .timeout:
      self.init(.unreachable, "did not answer in time: \(words)")
    case .reset where failure.answerBegan:
      self.init(.unreachable, "began an answer that was cut off: \(words)")
    case .connection, .reset, .other:
      self.init(.unreachable, "cannot be reached: \(words)")
    case .tls:
      self.init(.unreachable, "cannot be reached: TLS failed: \(words)")
    case .certificate(.clock):
      // Passes by itself as soon as the clock is set: not for a person, and to be tried again soon.
      self.init(
        .unreachable,
        """
        cannot be trusted yet: the clock reads \(Clock.day), and certificates cannot be checked before it is set; \
        retrying by itself (\(words))
        """)
    case .certificate(.expired):
      self.init(.certificate, "has a certificate that has expired: renew it on the server (\(words))")
    case .certificate(.issuer):
      self.init(
        .certificate, "has a certificate nobody trusted here has signed: name its authority in server.tls.ca (\(words))"
      )
    case .certificate(.other):
      self.init(
        .certificate, "has a certificate that is not accepted: check the name in server.url, and server.tls (\(words))")
    case .pin:
      self.init(
        .certificate,
        """
        has another public key than server.tls.pin: somebody is in between, or the server has a new key; correct the \
        pin only where it has
        """)
    case .certificateFile:
      self.init(
        .certificate, "cannot be asked: a file of server.tls cannot be used: \(words); check ca, cert and key there")
    case .ownCertificate:
      self.init(
        .certificate, "does not accept this client's certificate: check server.tls.cert and server.tls.key (\(words))")
    }
  }
}
