import Foundation
import Simulator
import Testing

/// A real nginx in front of the server: TLS, HTTP/2, client certificates, its limits, its own pages, its reloads.
@Suite(.serialized) struct NginxTests {
  private static let token = GatewayUnderTest.token

  /// A server, nginx before it, and a daemon that knows only nginx.
  private struct Setup {
    let gateway: GatewayUnderTest
    let nginx: NginxProxy
    let directory: Scratch

    /// - Parameter tls: The YAML of `server.tls`.
    init(
      _ options: NginxProxy.Options, serverOptions: ServerOptions = ServerOptions(tokens: [token]), host: String? = nil,
      more: String = "", tls: (NginxProxy) -> String
    ) async throws {
      let directory = try Scratch()
      let box = Box()
      gateway = try await GatewayUnderTest(serverOptions, ports: ["line"]) { url, scratch in
        box.upstream = url
        return ""
      }
      nginx = try await NginxProxy(upstream: box.upstream, directory: directory.path, options: options)
      self.directory = directory
      let scratch = gateway.scratch
      try FileManager.default.createDirectory(atPath: scratch.file("chip"), withIntermediateDirectories: false)
      let url = host.map { "https://\($0):\(nginx.port)" } ?? nginx.url
      try scratch.write(
        """
        server: {url: "\(url)", tls: {\(tls(nginx))}}
        device: {token: \(token)}
        state_directory: \(scratch.file("state"))
        ports:
          line: {path: \(scratch.file("tty-line")), baud: 115200}
        sensors:
          climate: {port: line, protocol: line, template: "N={n}"}
        gpio: {chip: "simulated:\(scratch.file("chip"))", lines: {relay: {line: 23, direction: output}}}
        \(more)
        """, to: "baudgate.yaml")
    }

    private final class Box { var upstream = "" }

    func end() async {
      await gateway.end()
      nginx.stop()
    }
  }

  private static func options(_ change: (inout NginxProxy.Options) -> Void = { _ in }) -> NginxProxy.Options {
    var options = NginxProxy.Options()
    change(&options)
    return options
  }

