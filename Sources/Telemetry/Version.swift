/// Baudgate's version, as `--version`, the user agent and the package say it.
public enum Version {
  /// Longer than what Swift keeps in a string itself (15 bytes), so that it stands in the program's file once and as it
  /// is: the test of an update makes a newer program from this one by writing another number there.
  private static let line = "Baudgate version 0.1.0"
  public static let current = line.split(separator: " ").last.map { String($0) } ?? line
  /// What a server's log shows.
  public static let userAgent = "baudgate/\(current)"
}
