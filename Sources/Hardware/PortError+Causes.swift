internal import EventLoop
internal import Glibc

extension PortError {
  /// open(2) failed.
  static func opening(_ path: String, _ cause: SystemError) -> PortError {
    switch cause.errno {
    case ENOENT, ENOTDIR:
      PortError(code: .absent, message: "\(path) is not there: not plugged in, or its name has changed", cause: cause)
    case ENXIO, ENODEV:
      PortError(
        code: .absent, message: "\(path) has no device behind it: not plugged in, or no such port", cause: cause)
    case EACCES, EPERM:
      PortError(
        code: .forbidden, message: "may not open \(path); the user baudgate must be in its group, mostly dialout",
        cause: cause)
    case EBUSY: inUse(path, cause)
    case EISDIR: notATerminal(path, cause)
    case EMFILE, ENFILE:
      PortError(
        code: .failed, message: "cannot open \(path): no file descriptor left; raise LimitNOFILE=", cause: cause)
    default: PortError(code: .failed, message: "cannot open \(path)", cause: cause)
    }
  }

  static func inUse(_ path: String, _ cause: SystemError) -> PortError {
    PortError(
      code: .inUse, message: "\(path) is in use by another process; `fuser -v \(path)` names it", cause: cause)
  }

  static func notATerminal(_ path: String, _ cause: SystemError? = nil) -> PortError {
    PortError(code: .notATerminal, message: "\(path) is no serial line; check `path:`", cause: cause)
  }

  /// A control call failed while the line was being set up.
  static func configuring(_ path: String, _ notation: String, _ cause: SystemError) -> PortError {
    switch cause.errno {
    case ENXIO, ENODEV:
      PortError(code: .gone, message: "\(path) went away while it was being set up", cause: cause)
    case EIO:
      PortError(
        code: .failed, message: "\(path) does not answer; there may be no chip behind this name", cause: cause)
    case EINVAL:
      PortError(code: .failed, message: "\(path) refuses \(notation); check `baud:` and its like", cause: cause)
    default: PortError(code: .failed, message: "cannot set \(path) to \(notation)", cause: cause)
    }
  }

  /// read(2) or write(2) failed.
  static func transferring(_ path: String, _ cause: SystemError) -> PortError {
    switch cause.errno {
    case EIO, ENXIO, ENODEV, EPIPE: gone(path, cause)
    default: PortError(code: .failed, message: "\(path): the driver reports an error", cause: cause)
    }
  }

  static func gone(_ path: String, _ cause: SystemError? = nil) -> PortError {
    PortError(code: .gone, message: "\(path) hung up: unplugged, or without power", cause: cause)
  }
}
