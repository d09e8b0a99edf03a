internal import Synchronization
internal import ThingsBoard

/// What no log line may hold, whoever wrote it. Grows while the daemon runs: a token that was provisioned is as secret
/// as one from a file.
final class SecretRegistry: Sendable {
  /// Secrets remembered at most; a re-provisioned token keeps its place for the process's life. Three each for as many
  /// devices as one gateway may have, and room for reloads.
  static let limit = 8192

  private let secrets: Mutex<[Secret]>

  init(_ secrets: [Secret] = []) { self.secrets = Mutex(Array(secrets.prefix(Self.limit))) }

  func add(_ secret: Secret) { add([secret]) }

  /// Those of another configuration; the earlier ones stay, since lines of before are still on their way.
  func add(_ more: [Secret]) {
    secrets.withLock { secrets in
      for secret in more where secrets.count < Self.limit && !secrets.contains(secret) { secrets.append(secret) }
    }
  }

  /// `text` with every secret masked.
  func masked(_ text: String) -> String {
    secrets.withLock { $0 }.reduce(text) { $1.masked(in: $0) }
  }
}
