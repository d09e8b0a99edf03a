/// What a device proves itself with: its access token, and where it was read.
public struct DeviceCredential: Sendable, Equatable {
  public enum Source: Sendable, Equatable {
    /// `token:` in the configuration itself.
    case configuration
    /// `token_file:`, the file's path.
    case file(String)
    /// `credential:`, the name of a systemd credential (systemd.exec(5), LoadCredential=).
    case systemd(String)
  }

  /// UTF-8 bytes of the longest token the server stores.
  public static let longestToken = 255

  public let source: Source
  public let token: Secret

  /// - Throws: `TokenError`, which does not repeat the token, where `token` cannot be one.
  public init(token: String, source: Source) throws(TokenError) {
    if token.isEmpty { throw TokenError("is empty") }
    if token.utf8.count > Self.longestToken { throw TokenError("is longer than \(Self.longestToken) bytes") }
    // The token becomes one segment of a path; what is left is percent-encoded there.
    if token == "." || token == ".." { throw TokenError("cannot be . or ..") }
    for scalar in token.unicodeScalars {
      if scalar.properties.isWhitespace { throw TokenError("has white space in it") }
      if scalar.properties.generalCategory == .control { throw TokenError("has a control character in it") }
      if scalar == "/" || scalar == "\\" { throw TokenError("has a slash in it; is it a whole URL?") }
    }
    self.token = Secret(token)
    self.source = source
  }
}

/// Why a text is no access token, to be read behind its name: `device.token has white space in it`.
public struct TokenError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
