internal import EventLoop
internal import Telemetry

/// Looks after stale sensors when their time has come, and not before: readings move no timer.
final class StaleTimer {
  private let timer: TimerSource

  /// How late it may be: part of what is waited for, at most this.
  private static let accuracy = Duration.seconds(1)

  init(on loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemError) {
    timer = try TimerSource(loop, clock: .boottime, accuracy: Self.accuracy, handler: handler)
  }

  /// - Parameter delay: Milliseconds; `nil` for never.
  func arm(after delay: Int64?) {
    guard let delay else { return timer.disarm() }
    timer.arm(after: .milliseconds(max(0, delay)))
  }
}
