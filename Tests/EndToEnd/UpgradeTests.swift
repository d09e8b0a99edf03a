import Foundation
import Simulator
import Testing

/// Baudgate updates itself: the real daemon, installer and package, in a root directory of their own with a real dpkg. A
/// loop is the service manager.
@Suite(
  .serialized,
  .enabled(if: ContainerRoot.obstacle == nil, Comment(rawValue: "no container: \(ContainerRoot.obstacle ?? "")")))
struct UpgradeTests {
  private static let token = GatewayUnderTest.token

  /// A container with the older version installed and running.
  private final class Setup: Sendable {
    let scratch: Scratch
    let root: ContainerRoot
    let server: DeviceServer
    let old: String
    private let loop: pid_t

    init() async throws {
      scratch = try Scratch()
      root = try ContainerRoot()
      server = DeviceServer(ServerOptions(tokens: [UpgradeTests.token]))
      let port = try await server.start()
      let package = try DebianPackage.make(lastDigit: "7", in: scratch)
      old = package.version
      try root.satisfyDependencies(of: package.path)
      try FileManager.default.copyItem(atPath: package.path, toPath: root.file("/tmp/old.deb"))
      let install = try root.run(["/usr/bin/dpkg", "-i", "/tmp/old.deb"])
      guard install.status == 0 else {
        throw DaemonProcess.Failure("dpkg -i (\(install.status)): \(install.output)\(install.errors)")
      }
      try root.write(
        """
        server: {url: "http://127.0.0.1:\(port)"}
        device: {name: upgraded, token: \(UpgradeTests.token)}
        upload: {interval: 100ms}
        state_directory: /var/lib/baudgate
        ota:
          software:
            install: [/usr/libexec/baudgate/install-deb, "{file}"]
            rollback: [/usr/libexec/baudgate/install-deb, --rollback]
            confirm_within: 10s

        """, to: "/etc/baudgate/baudgate.yaml")
      try root.write(
        """
        while [ ! -e /tmp/end ]; do
          echo start >>/tmp/starts
          /bin/sh -c 'echo $$ >/tmp/pid; exec /usr/libexec/baudgate/baudgated /etc/baudgate/baudgate.yaml'
          sleep 1
        done

        """, to: "/tmp/loop")
      loop = try root.launch(["/bin/sh", "/tmp/loop"], output: scratch.file("log"))
    }

    var log: String { scratch.read("log") }

    func told(_ key: String) -> [String] {
      server.values(of: key, token: UpgradeTests.token).sorted { $0.ts < $1.ts }.map(\.text)
    }

    func assign(_ package: (version: String, path: String)) throws {
      let bytes = FileManager.default.contents(atPath: package.path) ?? Data()
      server.assign(
        ServedPackage(.software, title: "baudgate", version: package.version, content: Array(bytes)),
        token: UpgradeTests.token)
    }

    func installedVersion() throws -> String { try root.installedVersion(of: "baudgate") }

    func end() {
      try? root.write("", to: "/tmp/end")
      let daemon = root.read("/tmp/pid").trimmingCharacters(in: .whitespacesAndNewlines)
      if let daemon = pid_t(daemon), daemon > 1 { kill(daemon, SIGTERM) }
      waitpid(loop, nil, 0)
    }
  }

  /// First a package that breaks the daemon, which goes again, then one that does not.
  @Test func aBrokenVersionGoesAndAWorkingOneStays() async throws {
    let setup = try await Setup()
    let server = setup.server
    #expect(
      await server.wait(upTo: .seconds(20)) { setup.told("current_sw_version") == [setup.old] }, "\(setup.log)")

    let broken = try DebianPackage.make(lastDigit: "8", isBroken: true, in: setup.scratch)
    try setup.assign(broken)
    #expect(await server.wait(upTo: .seconds(60)) { setup.told("sw_state").last == "FAILED" }, "\(setup.log)")
    #expect(setup.told("sw_state") == ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "FAILED"])
    #expect(setup.told("sw_error").last?.contains("did not report itself within 10 s") == true)
    #expect(try setup.installedVersion() == setup.old)
    #expect(setup.told("current_sw_version").allSatisfy { $0 == setup.old })
    // The broken one has been started.
    #expect(setup.root.read("/tmp/starts").split(separator: "\n").count > 2)

    let new = try DebianPackage.make(lastDigit: "9", in: setup.scratch)
    try setup.assign(new)
    #expect(await server.wait(upTo: .seconds(60)) { setup.told("sw_state").last == "UPDATED" }, "\(setup.log)")
    #expect(setup.told("current_sw_version").last == new.version)
    #expect(setup.told("sw_error").last == "")
    #expect(try setup.installedVersion() == new.version)
    #expect(setup.log.contains("Baudgate starts itself anew"), "\(setup.log)")
    let status = try setup.root.run(["/usr/bin/baudgate", "status", "--json"])
    #expect(status.output.contains(#""version":"\#(new.version)""#), "\(status.output)\(status.errors)")
    setup.end()
    await server.stop()
  }
}
