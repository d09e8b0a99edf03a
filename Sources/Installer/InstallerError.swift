internal import EventLoop

/// Why the installer gives up without a result: what and where, and what is to be done.
public struct InstallerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The exit statuses of sysexits.h that a service manager is told.
  public enum Code: Int32, Sendable {
    /// EX_TEMPFAIL: another installer works on this kind, or the disk does not take what must be written down first.
    case temporary = 75
    /// EX_CONFIG: the configuration cannot be used, or not trusted.
    case configuration = 78
  }

  public let code: Code
  public let description: String

  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  /// A file that could not be read or written: tried again when the unit is started again.
  init(_ cause: SystemError) {
    self.init(.temporary, "\(cause); nothing more is done until that works")
  }
}
