internal import CSystemd
internal import Glibc

/// A timer on the loop that fires once each time it is armed.
public final class TimerSource {
  /// Which clock counts.
  public enum Clock: Sendable {
    /// Stands still while the machine sleeps.
    case monotonic
    /// Goes on while the machine sleeps; wakes nothing.
    case boottime
  }

  /// The window sd-event may use to let timers fire together where the owner does not say: 50 ms.
  public static let ordinaryAccuracy = Duration.milliseconds(50)

  private var source: OpaquePointer?
  private let clock: Clock
  private let handler: () -> Void

  /// Makes a timer that is not armed.
  ///
  /// - Parameters:
  ///   - accuracy: How late it may fire, so that wake-ups coincide. At least 1 µs (sd-event reads 0 as 250 ms).
  ///   - handler: Called on the loop; it should not hold the timer's owner strongly.
  public init(
    _ loop: EventLoop, clock: Clock = .monotonic, accuracy: Duration = TimerSource.ordinaryAccuracy,
    handler: @escaping () -> Void
  ) throws(SystemError) {
    self.handler = handler
    self.clock = clock
    let context = Unmanaged.passUnretained(self).toOpaque()
    let id = clock == .monotonic ? CLOCK_MONOTONIC : CLOCK_BOOTTIME
    try check(
      "sd_event_add_time",
      sd_event_add_time(loop.event, &source, id, UInt64.max, max(1, accuracy.microseconds), timerFired, context))
    disarm()
  }

  deinit { sd_event_source_disable_unref(source) }

  /// Arms the timer, anew if it was armed already.
  public func arm(after delay: Duration) {
    // Not sd_event_source_set_time_relative: it counts from when the loop's iteration began, so that a timer armed
    // after some work would fire early.
    let now = clock == .monotonic ? Uptime.monotonic : Uptime.boottime
    // Both fail only for a source that is no timer, or when the loop has ended.
    sd_event_source_set_time(source, now.microseconds + delay.microseconds)
    sd_event_source_set_enabled(source, CInt(SD_EVENT_ONESHOT))
  }

  public func disarm() {
    sd_event_source_set_enabled(source, CInt(SD_EVENT_OFF))
  }

  /// Whether it is going to fire.
  public var isArmed: Bool {
    sd_event_source_get_enabled(source, nil) > 0
  }

  fileprivate func dispatch() {
    withExtendedLifetime(self) { handler() }
  }
}

private func timerFired(_: OpaquePointer?, _: UInt64, _ context: UnsafeMutableRawPointer?) -> CInt {
  guard let context else { return 0 }
  Unmanaged<TimerSource>.fromOpaque(context).takeUnretainedValue().dispatch()
  return 0
}

extension Duration {
  /// Whole microseconds, rounded up so that a timer never fires early; 0 for a negative duration, bounded at 100 years.
  var microseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let bounded = UInt64(min(seconds, 3_155_760_000))
    return bounded * 1_000_000 + UInt64((attoseconds + 999_999_999_999) / 1_000_000_000_000)
  }

  /// Whole milliseconds, rounded down and bounded like `microseconds`.
  public var wholeMilliseconds: Int64 { Int64(microseconds / 1000) }
}
