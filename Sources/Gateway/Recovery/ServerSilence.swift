internal import EventLoop

/// Tells how long the server has been out of reach, for outputs that take their safe value then: `safe_after`.
///
/// It learns of that from the ends of requests alone, as `Recovery` does. Used on the loop alone.
final class ServerSilence {
  /// A time that is over must have been over for everybody: timers may be early by the clocks' rounding.
  private static let accuracy = Duration.milliseconds(100)

  private let clock: () -> Duration
  private let reached: () -> Void
  private let unreached: (Duration) -> Duration?
  private var timer: TimerSource?
  private(set) var since: Duration?

  /// - Parameters:
  ///   - clock: This boot's, with the time the machine slept.
  ///   - unreached: Called with the time the server has been out of reach; answers at which it is to be called next.
  ///   - reached: Called when the server answers after that.
  /// - Throws: `SystemError` without a timer to be had.
  init(
    on loop: EventLoop, clock: @escaping () -> Duration = { Uptime.boottime },
    unreached: @escaping (Duration) -> Duration?, reached: @escaping () -> Void
  ) throws(SystemError) {
    self.clock = clock
    self.reached = reached
    self.unreached = unreached
    timer = try TimerSource(loop, clock: .boottime, accuracy: Self.accuracy) { [weak self] in self?.look() }
  }

  /// A request has ended.
  func note(_ contact: ServerContact) {
    switch contact {
    case .reached:
      guard since != nil else { return }
      since = nil
      timer?.disarm()
      reached()
    case .unreached:
      guard since == nil else { return }
      since = clock()
      look()
    }
  }

  /// The time is up, perhaps; or other times count now.
  func look() {
    guard let since else { return }
    let duration = clock() - since
    guard let next = unreached(duration) else { return timer?.disarm() ?? () }
    timer?.arm(after: next - duration)
  }
}
