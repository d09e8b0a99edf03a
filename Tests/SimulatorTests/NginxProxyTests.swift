import Foundation
import Simulator
import Testing

/// The proxy others put in front of the server, asked with curl(1).
@Suite(
  .enabled(
    if: ["/usr/sbin/nginx", "/usr/bin/openssl", "/usr/bin/curl"].allSatisfy(FileManager.default.isExecutableFile),
    "nginx, openssl or curl is missing: scripts/setup installs them"))
struct NginxProxyTests {
  @Test("TLS with a client certificate and HTTP/2; its own pages for too large, down and slow; a reload")
  func works() async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nginx-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await ServerBench.run { bench in
      var options = NginxProxy.Options()
      options.http2 = true
      options.requiresClientCertificate = true
      let proxy = try await NginxProxy(upstream: bench.server.url, directory: directory, options: options)
      let client = [
        "--cacert", try #require(proxy.caFile), "--cert", try #require(proxy.clientCertificate), "--key",
        try #require(proxy.clientKey),
      ]
      let url = proxy.url + "/api/v1/T/telemetry"
      #expect(try await curl(client + ["--http2", "-d", #"{"a":1}"#, url]) == "200 2")
      #expect(try await curl(client + ["--http1.1", "-d", #"{"a":2}"#, url]) == "200 1.1")
      #expect(try await curl(client + ["--pinnedpubkey", try #require(proxy.pin), "-d", #"{"a":3}"#, url]) == "200 2")
      #expect(try await curl(["--cacert", try #require(proxy.caFile), "-d", "{}", url]) == "400 2")
      // 60 is an unknown issuer, 90 a pin that differs.
      #expect(try await curl(["-d", "{}", url]) == "curl 60")
      #expect(
        try await curl(client + ["--pinnedpubkey", "sha256//" + String(repeating: "A", count: 43) + "=", url])
          == "curl 90")
      try String(repeating: " ", count: 1_100_000).write(
        toFile: directory + "/large", atomically: true, encoding: .utf8)
      #expect(try await curl(client + ["-d", "@\(directory)/large", url]) == "413 2")
      // A reload ends no poll: the old worker brings the answer, the new one takes the next connection.
      async let poll = curl(client + ["--http2", proxy.url + "/api/v1/T/rpc?timeout=20000"])
      let server = bench.server
      #expect(await server.wait(upTo: ServerBench.patience) { server.openPolls(.pollCommands) == 1 })
      // The old worker keeps its own time-out.
      try await proxy.reload { $0.readTimeout = "50ms" }
      bench.server.sendCommand("m", token: "T")
      #expect(try await poll == "200 2")
      // A poll that says nothing for longer than the proxy has patience.
      #expect(try await curl(client + [proxy.url + "/api/v1/T/attributes/updates?timeout=20000"]) == "504 2")
      await bench.server.stop()
      #expect(try await curl(client + ["-d", "{}", url]) == "502 2")
      #expect(!proxy.accessLog.joined().contains("/T/"))
      proxy.stop()
      #expect(try await curl(client + ["-d", "{}", url]) == "curl 7")
    }
  }

  @Test("A certificate that is not valid yet, and plain HTTP", arguments: [(true, "curl 60"), (false, "200 1.1")])
  func variants(tls: Bool, answer: String) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nginx-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await ServerBench.run { bench in
      var options = NginxProxy.Options()
      options.tls = tls
      options.validity = .notYet
      let proxy = try await NginxProxy(upstream: bench.server.url, directory: directory, options: options)
      let trust = proxy.caFile.map { ["--cacert", $0] } ?? []
      #expect(try await curl(trust + ["-d", #"{"a":1}"#, proxy.url + "/api/v1/T/telemetry"]) == answer)
      proxy.stop()
    }
  }

  @Test("It listens on IPv6 as well", .enabled(if: FileManager.default.fileExists(atPath: "/proc/net/if_inet6")))
  func ipv6() async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nginx-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await ServerBench.run { bench in
      var options = NginxProxy.Options()
      options.ipv6 = true
      let proxy = try await NginxProxy(upstream: bench.server.url, directory: directory, options: options)
      let url = "https://[::1]:\(proxy.port)/api/v1/T/telemetry"
      #expect(try await curl(["--cacert", try #require(proxy.caFile), "-d", #"{"a":1}"#, url]) == "200 1.1")
      proxy.stop()
    }
  }

  /// - Returns: `200 2`, status and HTTP version, or `curl 7`, the exit status of curl.
  private func curl(_ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
    process.arguments =
      ["-q", "-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"] + arguments
    process.environment = ["PATH": "/usr/bin:/bin"]
    let output = Pipe()
    process.standardOutput = output
    let ended = AsyncStream<Int32>.makeStream()
    process.terminationHandler = {
      ended.continuation.yield($0.terminationStatus)
      ended.continuation.finish()
    }
    try process.run()
    var status: Int32 = -1
    for await value in ended.stream { status = value }
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    return status == 0 ? text : "curl \(status)"
  }
}
