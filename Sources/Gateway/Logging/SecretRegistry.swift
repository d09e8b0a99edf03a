internal import Synchronization
internal import ThingsBoard

/// What no log line may hold, whoever wrote it. Grows while the daemon runs: a token that was provisioned is as secret
/// as one from a file.
final class SecretRegistry: Sendable {
  /// Secrets remembered at most; a re-provisioned token keeps its place for the process's life.
  static let limit = 256

  private let secrets: Mutex<[Secret]>

  init(_ secrets: [Secret] = []) { self.secrets = Mutex(Array(secrets.prefix(Self.limit))) }

  func add(_ secret: Secret) {
    secrets.withLock { secrets in
      if secrets.count < Self.limit, !secrets.contains(secret) { secrets.append(secret) }
    }
  }

  /// `text` with every secret masked.
  func masked(_ text: String) -> String {
    secrets.withLock { $0 }.reduce(text) { $1.masked(in: $0) }
  }
}
