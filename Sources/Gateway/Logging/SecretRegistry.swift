internal import Synchronization
internal import ThingsBoard

/// What no log line may hold, whoever wrote it. Grows while the daemon runs: a token that was provisioned is as secret
/// as one from a file.
final class SecretRegistry: Sendable {
  /// Secrets remembered at most; a re-provisioned token keeps its place for the process's life. Three each for as many
  /// devices as one gateway may have, and room for reloads.
  static let limit = 8192

  private let table = Mutex(SecretTable())

  init(_ secrets: [Secret] = []) { add(secrets) }

  func add(_ secret: Secret) { add([secret]) }

  /// Those of another configuration; the earlier ones stay, since lines of before are still on their way.
  func add(_ more: [Secret]) {
    table.withLock { table in
      for secret in more where table.count < Self.limit { table.add(secret) }
    }
  }

  /// `text` with every secret masked.
  func masked(_ text: String) -> String { table.withLock { $0 }.masked(text) }
}
