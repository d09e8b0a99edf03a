internal import Telemetry

/// What the installer has written down of the request it is at: what a killed one finds when it starts again.
///
/// One file, `KIND.json`, replaced durably before each step it tells of is begun. It stays when all is over, so that a
/// request that comes once more is answered and not carried out.
struct InstallRecord: Sendable, Equatable {
  static let sizeLimit = 64 << 10

  /// A command that may run: its leader's process id, which is its session's, too.
  struct RunningCommand: Sendable, Equatable {
    var process: Int32
    /// Clock ticks after the boot, /proc/PID/stat: tells it from a later process of the same number.
    var start: Int64
    /// The boot it runs in.
    var boot: String
  }

  enum Phase: Sendable, Equatable {
    /// The install command may have begun.
    case installing(RunningCommand)
    /// It ended with 0. `since` is the boot's clock, in milliseconds, when the wait in this boot began; `boots` counts
    /// the boots that have waited.
    case installed(boot: String, since: Int64, boots: Int)
    /// The rollback command may have begun.
    case rollingBack(RunningCommand, reason: String)
    case ended
  }

  var id: String
  var title: String
  var version: String
  var fromVersion: String?
  var phase: Phase
  /// The last one told; told again after a restart, which may have come between.
  var result: InstallResult
}

// MARK: - JSON

extension InstallRecord {
  var json: JSON {
    var members: [JSON.Member] = [
      .init("format", .integer(1)), .init("id", .string(id)), .init("title", .string(title)),
      .init("version", .string(version)), .init("from_version", fromVersion.map { .string($0) } ?? .null),
    ]
    switch phase {
    case .installing(let command): members += [.init("phase", .string("installing")), .init("command", command.json)]
    case .installed(let boot, let since, let boots):
      members += [
        .init("phase", .string("installed")), .init("boot", .string(boot)), .init("since", .integer(since)),
        .init("boots", .integer(Int64(boots))),
      ]
    case .rollingBack(let command, let reason):
      members += [
        .init("phase", .string("rolling_back")), .init("command", command.json), .init("reason", .string(reason)),
      ]
    case .ended: members.append(.init("phase", .string("ended")))
    }
    members.append(.init("result", result.json))
    return .object(members)
  }

  /// - Returns: `nil` for what this version has not written.
  init?(parsing bytes: [UInt8]) {
    guard let json = try? JSON(parsing: bytes, limits: JSONLimits(size: Self.sizeLimit, depth: 4, values: 64)),
      json["format"] == .integer(1), case .string(let id) = json["id"], case .string(let title) = json["title"],
      case .string(let version) = json["version"], case .string(let word) = json["phase"],
      let result = json["result"].flatMap({ InstallResult($0) })
    else { return nil }
    let phase: Phase
    switch word {
    case "installing":
      guard let command = json["command"].flatMap({ RunningCommand($0) }) else { return nil }
      phase = .installing(command)
    case "installed":
      guard case .string(let boot) = json["boot"], case .integer(let since) = json["since"],
        case .integer(let count) = json["boots"], let boots = Int(exactly: count)
      else { return nil }
      phase = .installed(boot: boot, since: since, boots: boots)
    case "rolling_back":
      guard let command = json["command"].flatMap({ RunningCommand($0) }), case .string(let reason) = json["reason"]
      else { return nil }
      phase = .rollingBack(command, reason: reason)
    case "ended": phase = .ended
    default: return nil
    }
    var fromVersion: String?
    if case .string(let text) = json["from_version"] { fromVersion = text }
    self.init(
      id: id, title: title, version: version, fromVersion: fromVersion, phase: phase, result: result)
  }
}

extension InstallRecord.RunningCommand {
  fileprivate var json: JSON {
    .object([
      .init("process", .integer(Int64(process))), .init("start", .integer(start)), .init("boot", .string(boot)),
    ])
  }

  fileprivate init?(_ json: JSON) {
    guard case .integer(let number) = json["process"], let process = Int32(exactly: number), process > 1,
      case .integer(let start) = json["start"], case .string(let boot) = json["boot"]
    else { return nil }
    self.init(process: process, start: start, boot: boot)
  }
}
