internal import EventLoop
internal import Glibc
internal import YAML

/// What went wrong with a line of a chip, as the log and `baudgate status` tell it.
struct GPIOFault: Error, Sendable, Hashable, CustomStringConvertible {
  enum Code: Sendable, Hashable {
    /// No chip is at the path, or has the name or label.
    case absent
    /// The permissions say no.
    case forbidden
    /// Another process or a driver holds the line.
    case inUse
    /// What is there is no GPIO chip, or has no such line.
    case wrong
    /// The chip was there and went away.
    case gone
    /// Anything else the kernel said.
    case failed
  }

  let code: Code
  /// What happened and what can be done, without a capital and a full stop.
  let message: String
  let cause: SystemError?

  init(_ code: Code, _ message: String, _ cause: SystemError? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// `/dev/gpiochip0 is not there; `ls /dev/gpiochip*` shows what is (open: No such file or directory)`
  var description: String { cause.map { "\(message) (\($0))" } ?? message }
}

// MARK: Character devices

extension GPIOFault {
  /// open(2) of a chip failed.
  static func opening(_ path: String, _ cause: SystemError) -> GPIOFault {
    switch cause.errno {
    case ENOENT, ENOTDIR, ENXIO, ENODEV:
      GPIOFault(.absent, "\(path) is not there; `ls /dev/gpiochip*` shows what is, check `chip:`", cause)
    case EACCES, EPERM:
      GPIOFault(.forbidden, "may not open \(path); the user baudgate must be in its group, mostly gpio", cause)
    case EISDIR: notAChip(path, cause)
    case EMFILE, ENFILE:
      GPIOFault(.failed, "cannot open \(path): no file descriptor left; raise LimitNOFILE=", cause)
    default: GPIOFault(.failed, "cannot open \(path)", cause)
    }
  }

  static func notAChip(_ path: String, _ cause: SystemError) -> GPIOFault {
    GPIOFault(.wrong, "\(path) is no GPIO chip; `ls /dev/gpiochip*` shows what is, check `chip:`", cause)
  }

  /// The request failed.
  ///
  /// - Parameter consumer: Who holds the line, where the kernel says it.
  static func requesting(
    _ line: GPIOLineOptions, of path: String, heldBy consumer: String?, _ cause: SystemError
  ) -> GPIOFault {
    let place = "line \(line.selector) of \(path)"
    switch cause.errno {
    case EBUSY where consumer == quoted(gpioConsumer):
      return GPIOFault(
        .inUse,
        "\(place) is held by Baudgate already: is it twice in gpio.lines, by number and by name, or does another "
          + "baudgated run?", cause)
    case EBUSY:
      let holder = consumer.map { "by \($0)" } ?? "by another process or a driver"
      return GPIOFault(.inUse, "\(place) is held \(holder); end it, or choose another `line:`", cause)
    case EPERM, EACCES:
      return GPIOFault(
        .forbidden, "may not use \(place); the chip keeps it from programs, choose another `line:`", cause)
    case ENXIO where line.direction == .input:
      return GPIOFault(.wrong, "\(place) has no interrupt, so its changes cannot be followed; choose another", cause)
    case ENODEV: return gone(path, cause)
    case ENOTTY, EINVAL:
      return GPIOFault(
        .wrong, "\(place) refuses its settings; check `bias:` and `direction:`, and that Linux is 5.10 or later", cause)
    default: return GPIOFault(.failed, "cannot have \(place)", cause)
    }
  }

  /// A call on a line that was had failed.
  static func using(_ line: GPIOLineOptions, of path: String, _ cause: SystemError) -> GPIOFault {
    switch cause.errno {
    case ENODEV, ENXIO, EBADF: gone(path, cause)
    default: GPIOFault(.failed, "line \(line.selector) of \(path): the driver reports an error", cause)
    }
  }

  static func gone(_ path: String, _ cause: SystemError? = nil) -> GPIOFault {
    GPIOFault(.gone, "\(path) went away: unplugged, or its driver was unloaded", cause)
  }
}

// MARK: Simulated chips

extension GPIOFault {
  /// The directory or a file in it cannot be used.
  static func simulating(_ path: String, _ cause: SystemError) -> GPIOFault {
    switch cause.errno {
    case ENOENT, ENOTDIR: GPIOFault(.absent, "\(path) is not there; make the directory, check `chip:`", cause)
    case EACCES, EPERM, EROFS:
      GPIOFault(.forbidden, "may not use \(path); the user baudgate must be able to read and write it", cause)
    case EISDIR, ESPIPE: GPIOFault(.wrong, "\(path) is no plain file; remove it", cause)
    // inotify(7): EMFILE for a user's instances, ENOSPC for the watches.
    case EMFILE where cause.call == "inotify_init1", ENOSPC where cause.call == "inotify_add_watch":
      GPIOFault(
        .failed,
        "cannot watch \(path): the user's inotify limit is reached; raise fs.inotify.max_user_instances or _watches",
        cause)
    default: GPIOFault(.failed, "cannot use \(path)", cause)
    }
  }

  static func removed(_ directory: String) -> GPIOFault {
    GPIOFault(.gone, "\(directory) was removed or renamed; make it again")
  }
}