  @Test(arguments: [false, true]) func everythingThroughTLS(http2: Bool) async throws {
    let setup = try await Setup(
      Self.options {
        $0.http2 = http2
        $0.requiresClientCertificate = true
      }
    ) {
      #"ca: \#($0.caFile ?? ""), cert: \#($0.clientCertificate ?? ""), key: \#($0.clientKey ?? ""), pin: "\#($0.pin ?? "")", min_version: "1.3""#
    }
    let gateway = setup.gateway
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)\(setup.nginx.errorLog)")
    #expect(await gateway.ask("setGpio", #"{"pin":23,"value":1}"#) == #"{"pin":"relay","value":1}"#)
    let version = http2 ? "HTTP/2.0" : "HTTP/1.1"
    // nginx logs a request at its end: a poll's may be under way.
    #expect(setup.nginx.accessLog.contains { $0.contains(version) }, "\(setup.nginx.accessLog)")
    let uplink = try gateway.daemon.status()["uplink"] as? [String: Any]
    #expect(uplink?["bytes_sent_today"] as? Int ?? 0 > 2000, "TLS is counted")
    await setup.end()
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let options: NginxProxy.Options
    let tls: @Sendable (NginxProxy) -> String
    let words: String
  }

  static let refusals = [
    Refusal(testDescription: "an unknown authority", options: options(), tls: { _ in "" }, words: "certificate"),
    Refusal(
      testDescription: "another key than the pinned one", options: options(),
      tls: { "ca: \($0.caFile ?? ""), pin: \"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"" }, words: "pin"),
    Refusal(
      testDescription: "no client certificate", options: options { $0.requiresClientCertificate = true },
      tls: { "ca: \($0.caFile ?? "")" }, words: "certificate"),
    Refusal(
      testDescription: "an expired certificate", options: options { $0.validity = .expired },
      tls: { "ca: \($0.caFile ?? "")" },
      words: "expired"),
    Refusal(
      testDescription: "a certificate that is not valid yet", options: options { $0.validity = .notYet },
      tls: { "ca: \($0.caFile ?? "")" }, words: "clock"),
  ]

  @Test(arguments: refusals) func refusalsAreTold(_ refusal: Refusal) async throws {
    let setup = try await Setup(refusal.options, tls: refusal.tls)
    let gateway = setup.gateway
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(try await eventually { gateway.daemon.log.contains(refusal.words) }, "\(gateway.daemon.log)")
    #expect(gateway.daemon.isRunning)
    #expect((try gateway.daemon.status()["queue"] as? [String: Any])?["records"] as? Int == 1, "the reading is kept")
    #expect(gateway.server.counters.requests == 0)
    #expect(!gateway.daemon.log.contains(Self.token))
    await setup.end()
  }

  @Test func overIPv6() async throws {
    let setup = try await Setup(Self.options { $0.ipv6 = true }, host: "[::1]") { "ca: \($0.caFile ?? "")" }
    try await setup.gateway.start()
    try setup.gateway.line.send("N=1\n")
    #expect(await setup.gateway.arrived(1), "\(setup.gateway.daemon.log)")
    await setup.end()
  }

  /// nginx's limit is far below the server's: the batch is halved until it passes, and nothing is lost.
  @Test func aBodyLimitIsFoundOut() async throws {
    let setup = try await Setup(
      Self.options { $0.maxBodySize = "2k" }, more: "upload: {interval: 1s, max_batch: 5000, max_bytes: 1MB}"
    ) { "ca: \($0.caFile ?? "")" }
    let gateway = setup.gateway
    await gateway.server.cutOff()
    try await gateway.start()
    try gateway.line.send((0..<500).map { "N=\($0)\n" }.joined())
    #expect(
      try await eventually { ((try gateway.daemon.status()["queue"] as? [String: Any])?["records"] as? Int) == 500 })
    try await gateway.server.bringBack()
    #expect(await gateway.arrived(500), "\(gateway.daemon.log)")
    #expect(gateway.numbers().sorted() == Array(0..<500))
    await setup.end()
  }

  /// Its own 502 while the server is away, then 504 for polls it cuts short: what is sent arrives, commands come.
  @Test func badGatewayAndGatewayTimeout() async throws {
    let setup = try await Setup(Self.options { $0.readTimeout = "12s" }) { "ca: \($0.caFile ?? "")" }
    let gateway = setup.gateway
    await gateway.server.cutOff()
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(try await eventually { gateway.daemon.log.contains("502") }, "\(gateway.daemon.log)")
    try await gateway.server.bringBack()
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)")
    // Two polls are cut at the same age, then they are shorter.
    let nginx = setup.nginx
    #expect(
      try await eventually(within: .seconds(60)) { nginx.accessLog.filter { $0.contains("504") }.count >= 2 },
      "\(nginx.accessLog)")
    #expect(await gateway.isPolling())
    #expect(await gateway.ask("setGpio", #"{"pin":23,"value":1}"#) == #"{"pin":"relay","value":1}"#)
    await setup.end()
  }

  /// nginx is reloaded in the middle of polls, again and again: a GOAWAY over HTTP/2, a closed connection over HTTP/1.1.
  /// Two-way commands that come meanwhile are carried out once each.
  @Test(arguments: [false, true]) func reloadsInTheMiddleOfPolls(http2: Bool) async throws {
    let setup = try await Setup(Self.options { $0.http2 = http2 }) { "ca: \($0.caFile ?? "")" }
    let gateway = setup.gateway
    try await gateway.start()
    #expect(await gateway.isPolling())
    let line = try gateway.line
    _ = line.received()
    var replies: [String?] = []
    for turn in 0..<6 {
      try await setup.nginx.reload()
      async let reply = gateway.ask(
        "serialWrite", #"{"port":"line","text":"\#(turn)\n"}"#, within: .seconds(40))
      replies.append(await reply)
      try gateway.line.send("N=\(turn)\n")
    }
    #expect(replies == Array(repeating: #"{"written":2}"#, count: 6), "\(gateway.daemon.log)")
    #expect(line.received() == "0\n1\n2\n3\n4\n5\n")
    #expect(await gateway.arrived(6))
    #expect(!gateway.daemon.log.contains("<3>"), "a reload is no error:\n\(gateway.daemon.log)")
    await setup.end()
  }
}
