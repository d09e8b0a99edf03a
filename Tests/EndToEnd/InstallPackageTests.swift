import Foundation
import Testing

/// `baudgate install-package` updates Baudgate itself, with a real dpkg in a root directory of its own; the test is the
/// daemon.
@Suite(
  .serialized,
  .enabled(if: ContainerRoot.obstacle == nil, Comment(rawValue: "no container: \(ContainerRoot.obstacle ?? "")")))
struct InstallPackageTests {
  private static let id = "00112233445566778899aabbccddeeff"
  private static let updates = "/var/lib/baudgate/updates"

  /// The two versions, made once: packing takes longer than all the rest.
  private struct Packages: Sendable {
    let scratch: Scratch
    let old: (version: String, path: String)
    let new: (version: String, path: String)

    static let made: Result<Packages, any Error> = Result {
      let scratch = try Scratch()
      // What is static is never deinitialised.
      atexit {
        guard case .success(let packages) = Packages.made else { return }
        _ = try? FileManager.default.removeItem(atPath: packages.scratch.path)
      }
      return Packages(
        scratch: scratch, old: try DebianPackage.make(lastDigit: "7", in: scratch),
        new: try DebianPackage.make(lastDigit: "9", in: scratch))
    }
  }

  /// A container in which the older of two versions is installed and the newer one asked for.
  private struct Setup {
    let scratch: Scratch
    let root: ContainerRoot
    let old: (version: String, path: String)
    let new: (version: String, path: String)

    init() throws {
      scratch = try Scratch()
      root = try ContainerRoot()
      let packages = try Packages.made.get()
      (old, new) = (packages.old, packages.new)
      try root.satisfyDependencies(of: old.path)
      try FileManager.default.copyItem(atPath: old.path, toPath: root.file("/tmp/old.deb"))
      let install = try root.run(["/usr/bin/dpkg", "-i", "/tmp/old.deb"])
      guard install.status == 0 else {
        throw DaemonProcess.Failure("dpkg -i (\(install.status)): \(install.output)\(install.errors)")
      }
      try root.write(
        """
        server: {url: "http://127.0.0.1:1"}
        device: {token: \(GatewayUnderTest.token)}
        ota:
          software:
            install: [/usr/libexec/baudgate/install-deb, "{file}"]
            rollback: [/usr/libexec/baudgate/install-deb, --rollback]
            confirm_within: 10s

        """, to: "/etc/baudgate/baudgate.yaml")
      try FileManager.default.createDirectory(
        atPath: root.file(InstallPackageTests.updates), withIntermediateDirectories: true)
    }

    func ask(_ package: String) throws {
      let file = root.file("\(InstallPackageTests.updates)/software.package")
      try FileManager.default.copyItem(atPath: package, toPath: file)
      let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
      try root.write(
        #"{"format":1,"id":"\#(InstallPackageTests.id)","kind":"software","title":"baudgate","version":"\#(new.version)","#
          + #""size":\#(size),"checksum":null,"checksum_algorithm":null,"signature":null,"from_version":"\#(old.version)"}"#,
        to: "\(InstallPackageTests.updates)/software.request")
    }

    func installer() throws -> pid_t {
      try root.launch(
        ["/usr/bin/baudgate", "install-package", "software", "--state-directory", "/var/lib/baudgate"],
        output: scratch.file("installer"))
    }

    var result: String { root.read("\(InstallPackageTests.updates)/software.result") }
    var log: String { scratch.read("installer") + result }

    /// What the installed program says of itself.
    func reportedVersion() throws -> String {
      try root.run(["/usr/bin/baudgate", "--version"]).output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func hasState(_ state: String) -> Bool { result.contains(#""state":"\#(state)""#) }

    /// The daemon's part at the end.
    func removeRequest() { unlink(root.file("\(InstallPackageTests.updates)/software.request")) }
  }

  private func status(of process: pid_t) -> CInt {
    var status: CInt = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  @Test func aConfirmedVersionStays() async throws {
    let setup = try Setup()
    #expect(try setup.root.installedVersion(of: "baudgate") == setup.old.version)
    #expect(try setup.reportedVersion() == setup.old.version)
    try setup.ask(setup.new.path)
    let process = try setup.installer()
    #expect(try await eventually { setup.hasState("installed") || setup.hasState("failed") }, "\(setup.log)")
    #expect(try setup.root.installedVersion(of: "baudgate") == setup.new.version, "\(setup.log)")
    #expect(try setup.reportedVersion() == setup.new.version)
    try setup.root.write("\(Self.id)\n", to: "\(Self.updates)/software.confirmed")
    #expect(try await eventually { setup.log.contains("has reported itself") }, "\(setup.log)")
    setup.removeRequest()
    #expect(status(of: process) == 0, "\(setup.log)")
    #expect(setup.hasState("installed"), "\(setup.log)")
    // The configuration a person has written stays.
    #expect(setup.root.read("/etc/baudgate/baudgate.yaml").contains("confirm_within"))
  }

  @Test func anUnconfirmedVersionGoes() async throws {
    let setup = try Setup()
    try setup.ask(setup.new.path)
    let process = try setup.installer()
    #expect(try await eventually(within: .seconds(60)) { setup.hasState("rolled_back") }, "\(setup.log)")
    #expect(try setup.root.installedVersion(of: "baudgate") == setup.old.version, "\(setup.log)")
    #expect(try setup.reportedVersion() == setup.old.version)
    setup.removeRequest()
    #expect(status(of: process) == 0, "\(setup.log)")
    #expect(setup.result.contains("did not report itself within"), "\(setup.result)")
    // Packed again from its files it is what it was.
    let verify = try setup.root.run(["/usr/bin/dpkg", "--verify", "baudgate"])
    let changed = verify.output.split(separator: "\n").filter { !$0.hasSuffix("/etc/baudgate/baudgate.yaml") }
    #expect(changed == [], "\(verify.output)")
  }

  @Test func aPackageThatIsNoneLeavesThingsAsTheyAre() async throws {
    let setup = try Setup()
    try Data("not a package".utf8).write(to: URL(fileURLWithPath: setup.scratch.file("none.deb")))
    try setup.ask(setup.scratch.file("none.deb"))
    let process = try setup.installer()
    #expect(try await eventually { setup.hasState("failed") }, "\(setup.log)")
    setup.removeRequest()
    #expect(status(of: process) == 0, "\(setup.log)")
    #expect(try setup.root.installedVersion(of: "baudgate") == setup.old.version)
  }
}
