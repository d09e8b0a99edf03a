internal import EventLoop
internal import ThingsBoard

/// When a request that failed is tried again: soon where time may heal, rarely where somebody has to change something.
struct RetryPace: Sendable {
  /// Full jitter: many gateways lose one server at the same moment.
  static let quickRetry = Backoff(first: .seconds(1), most: .seconds(60))
  static let slowRetry = Backoff(first: .seconds(30), most: .seconds(300), jitter: .equal)
  /// The longest a server may ask to be left alone.
  static let retryAfterLimit = UplinkStateMachine.retryAfterLimit

  private var quick: Backoff
  private var slow: Backoff

  init(quick: Backoff = RetryPace.quickRetry, slow: Backoff = RetryPace.slowRetry) {
    self.quick = quick
    self.slow = slow
  }

  mutating func next(needsPerson: Bool, using generator: inout some RandomNumberGenerator) -> Duration {
    needsPerson ? slow.next(using: &generator) : quick.next(using: &generator)
  }

  /// The delay after `error`, not shorter than the server asks for.
  mutating func next(
    after error: DeviceAPIError, using generator: inout some RandomNumberGenerator
  ) -> Duration {
    let delay = next(needsPerson: error.code.needsPerson || error.code == .poison, using: &generator)
    return max(delay, min(error.retryAfter ?? .zero, Self.retryAfterLimit))
  }

  /// A request was answered: the way there is well.
  mutating func wasAnswered() { quick.reset() }

  /// All is well.
  mutating func succeeded() {
    quick.reset()
    slow.reset()
  }
}
