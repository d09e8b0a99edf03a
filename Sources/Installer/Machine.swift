internal import CKernel
internal import Glibc

/// What the installer knows of time and of the machine, so that tests can be both.
public struct Machine: Sendable {
  /// Tells one start of the machine from another.
  public var boot: String
  /// Milliseconds since the machine's start, time asleep included: `CLOCK_BOOTTIME`.
  public var now: @Sendable () -> Int64
  /// Waits that many milliseconds.
  ///
  /// Returns whether the installer is to end: it was sent a signal.
  public var pause: @Sendable (_ milliseconds: Int32) -> Bool
  /// Readable when the installer is to end; -1 for never. A command that runs goes on to its end all the same.
  public var termination: CInt

  public init(
    boot: String, now: @escaping @Sendable () -> Int64, pause: @escaping @Sendable (Int32) -> Bool, termination: CInt
  ) {
    self.boot = boot
    self.now = now
    self.pause = pause
    self.termination = termination
  }

  /// The one this runs on. From here on SIGTERM, SIGINT and SIGHUP are only looked at between steps: a package manager
  /// is not cut off because the machine shuts down.
  public static func current() -> Machine {
    let termination = bg_termination()
    return Machine(
      boot: bootID, now: { bootTime }, pause: { isReadable(termination, within: $0) }, termination: termination)
  }

  /// Source: random(4).
  static var bootID: String {
    let file = bg_open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return "unknown" }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 64)
    let count = read(file, &text, text.count)
    return String(decoding: text.prefix(max(0, count)).filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  static var bootTime: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  private static func isReadable(_ descriptor: CInt, within milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }
}
