import CCurl
import EventLoop
import Glibc
import Testing

@testable import ThingsBoard

/// TLS, proxies and the ways a connection fails.
@Suite struct ConnectionTests {
  private func post(to options: ServerOptions) throws -> DeviceAPIError? {
    let loop = try EventLoop()
    return try loop.run {
      let api = try HTTPDeviceAPI(on: loop, server: options, token: Secret("A1_TEST_TOKEN"))
      return await failure { () async throws(DeviceAPIError) in try await api.postTelemetry(HTTPDeviceAPITests.batch) }
    }
  }

  private func options(_ url: String, _ change: (inout ServerOptions) -> Void = { _ in }) throws -> ServerOptions {
    var options = ServerOptions(url: try ServerURL(url))
    change(&options)
    return options
  }

  static let files: [(String, @Sendable (inout TLSOptions) -> Void)] = [
    ("/nowhere/ca.pem", { $0.authorities = "/nowhere/ca.pem" }),
    ("/nowhere/cert.pem", { $0.certificate = "/nowhere/cert.pem" }),
    (
      "/nowhere/key.pem",
      {
        $0.certificate = "/nowhere/cert.pem"
        $0.key = "/nowhere/key.pem"
      }
    ),
  ]

  @Test(arguments: files.indices) func aFileThatIsMissingIsNamed(_ index: Int) throws {
    let server = ScriptedServer([])
    defer { server.stop() }
    let error = try post(to: options("https://127.0.0.1:\(server.port)") { Self.files[index].1(&$0.tls) })
    #expect(error?.code == .certificate)
    #expect(error?.message.contains("/nowhere/") == true)
  }

