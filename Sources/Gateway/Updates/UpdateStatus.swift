internal import Telemetry
internal import ThingsBoard

/// How far the update of one kind is, for `baudgate status`.
struct UpdateStatus: Sendable, Equatable {
  var kind: PackageKind
  var phase: UpdateRecord.Phase
  /// The package that is worked on, or was last.
  var title: String?
  var version: String?
  /// Bytes that are downloaded.
  var bytes: Int64
  /// Bytes of the whole package, where they are known.
  var size: Int64?
  /// Downloads begun.
  var attempt: Int
  /// Why it failed, or what it waits for.
  var error: String?
  var runningTitle: String?
  var runningVersion: String?
  /// What is assigned and waits for the end of the installation.
  var next: String?

  init(_ machine: UpdateStateMachine) {
    kind = machine.settings.kind
    phase = machine.record.phase
    title = machine.record.package?.title
    version = machine.record.package?.version
    bytes = machine.record.phase == .downloading ? machine.position : machine.record.bytes
    size = machine.size
    attempt = machine.record.attempt
    error = machine.trouble ?? machine.record.error
    runningTitle = machine.knownTitle
    runningVersion = machine.runningVersion
    next = machine.next?.name
  }
}

extension UpdateStatus {
  /// As a member of the status document: `"firmware": {…}`.
  var json: JSON {
    var members: [JSON.Member] = [.init("state", .string(phase.rawValue))]
    func add(_ name: String, _ text: String?) {
      if let text { members.append(.init(name, .string(text))) }
    }
    add("title", title)
    add("version", version)
    if phase != .idle && phase != .updated {
      members.append(.init("bytes", .integer(bytes)))
      if let size { members.append(.init("size", .integer(size))) }
      members.append(.init("attempt", .integer(Int64(attempt))))
    }
    add("last_error", error)
    add("running_title", runningTitle)
    add("running_version", runningVersion)
    add("next", next)
    return .object(members)
  }
}
