import Foundation
import Simulator

/// One test's whole set-up: a server, lines, the daemon between them.
final class GatewayUnderTest: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.
  static let token = "E2E_T0KEN_7f3a9c51d2"

  let scratch: Scratch
  let server: DeviceServer
  let daemon: DaemonProcess
  private(set) var lines: [String: PtyLine] = [:]

  /// - Parameters:
  ///   - sensors: Port name to the YAML of its one sensor's format, `template: "N={n}"`.
  ///   - more: Further sections.
  init(
    _ sensors: [(port: String, format: String)] = [("line", #"template: "N={n}""#)], more: String = "",
    url: String? = nil, environment: [String: String] = [:]
  ) async throws {
    scratch = try Scratch()
    server = DeviceServer(ServerOptions(tokens: [Self.token]))
    let port = try await server.start()
    daemon = DaemonProcess(in: scratch, environment: environment)
    var ports = ""
    var texts = ""
    for (name, format) in sensors {
      lines[name] = try PtyLine(scratch.file("tty-\(name)"))
      ports += "  \(name): {path: \(scratch.file("tty-\(name)")), baud: 115200}\n"
      texts += "  \(name)-sensor:\n    port: \(name)\n    protocol: line\n    \(format)\n"
    }
    try scratch.write(
      """
      server:
        url: \(url ?? "http://127.0.0.1:\(port)")
      device:
        name: e2e
        token: \(Self.token)
      state_directory: \(scratch.file("state"))
      ports:
      \(ports)sensors:
      \(texts)\(more)
      """, to: "baudgate.yaml")
  }

  /// With a configuration of the test's own.
  ///
  /// - Parameters:
  ///   - ports: Port names, each a line at `tty-NAME` in the scratch directory.
  ///   - configuration: Makes the YAML from the set-up so far: the server's URL, and the scratch directory's files.
  init(
    _ options: ServerOptions = ServerOptions(tokens: [token]), ports: [String] = [],
    environment: [String: String] = [:],
    configuration: (_ url: String, _ scratch: Scratch) throws -> String
  ) async throws {
    scratch = try Scratch()
    server = DeviceServer(options)
    let port = try await server.start()
    daemon = DaemonProcess(in: scratch, environment: environment)
    for name in ports { lines[name] = try PtyLine(scratch.file("tty-\(name)")) }
    let text = try configuration("http://127.0.0.1:\(port)", scratch)
    try scratch.write(text + "\nstate_directory: \(scratch.file("state"))\n", to: "baudgate.yaml")
  }

  var line: PtyLine { get throws { try line("line") } }

  func line(_ name: String) throws -> PtyLine {
    guard let line = lines[name] else { throw DaemonProcess.Failure("no line \(name)") }
    return line
  }

  /// Starts the daemon and sends the empty line that ends what it must drop after opening a port.
  func start() async throws {
    try daemon.start()
    try await waitUntilOpen()
    for line in lines.values { try line.send("\n") }
  }

  func waitUntilOpen() async throws {
    let names = lines.keys
    let daemon = daemon
    var isOpen = false
    for _ in 0..<1000 where !isOpen {
      let ports = try daemon.status()["ports"] as? [String: [String: Any]] ?? [:]
      isOpen = names.allSatisfy { ports[$0]?["state"] as? String == "open" }
      if !isOpen { try await Task.sleep(for: .milliseconds(10)) }
    }
    if !isOpen { throw DaemonProcess.Failure("the ports did not open; the log:\n\(daemon.log)") }
  }

  /// The numbers the server holds under `key`.
  func numbers(_ key: String = "n") -> [Int] {
    server.values(of: key, token: Self.token).compactMap { Double($0.text) }.map { Int($0) }
  }

  /// Waits until the server holds `count` values of `key`.
  func arrived(_ count: Int, of key: String = "n", within limit: Duration = .seconds(60)) async -> Bool {
    let server = server
    return await server.wait(upTo: limit) { server.count(of: key, token: Self.token) >= count }
  }

  /// Waits until the daemon has polls of this kind before the server.
  func isPolling(_ kind: RequestKind = .pollCommands, token: String = token) async -> Bool {
    let server = server
    return await server.wait(upTo: .seconds(30)) { server.openPolls(kind, token: token) > 0 }
  }

  /// Sends a command and waits for its reply.
  func ask(
    _ method: String, _ params: String = "null", token: String = token, within limit: Duration = .seconds(20)
  ) async -> String? {
    let id = server.sendCommand(method, params: params, token: token, lifetime: .seconds(60))
    return await server.waitForReply(to: id, token: token, within: limit)
  }

  /// The command line, as a user of this gateway types it.
  ///
  /// Waits on a thread of its own: it may be the test's server, on this process's few, that it waits for.
  func baudgate(_ arguments: String...) async throws -> (status: CInt, output: String, errors: String) {
    try await baudgate(arguments)
  }

  func baudgate(_ arguments: [String]) async throws -> (status: CInt, output: String, errors: String) {
    let words = ["\(DaemonProcess.directory)/baudgate"] + arguments + ["--config", scratch.file("baudgate.yaml")]
    let environment = ["RUNTIME_DIRECTORY": scratch.file("run"), "PATH": "/usr/bin:/bin"]
    return try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Result { try DaemonProcess.run(words, environment: environment) })
      }
    }
  }

  func end() async {
    daemon.kill()
    await server.stop()
  }
}
