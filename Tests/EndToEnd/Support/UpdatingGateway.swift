import Foundation
import Simulator

/// A gateway that takes firmware: its install command is a shell script of the test, and so is its rollback.
struct UpdatingGateway: Sendable {
  static let token = GatewayUnderTest.token
  /// Bytes of a part.
  static let part = 64 << 10

  /// What `install` does after it has noted that it ran; `$1` is the package.
  enum Script {
    /// The version is the package's first line.
    static let installs = #"head -n 1 "$1" >version.new && mv version.new version"#
    static let fails = "echo 'no slot is free'; exit 3"
    static let changesNothing = "true"
  }

  let gateway: GatewayUnderTest

  /// - Parameters:
  ///   - install: Of `Script`, or the test's own; works in the scratch directory.
  ///   - rollback: Likewise; `nil` for none.
  ///   - options: Further lines of `ota.firmware`.
  init(
    install: String = Script.installs, rollback: String? = nil, options: [String] = [],
    environment: [String: String] = [:]
  ) async throws {
    gateway = try await GatewayUnderTest(environment: environment) { url, scratch in
      let work = "cd \(scratch.path)\n"
      try scratch.write("\(work)echo install >>runs\ncp \"$1\" installed\n\(install)\n", to: "install.sh")
      try scratch.write(
        "\(work)echo \"rollback $BAUDGATE_REASON\" >>runs\n\(rollback ?? "true")\n", to: "rollback.sh")
      try scratch.write("1.0\n", to: "version")
      var lines = [
        #"install: [/bin/sh, \#(scratch.file("install.sh")), "{file}"]"#,
        "version_file: \(scratch.file("version"))", "chunk_size: \(UpdatingGateway.part / 1024)KB",
      ]
      if rollback != nil { lines.append(#"rollback: [/bin/sh, \#(scratch.file("rollback.sh"))]"#) }
      lines += options
      return """
        server: {url: \(url)}
        device: {name: e2e, token: \(UpdatingGateway.token)}
        upload: {interval: 100ms}
        ota:
          firmware:
            \(lines.joined(separator: "\n    "))
        """
    }
  }

  var server: DeviceServer { gateway.server }
  var log: String { gateway.daemon.log }
  var version: String { gateway.scratch.read("version").trimmingCharacters(in: .whitespacesAndNewlines) }
  /// What the commands have noted, in order.
  var runs: [String] { gateway.scratch.read("runs").split(separator: "\n").map(String.init) }

  /// Bytes of a package whose first line is its version.
  static func content(_ version: String, bytes: Int = 200_000) -> [UInt8] {
    Array("\(version)\n".utf8) + ServedPackage.noise(bytes - version.utf8.count - 1)
  }

  static func package(_ version: String, bytes: Int = 200_000) -> ServedPackage {
    ServedPackage(.firmware, title: "board", version: version, content: content(version, bytes: bytes))
  }

  func assign(_ package: ServedPackage) { server.assign(package, token: Self.token) }

  /// Values of a key, as they were sent.
  func told(_ key: String) -> [String] {
    server.values(of: key, token: Self.token).sorted { $0.ts < $1.ts }.map(\.text)
  }

  var states: [String] { told("fw_state") }
  var error: String { told("fw_error").last ?? "" }

  /// Waits until the newest state is this one.
  func reaches(_ state: String, within limit: Duration = .seconds(45)) async -> Bool {
    await server.wait(upTo: limit) { states.last == state }
  }

  /// Requests for parts, from wherever.
  var partRequests: Int { server.requests().count { $0.kind == .getPackage || $0.kind == .getFile } }

  /// `updates.firmware` of the status.
  func status() throws -> [String: Any] {
    let updates = try gateway.daemon.status()["updates"] as? [String: Any]
    return updates?["firmware"] as? [String: Any] ?? [:]
  }

  /// The names in `STATE/updates`.
  var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: gateway.scratch.file("state/updates"))) ?? []).sorted()
  }

  func end() async { await gateway.end() }
}
