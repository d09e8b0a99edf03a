import Foundation
import Simulator

/// One test's whole set-up: a server, lines, the daemon between them.
final class GatewayUnderTest {
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

  func end() async {
    daemon.kill()
    await server.stop()
  }
}
