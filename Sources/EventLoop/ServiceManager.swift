internal import CSystemd
internal import Glibc

/// What the service manager is told, sd_notify(3). Without `NOTIFY_SOCKET` nothing happens.
public enum ServiceManager {
  /// Start-up is over.
  public static func ready(status: String) { notify("READY=1\nSTATUS=\(oneLine(status))") }
  /// One line for `systemctl status`.
  public static func status(_ text: String) { notify("STATUS=\(oneLine(text))") }
  /// A reload has begun; `ready` ends it. Carries the monotonic time `Type=notify-reload` asks for.
  public static func reloading() { notify("RELOADING=1\nMONOTONIC_USEC=\(Uptime.monotonic.microseconds)") }
  /// An orderly stop has begun.
  public static func stopping(status: String) { notify("STOPPING=1\nSTATUS=\(oneLine(status))") }

  private static func notify(_ state: String) { sd_notify(0, state) }

  private static func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 })
  }
}

extension EventLoop {
  /// Feeds the service manager's watchdog while the loop turns (sd_event_set_watchdog(3)).
  ///
  /// - Returns: Whether a watchdog was asked for by the service manager.
  @discardableResult
  public func setWatchdog(_ fed: Bool) -> Bool { sd_event_set_watchdog(event, fed ? 1 : 0) > 0 }
}

/// Time since the machine started.
public enum Uptime {
  /// Without the time it slept.
  public static var monotonic: Duration { now(CLOCK_MONOTONIC) }
  /// With the time it slept.
  public static var boottime: Duration { now(CLOCK_BOOTTIME) }

  private static func now(_ clock: clockid_t) -> Duration {
    var time = timespec()
    clock_gettime(clock, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
