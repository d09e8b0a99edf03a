/// Baudgate's version, as `--version`, the user agent and the package say it.
public enum Version {
  public static let current = "0.1.0"
  /// What a server's log shows.
  public static let userAgent = "baudgate/\(current)"
}
