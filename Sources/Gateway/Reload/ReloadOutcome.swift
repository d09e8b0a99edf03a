internal import Telemetry

/// What came of reading the configuration file again.
struct ReloadOutcome: Sendable {
  /// What was changed, in words; empty where nothing differs.
  var changes: [String] = []
  /// What only a restart can change.
  var needsRestart: [String] = []
  /// What is wrong with the file, `file:line:column: …`; nothing was changed then.
  var errors: [String] = []

  /// For the command line.
  var answer: ControlAnswer {
    guard errors.isEmpty else {
      return .failure((errors + ["going on with the configuration in use"]).joined(separator: "\n"))
    }
    return .document(
      .object([
        .init("result", .string(words)),
        .init("changes", .array(changes.map(JSON.string))),
        .init("needs_restart", .array(needsRestart.map(JSON.string))),
      ]))
  }

  /// One line.
  var words: String {
    let done = changes.isEmpty ? "nothing differs" : changes.joined(separator: ", ")
    guard !needsRestart.isEmpty else { return done }
    return "\(done); only a restart changes \(needsRestart.joined(separator: ", "))"
  }
}
