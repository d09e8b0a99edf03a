import Foundation
import Simulator
import Testing

/// The way to the server leads through a forward proxy, or past it.
@Suite(.serialized) struct ProxyTests {
  private static let token = GatewayUnderTest.token
  /// As it is meant, and as a URL has it.
  private static let (password, encoded) = ("p@ss-4711", "p%40ss-4711")

  /// A server, a proxy that leads to it or to nginx before it, and a daemon.
  private struct Setup {
    let gateway: GatewayUnderTest
    let proxy: ForwardProxy
    let nginx: NginxProxy?
    private let url: String
    private let directory: Scratch

    /// - Parameters:
    ///   - url: The daemon's; `nil` for `https` to nginx, through a tunnel, empty for the server's own.
    ///   - proxy: The YAML of `server.proxy` and its like, made from the proxy's port.
    init(
      url: String?, environment: [String: String] = [:], proxy yaml: (_ port: UInt16) -> String
    ) async throws {
      let directory = try Scratch()
      self.directory = directory
      gateway = try await GatewayUnderTest(ports: ["line"], environment: environment) { url, _ in "" }
      let own = gateway.server.url
      nginx = url == nil ? try await NginxProxy(upstream: own, directory: directory.path) : nil
      proxy = try ForwardProxy(to: nginx?.port ?? gateway.server.port ?? 0, login: "gate:\(password)")
      self.url = nginx?.url ?? (url?.isEmpty == false ? url : own) ?? own
      try configure(yaml(proxy.port))
    }

    func configure(_ proxy: String) throws {
      let scratch = gateway.scratch
      let tls = nginx.map { ", tls: {ca: \($0.caFile ?? "")}" } ?? ""
      try scratch.write(
        """
        server: {url: "\(url)", \(proxy)\(tls)}
        device: {token: \(token)}
        state_directory: \(scratch.file("state"))
        ports:
          line: {path: \(scratch.file("tty-line")), baud: 115200}
        sensors:
          climate: {port: line, protocol: line, template: "N={n}"}
        """, to: "baudgate.yaml")
    }

    func expectNoSecret() {
      for secret in [token, password, encoded] {
        #expect(!gateway.daemon.log.contains(secret), "\(gateway.daemon.log)")
      }
    }

    func end() async {
      await gateway.end()
      proxy.stop()
      nginx?.stop()
    }
  }

  private static func proxy(_ port: UInt16, password: String = encoded) -> String {
    #"proxy: "http://gate:\#(password)@127.0.0.1:\#(port)""#
  }

  /// A name that nothing resolves: who reaches the server has asked the proxy.
  private static let elsewhere = "http://thingsboard.invalid:8080"

  @Test(arguments: [elsewhere, nil]) func everythingGoesThroughIt(_ url: String?) async throws {
    let setup = try await Setup(url: url) { port in Self.proxy(port) }
    let gateway = setup.gateway
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)")
    #expect(
      await gateway.ask("serialWrite", #"{"port":"line","text":"x"}"#) == #"{"written":1}"#, "\(gateway.daemon.log)")
    let lines = setup.proxy.requestLines
    if url == nil {
      #expect(lines.allSatisfy { $0.hasPrefix("CONNECT localhost:") })
    } else {
      #expect(lines.contains("POST \(Self.elsewhere)/api/v1/\(Self.token)/telemetry HTTP/1.1"))
      #expect(lines.allSatisfy { $0.split(separator: " ")[1].hasPrefix("\(Self.elsewhere)/") })
    }
    #expect(!lines.isEmpty)
    #expect(gateway.daemon.terminate() == 0)
    setup.expectNoSecret()
    await setup.end()
  }

  @Test(arguments: [elsewhere, nil]) func aWrongPasswordIsTold(_ url: String?) async throws {
    let setup = try await Setup(url: url) { port in Self.proxy(port, password: "wr0ng-4711") }
    let gateway = setup.gateway
    try await gateway.start()
    try gateway.line.send("N=1\n")
    let daemon = gateway.daemon
    #expect(
      try await eventually { daemon.log.contains("407") && daemon.log.contains("check server.proxy") }, "\(daemon.log)")
    #expect((try daemon.status()["queue"] as? [String: Any])?["records"] as? Int == 1, "the reading is kept")
    #expect(daemon.terminate() == 0)
    #expect(!daemon.log.contains("wr0ng-4711"))
    #expect(gateway.server.counters.requests == 0)
    try setup.configure(Self.proxy(setup.proxy.port))
    try await gateway.start()
    #expect(await gateway.arrived(1), "\(daemon.log)")
    setup.expectNoSecret()
    await setup.end()
  }

  /// An exception goes past the configured proxy, and those of the environment are nobody's.
  @Test func exceptionsAndTheEnvironment() async throws {
    let nowhere = "http://127.0.0.1:1"
    let setup = try await Setup(
      url: "", environment: ["http_proxy": nowhere, "HTTP_PROXY": nowhere, "ALL_PROXY": nowhere, "all_proxy": nowhere]
    ) { Self.proxy($0) + ", no_proxy: [example.invalid, 127.0.0.0/8]" }
    let gateway = setup.gateway
    try await gateway.start()
    try gateway.line.send("N=1\n")
    #expect(await gateway.arrived(1), "\(gateway.daemon.log)")
    #expect(setup.proxy.requestLines.isEmpty)
    #expect(gateway.daemon.terminate() == 0)
    // Nor is one used where the file names none.
    try setup.configure("link: unmetered")
    try await gateway.start()
    try gateway.line.send("N=2\n")
    #expect(await gateway.arrived(2), "\(gateway.daemon.log)")
    setup.expectNoSecret()
    await setup.end()
  }
}
