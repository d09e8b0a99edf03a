internal import Foundation

/// Nanoseconds of `CLOCK_MONOTONIC`: the same clock in every process, so that a benchmark can subtract across them.
public enum MonotonicClock {
  public static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// The time after a while; a negative while is none, one beyond the clock's range its end.
  static func time(_ duration: Duration, after start: UInt64) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return start }
    let (whole, isTooLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooLate) = start.addingReportingOverflow(whole)
    let (end, isBeyond) = sum.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
    return isTooLong || isTooLate || isBeyond ? .max : end
  }
}
