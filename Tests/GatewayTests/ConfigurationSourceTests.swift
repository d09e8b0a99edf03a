import Telemetry
import Testing

@testable import Gateway

/// What is found in a broken file, and what is said of a reload.
@Suite struct ConfigurationSourceTests {
  static let texts: [(String, String?)] = [
    ("state_directory: /var/lib/x\nupload: [", "/var/lib/x"), ("\t{\nstate_directory: \"/a\" # ours\n", "/a"),
    ("state_directory: '/x'", "/x"), ("state_directory: x", nil), ("state_directory:", nil), ("", nil),
    ("# state_directory: /x", nil), ("other: {state_directory: /x}", nil), ("state_directory: /x\r\n", "/x"),
  ]

  @Test(arguments: texts) func theStateDirectoryOfABrokenFile(_ text: String, _ path: String?) {
    #expect(ConfigurationSource.stateDirectory(in: Array(text.utf8)) == path)
  }

  @Test func whatAReloadSays() {
    #expect(ReloadOutcome().words == "nothing differs")
    #expect(
      ReloadOutcome(changes: ["upload"], needsRestart: ["state_directory"]).words
        == "upload; only a restart changes state_directory")
    guard case .failure(let words) = ReloadOutcome(errors: ["f:1:2: bad", "f:3:4: worse"]).answer else {
      Issue.record("errors are no failure")
      return
    }
    #expect(words == "f:1:2: bad\nf:3:4: worse\ngoing on with the configuration in use")
  }

  /// A trial that a reload has switched off leaves what was proved, and is neither proved nor refused.
  @Test func aTrialThatIsDropped() {
    var record = RemoteConfigurationRecord()
    record.begin(.integer(1))
    record.dropTrial()
    #expect(record == RemoteConfigurationRecord())
    record.begin(.integer(1))
    record.confirm()
    record.begin(.integer(2))
    record.dropTrial()
    #expect((record.state, record.current, record.refused) == (.applied, .integer(1), nil))
  }
}
