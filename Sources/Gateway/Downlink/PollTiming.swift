internal import EventLoop
internal import ThingsBoard

/// The durations and bounds of what comes down; tests bring shorter ones.
struct PollTiming: Sendable {
  /// How long a poll may wait where nothing on the way cuts it short.
  var longest = LongPoll.longest
  /// How long before a poll's end the next one opens. More than requests differ in their time on the way.
  var lead = Duration.seconds(2)
  /// Polls are not made shorter than this; what cuts them shorter still is an outage.
  var shortest = Duration.seconds(4)
  /// How much shorter than what cut it a poll is made, and how far apart two ends of one cause may be.
  var margin = Duration.seconds(1)
  /// After this the full length is tried again.
  var relearning = Duration.seconds(3600)

  /// Openings above `burst` are at least this far apart, whatever answers come.
  var spacing = Duration.milliseconds(50)
  /// Openings in a row that are not spaced.
  var burst = 40

  /// Where time may heal.
  var quickRetry = UplinkStateMachine.quickRetry
  /// Where somebody has to change something first.
  var slowRetry = UplinkStateMachine.slowRetry

  /// How long a look at an interval waits for a command.
  var look = Duration.seconds(2)
  /// Commands taken in one look.
  var mostPerLook = 20

  /// From a poll's opening until it is taken to have reached the server.
  var settle = Duration.seconds(1)
  /// `settle` on a link that is found to be slow.
  var longestSettle = Duration.seconds(10)
  /// After this attributes are read again though no poll came to settle.
  var patience = Duration.seconds(60)
  /// Attributes are read again this often though nothing suggests it.
  var rereading = Duration.seconds(900)

  static let standard = PollTiming()

  /// The delay before the next attempt.
  ///
  /// - Returns: A draw of the back-off for this kind of error, longer where the server asks for it.
  static func delay(
    after error: DeviceAPIError, quick: inout Backoff, slow: inout Backoff,
    using generator: inout some RandomNumberGenerator
  ) -> Duration {
    let drawn: Duration =
      switch error.code {
      case .serverError, .unavailable, .unreachable, .noAnswer, .cancelled: quick.next(using: &generator)
      case .poison, .tooLarge, .unauthorized, .deviceDeleted, .notFound, .redirected, .notThingsBoard, .certificate,
        .unsupported:
        slow.next(using: &generator)
      }
    return max(drawn, min(error.retryAfter ?? .zero, UplinkStateMachine.retryAfterLimit))
  }
}
