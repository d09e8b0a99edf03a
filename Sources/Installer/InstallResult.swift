internal import Telemetry

/// What the installer tells the daemon in `KIND.result`, replaced as it goes on.
///
/// Source: docs/updates.md, "The files between daemon and installer".
struct InstallResult: Sendable, Equatable {
  enum State: String, Sendable {
    /// The install command is about to run, or runs.
    case installing
    /// It ended with 0; the new version is now to report itself.
    case installed
    /// Not installed; `error` says why.
    case failed
    /// The rollback command ran; `error` says why and how that went.
    case rolledBack = "rolled_back"
  }

  /// Empty where the request had none that could be read.
  var id: String
  var state: State
  var error: String?
  var exitStatus: Int32?
  /// The end of what the command printed.
  var output: String?

  init(_ id: String, _ state: State, error: String? = nil, exitStatus: Int32? = nil, output: String? = nil) {
    self.id = id
    self.state = state
    self.error = error
    self.exitStatus = exitStatus
    self.output = output
  }

  var json: JSON {
    var members: [JSON.Member] = [
      .init("format", .integer(1)), .init("id", .string(id)), .init("state", .string(state.rawValue)),
    ]
    if let error { members.append(.init("error", .string(error))) }
    if let exitStatus { members.append(.init("exit_status", .integer(Int64(exitStatus)))) }
    if let output, !output.isEmpty { members.append(.init("output", .string(output))) }
    return .object(members)
  }

  /// - Returns: `nil` for what this version has not written.
  init?(_ json: JSON) {
    guard json["format"] == .integer(1), case .string(let id) = json["id"], case .string(let word) = json["state"],
      let state = State(rawValue: word)
    else { return nil }
    self.init(id, state)
    if case .string(let text) = json["error"] { error = text }
    if case .integer(let status) = json["exit_status"] { exitStatus = Int32(exactly: status) }
    if case .string(let text) = json["output"] { output = text }
  }
}