  @Test func aNameNobodyKnowsIsToldFromAServerThatIsDown() throws {
    // A label of more than 63 bytes (RFC 1035, 2.3.4) fails without a question to anybody.
    let error = try post(to: options("http://\(String(repeating: "a", count: 64)).invalid"))
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("name server") == true)
  }

  // MARK: Proxy

  @Test func aProxyIsUsedAndItsPasswordNotShown() throws {
    let proxy = ScriptedServer([
      .status(200), .status(407, body: "u:TOP_SECRET"), .status(502, body: "TOP_SECRET is fine"),
    ])
    defer { proxy.stop() }
    let options = try options("http://thingsboard.invalid") {
      $0.proxy.url = Secret("http://u:TOP_SECRET@127.0.0.1:\(proxy.port)")
    }
    #expect(try post(to: options) == nil)
    #expect(proxy.requests[0].head.hasPrefix("POST http://thingsboard.invalid/api/v1/A1_TEST_TOKEN/telemetry HTTP/1.1"))
    #expect(proxy.requests[0].head.contains("Proxy-Authorization: Basic dTpUT1BfU0VDUkVU"))
    let login = try post(to: options)
    #expect(login?.code == .notThingsBoard)
    #expect(login?.message.contains("proxy") == true)
    let broken = try post(to: options)
    #expect(broken?.code == .unavailable)
    #expect(broken?.message.contains("TOP_SECRET") == false)
  }

  /// A proxy repeats the password as it is meant, a URL has it percent-encoded.
  @Test(arguments: ["p@ss-4711", "p%40ss-4711"]) func aPasswordIsMaskedAsItIsMeantToo(_ repeated: String) throws {
    let proxy = ScriptedServer([.status(503, body: "gate:\(repeated) has to wait")])
    defer { proxy.stop() }
    let error = try post(
      to: options("http://thingsboard.invalid") {
        $0.proxy.url = Secret("http://gate:p%40ss-4711@127.0.0.1:\(proxy.port)")
      })
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("has to wait") == true)
    #expect(error?.message.contains("4711") == false)
  }

  @Test func aTunnelThatIsRefusedIsTheProxys() throws {
    let proxy = ScriptedServer([.status(403, body: "no")])
    defer { proxy.stop() }
    let error = try post(
      to: options("https://thingsboard.invalid") {
        $0.proxy.url = Secret("http://u:TOP_SECRET@127.0.0.1:\(proxy.port)")
      })
    #expect(proxy.requests[0].head.hasPrefix("CONNECT thingsboard.invalid:443 HTTP/1.1"))
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("proxy") == true)
  }

  @Test(arguments: ["http://u:TOP_SECRET@:::", "gopher://u:TOP_SECRET@127.0.0.1:1", "http://u:TOP_SECRET@127.0.0.1:1"])
  func aProxyThatIsNoneShowsNoPassword(_ url: String) throws {
    let error = try post(to: options("http://thingsboard.invalid") { $0.proxy.url = Secret(url) })
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("TOP_SECRET") == false)
  }

  @Test func anExceptionGoesRoundTheProxy() throws {
    let server = ScriptedServer([])
    defer { server.stop() }
    let error = try post(
      to: options(server.url) {
        $0.proxy.url = Secret("http://127.0.0.1:1")
        $0.proxy.exceptions = ["example.invalid", "127.0.0.1"]
      })
    #expect(error == nil)
  }

  @Test func anIPv6AddressStandsInBrackets() throws {
    let server = ScriptedServer([], isIPv6: true)
    defer { server.stop() }
    #expect(try post(to: options("http://[::1]:\(server.port)")) == nil)
    #expect(server.requests[0].head.contains("Host: [::1]:\(server.port)"))
  }

  // MARK: Peers that are gone

  /// A server takes a half-dead socket for a waiting poll, and hands it commands.
  @Test(arguments: [true, false]) func theKernelWatchesThePeer(_ probes: Bool) {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    PeerWatch(probesSilence: probes).apply(to: descriptor)
    func option(_ level: CInt, _ name: CInt) -> CInt {
      var value: CInt = -1
      var length = socklen_t(MemoryLayout<CInt>.size)
      getsockopt(descriptor, level, name, &value, &length)
      return value
    }
    let tcp = CInt(IPPROTO_TCP)
    #expect(option(tcp, TCP_USER_TIMEOUT) == 20_000)
    #expect(option(SOL_SOCKET, SO_KEEPALIVE) == (probes ? 1 : 0))
    if probes { #expect([option(tcp, TCP_KEEPIDLE), option(tcp, TCP_KEEPINTVL)] == [15, 5]) }
  }

  // MARK: What libcurl's results mean

  static let results: [(UInt32, String, Int, HTTPFailure.Code)] = [
    (60, "SSL certificate problem: certificate is not yet valid", 9, .certificate(.clock)),
    (60, "SSL certificate problem: certificate has expired", 10, .certificate(.expired)),
    (60, "SSL certificate problem: self-signed certificate", 18, .certificate(.issuer)),
    (60, "SSL: no alternative certificate subject name matches target host name 'x'", 0, .certificate(.other)),
    (90, "SSL: public key does not match pinned public key", 0, .pin),
    (58, "could not load PEM client certificate", 0, .certificateFile),
    (77, "error setting certificate verify locations", 0, .certificateFile),
    (
      56, "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0", 0,
      .ownCertificate
    ),
    (35, "error:0A000418:SSL routines::tlsv1 alert unknown ca", 0, .ownCertificate),
    (35, "error:0A00010B:SSL routines::wrong version number", 0, .tls),
    (56, "Recv failure: Connection reset by peer", 0, .reset),
    (92, "HTTP/2 stream 5 was not closed cleanly: REFUSED_STREAM (err 7)", 0, .reset),
    (16, "Error in the HTTP2 framing layer", 0, .reset),
    (52, "Empty reply from server", 0, .reset),
    (28, "Resolving timed out after 10000 milliseconds", 0, .nameResolution),
    (28, "Operation timed out after 35000 milliseconds with 0 bytes received", 0, .timeout),
    (56, "CONNECT tunnel failed, response 407", 0, .proxy),
  ]

  @Test(arguments: results) func aResult(
    _ result: UInt32, _ words: String, _ verification: Int, _ code: HTTPFailure.Code
  ) {
    #expect(HTTPFailure.Code(CURLcode(result), words: words, verification: verification) == code)
  }

  /// Passes by itself: retried soon, and no error-level line.
  @Test func aClockThatIsNotSetIsNoBadCertificate() {
    let failure = HTTPFailure(code: .certificate(.clock), message: "certificate is not yet valid")
    let error = DeviceAPIError(failure, mask: Mask([]))
    #expect(error.code == .unreachable)
    #expect(error.message.contains("the clock reads \(Clock.day)"))
    #expect(Clock.day.utf8.count == 10)
  }
}
