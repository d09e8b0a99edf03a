internal import Foundation
internal import Synchronization

/// A real nginx in front of a server, as Debian packages it: what many installations have between device and ThingsBoard.
///
/// It runs in the foreground with everything it writes in a directory of its own, and answers 413, 502 and 504 with its own
/// pages. Its error log names the paths of failed requests, tokens included: it is a test's file.
public final class NginxProxy: Sendable {
  /// When the server's certificate is valid.
  public enum Validity: Sendable, Hashable { case current, expired, notYet }

  public struct Options: Sendable {
    /// Certificates are made for it.
    public var tls = true
    /// HTTP/2 beside HTTP/1.1, over TLS only.
    public var http2 = false
    /// `http2_max_concurrent_streams`, nginx's own default.
    public var maxStreams = 128
    /// Refuses clients without a certificate of the CA, with a page of status 400.
    public var requiresClientCertificate = false
    /// Listens on `[::1]` as well.
    public var ipv6 = false
    /// `client_max_body_size`, nginx's own default.
    public var maxBodySize = "1m"
    /// `proxy_read_timeout`, `60s` by default; a poll that is silent for longer ends with a 504 page.
    public var readTimeout = "60s"
    public var validity = Validity.current

    public init() {}
  }

  /// `https://localhost:PORT`, or `http`.
  public let url: String
  public let port: UInt16
  /// The authority that signed both certificates; `nil` without TLS, as those that follow.
  public let caFile: String?
  public let clientCertificate: String?
  public let clientKey: String?
  /// `sha256//…` of the server's public key.
  public let pin: String?
  private let upstream: String
  private let directory: String
  private let certificates: Certificates?
  private let state: Mutex<State>

  private struct State {
    var options: Options
    /// `nil` once it was stopped.
    var process: Process?
  }

  /// Starts nginx and waits until it listens.
  ///
  /// - Parameters:
  ///   - upstream: Where requests go, `http://127.0.0.1:PORT`; nothing has to listen there.
  ///   - directory: An existing, fresh one; it is left as it is at the end.
  /// - Throws: ``ProxyError``, with nginx's own words where it has any.
  public init(
    upstream: String, directory: String, options: Options = Options()
  ) async throws(ProxyError) {
    certificates = options.tls ? try await Certificates(in: directory, validity: options.validity) : nil
    port = try Self.freePort()
    self.upstream = upstream
    self.directory = directory
    url = "\(options.tls ? "https" : "http")://localhost:\(port)"
    caFile = certificates?.caFile
    clientCertificate = certificates?.clientCertificate
    clientKey = certificates?.clientKey
    pin = certificates?.pin
    state = Mutex(State(options: options))
    try configure(options)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try Command.find("nginx"))
    process.arguments = ["-p", directory, "-c", configurationFile, "-e", "\(directory)/error.log"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { throw ProxyError("cannot start nginx: \(error)") }
    state.withLock { $0.process = process }
    guard await eventually({ Self.accepts(port) }) else {
      stop()
      throw ProxyError("nginx does not listen: \(errorLog.suffix(2000))")
    }
  }

  deinit { stop() }

  /// nginx's error log with its notices.
  public var errorLog: String { (try? String(contentsOfFile: "\(directory)/error.log", encoding: .utf8)) ?? "" }

  /// One line for each request, without its path: `POST 200 HTTP/2.0`.
  public var accessLog: [String] {
    let text = (try? String(contentsOfFile: "\(directory)/access.log", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  /// Reads the configuration again, as `systemctl reload nginx`: a new worker takes over, the old one finishes what it has
  /// (HTTP/2 clients get a GOAWAY) and closes idle connections. Returns once new connections are the new worker's.
  ///
  /// - Parameter change: Other options; TLS, its certificates' validity and the addresses stay as they were at the start.
  /// - Throws: ``ProxyError``.
  public func reload(_ change: (inout Options) -> Void = { _ in }) async throws(ProxyError) {
    let options = state.withLock { state in
      var options = state.options
      change(&options)
      options.tls = state.options.tls
      options.ipv6 = state.options.ipv6
      state.options = options
      return options
    }
    try configure(options)
    let retired = retiredWorkers
    guard signal(SIGHUP), await eventually({ self.retiredWorkers > retired }) else {
      throw ProxyError("nginx did not reload: \(errorLog.suffix(2000))")
    }
  }

  /// Ends nginx at once, open connections with it.
  public func stop() {
    let running = state.withLock { state in
      defer { state.process = nil }
      return state.process
    }
    guard let running, running.isRunning else { return }
    // SIGTERM is nginx's fast shutdown; its workers end with it.
    kill(running.processIdentifier, SIGTERM)
    running.waitUntilExit()
  }

  private var configurationFile: String { "\(directory)/nginx.conf" }

  private func configure(_ options: Options) throws(ProxyError) {
    let text = Self.configuration(
      upstream: upstream, directory: directory, port: port, options: options, certificates: certificates)
    do { try text.write(toFile: configurationFile, atomically: true, encoding: .utf8) } catch {
      throw ProxyError("cannot write to \(directory): \(error)")
    }
  }

  private func signal(_ number: CInt) -> Bool {
    state.withLock { state in
      guard let process = state.process, process.isRunning else { return false }
      return kill(process.processIdentifier, number) == 0
    }
  }

  /// The old worker says so and then closes its listening sockets; before that it may still take a connection.
  private var retiredWorkers: Int { errorLog.components(separatedBy: "gracefully shutting down").count }

  /// Looks until it holds or nginx ends or ten seconds are over. nginx reports its readiness to nobody.
  private func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<1000 {
      if condition() { return true }
      if state.withLock({ $0.process?.isRunning != true }) { return false }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return false
  }

  private static func accepts(_ port: UInt16) -> Bool {
    withSocket({ descriptor, address, length in connect(descriptor, address, length) == 0 }, at: port)
  }

  /// Below the kernel's range for clients, see ``DeviceServer``.
  private static func freePort() throws(ProxyError) -> UInt16 {
    for _ in 0..<100 {
      let port = UInt16.random(in: 20_000...32_000)
      if withSocket({ descriptor, address, length in bind(descriptor, address, length) == 0 }, at: port) { return port }
    }
    throw ProxyError("no free port")
  }

  private static func withSocket(
    _ call: (CInt, UnsafePointer<sockaddr>, socklen_t) -> Bool, at port: UInt16
  ) -> Bool {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
