import Foundation
import Testing

/// The real installer is killed before and after each of its durable steps in turn and started again: the package is
/// installed once and stays, or was cut off and is rolled back; never is it installed twice.
@Suite(.serialized) struct InstallerKillTests {
  /// More durable steps than it has.
  private static let mostSteps = 40
  private static let id = "00112233445566778899aabbccddeeff"

  /// Its directory with a request in it, and commands that note that they ran.
  private struct Setup {
    let scratch: Scratch
    private let updates = "state/updates"

    init() throws {
      scratch = try Scratch()
      try FileManager.default.createDirectory(
        atPath: scratch.file(updates), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      let runs = scratch.file("runs")
      func note(_ word: String) -> String { #"[/bin/sh, -c, "echo \#(word) >>\#(runs)", sh, "{file}"]"# }
      try scratch.write(
        """
        server: {url: "http://127.0.0.1:1"}
        device: {token: \(GatewayUnderTest.token)}
        ota:
          software: {install: \(note("install")), rollback: \(note("rollback"))}

        """, to: "baudgate.yaml")
      try scratch.write("image", to: "\(updates)/software.package")
      // Confirmed beforehand, so that nothing has to be waited for.
      try scratch.write(InstallerKillTests.id, to: "\(updates)/software.confirmed")
      try scratch.write(
        #"{"format":1,"id":"\#(InstallerKillTests.id)","kind":"software","title":"t","version":"2","size":5}"#,
        to: "\(updates)/software.request")
    }

    /// Runs it to its end or its kill, and removes the request once it is over, as the daemon does.
    ///
    /// - Returns: Whether it was killed.
    func run(_ environment: [String: String] = [:]) async throws -> Bool {
      var environment = environment
      environment["BAUDGATE_FAULT_DIRECTORY"] = scratch.file("faults")
      let process = try DaemonProcess.launch(
        [
          "\(DaemonProcess.directory)/baudgate", "install-package", "software", "--config",
          scratch.file("baudgate.yaml"), "--state-directory", scratch.file("state"),
        ], environment: environment, output: scratch.file("log"))
      var status: CInt = 0
      let end = ContinuousClock.now + .seconds(30)
      while waitpid(process, &status, WNOHANG) != process {
        if scratch.read("\(updates)/installer/software.json").contains(#""phase":"ended""#) {
          unlink(scratch.file("\(updates)/software.request"))
        }
        if ContinuousClock.now > end {
          Issue.record("it neither ended nor was killed; the log:\n\(scratch.read("log"))")
          kill(process, SIGKILL)
        }
        try await Task.sleep(for: .milliseconds(10))
      }
      return status & 0x7F == SIGKILL
    }

    var runs: [String] { scratch.read("runs").split(separator: "\n").map(String.init) }
    var result: String { scratch.read("\(updates)/software.result") }
  }

  @Test(arguments: [false, true]) func aKillAtEachDurableStepInstallsOnce(isAfter: Bool) async throws {
    let library = try #require(Interposer.library, "cc cannot build the interposer")
    var killed = 0
    for step in 1...Self.mostSteps {
      let fault = Interposer.Kill(step: step, isAfter: isAfter)
      let setup = try Setup()
      let wasKilled = try await setup.run(fault.environment(library, match: "/state/updates"))
      _ = try await setup.run()
      let state = setup.result
      switch setup.runs {
      case ["install"]: #expect(state.contains(#""state":"installed""#), "\(fault): \(state)")
      case ["install", "rollback"], ["rollback"]:
        #expect(state.contains(#""state":"rolled_back""#), "\(fault): \(state)")
      default: Issue.record("\(fault): it ran \(setup.runs); the log:\n\(setup.scratch.read("log"))")
      }
      if !wasKilled { break }
      killed += 1
    }
    #expect(killed >= 8, "six times a file is replaced, two steps each, which are more than \(killed)")
  }
}
