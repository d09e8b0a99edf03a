internal import Glibc

/// When bytes arrived: the wall clock for the server, the boot clock for what must not jump.
public struct CaptureTime: Sendable, Hashable {
  /// Milliseconds since 1970-01-01 UTC, `CLOCK_REALTIME`.
  public var milliseconds: Int64
  /// Milliseconds since boot, sleep included, `CLOCK_BOOTTIME`.
  public var boottime: Int64

  public init(milliseconds: Int64, boottime: Int64) {
    self.milliseconds = milliseconds
    self.boottime = boottime
  }

  public static func now() -> CaptureTime {
    CaptureTime(milliseconds: read(CLOCK_REALTIME), boottime: read(CLOCK_BOOTTIME))
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
  }
}
