internal import Glibc

/// What the service manager tells a daemon by its environment (systemd.exec(5)).
public struct Surroundings: Sendable, Equatable {
  /// `$STATE_DIRECTORY`, the first where there are several.
  public var stateDirectory: String?
  /// `$RUNTIME_DIRECTORY`, the first where there are several.
  public var runtimeDirectory: String?
  /// `$CREDENTIALS_DIRECTORY`.
  public var credentialsDirectory: String?
  /// Whether token files and credentials are opened. Who only asks the daemon needs no token and may not be allowed to
  /// read it; the configuration then holds a placeholder.
  public var readsTokens = true
  /// Whether `public_key_file` is opened all the same: who installs needs that key, and no token.
  public var readsPublicKeys = false
  /// Where register maps are looked for after `maps` beside the configuration file.
  public var mapDirectories = MapLibrary.usualDirectories

  public init(stateDirectory: String? = nil, runtimeDirectory: String? = nil, credentialsDirectory: String? = nil) {
    self.stateDirectory = stateDirectory
    self.runtimeDirectory = runtimeDirectory
    self.credentialsDirectory = credentialsDirectory
  }

  /// This process's own.
  public static var process: Surroundings {
    Surroundings(
      stateDirectory: directory("STATE_DIRECTORY"), runtimeDirectory: directory("RUNTIME_DIRECTORY"),
      credentialsDirectory: directory("CREDENTIALS_DIRECTORY"))
  }

  private static func directory(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let first = String(cString: value).prefix { $0 != ":" }
    return first.hasPrefix("/") ? String(first) : nil
  }
}
