/// The durations and bounds of updates; tests bring others.
struct UpdateTiming: Sendable, Equatable {
  /// From a change of the assignment until it is believed: the server writes its attributes in several steps.
  var settle = Duration.seconds(2)
  /// Between two looks for the installer's result and the running version.
  var look = Duration.seconds(2)
  /// How long the installer may take to show that it has begun.
  var takeover = Duration.seconds(60)
  /// How much longer than its time limits, the rollback's included, the installer may take.
  var installMargin = Duration.seconds(120)
  /// Between two looks whether there is room on the disk by now.
  var room = Duration.seconds(300)
  /// Bytes that a crash downloads again at most.
  var checkpoint: Int64 = 4 << 20
  /// Log lines of one download's progress are at least this far apart.
  var progress = Duration.seconds(5)

  static let standard = UpdateTiming()

  /// Downloads of one assignment whose bytes turned out to be wrong.
  static let attemptLimit = 3
  /// Parts in a row that have not the length they should have.
  static let oddPartLimit = 3
  /// Refusals in a row of a package that is assigned all the same.
  static let refusalLimit = 10
  /// Starts of the machine within which the new version has to report itself.
  static let bootLimit = 3
}
