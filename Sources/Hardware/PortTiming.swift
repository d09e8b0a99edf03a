internal import EventLoop

/// How long a port waits for what.
struct PortTiming: Sendable {
  /// Before the first attempt after the loss of a port that had been open for `stable`: most hang-ups are a cable
  /// touched.
  var firstRetry = Duration.milliseconds(250)
  /// The back-off between later attempts begins here and doubles, with jitter, up to `most`.
  var first = Duration.seconds(1)
  var most = Duration.seconds(30)
  /// A missing device is looked for at least this often: a failing open(2) costs little, and who plugged it in waits
  /// beside it.
  var mostWhileAbsent = Duration.seconds(5)
  /// How long a port must have been open for its loss to count as a new outage.
  var stable = Duration.seconds(10)
  /// How long an opening or closing may take before the log says that the driver is stuck. A wedged USB adapter takes
  /// 5 s for each control message.
  var stuckAfter = Duration.seconds(10)
  /// How long a write may wait for room.
  var writeTimeout = Duration.seconds(5)

  /// How late all these may be, so that wake-ups coincide.
  var accuracy = TimerSource.ordinaryAccuracy

  static let standard = PortTiming()
}
