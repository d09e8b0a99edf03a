internal import EventLoop

// MARK: Errors the driver counts

extension SerialPort {
  /// How late a look may come: no haste, so that it wakes nobody alone.
  private static let lookAccuracy = Duration.seconds(10)

  /// Looks now and then, while the port is open, at what the driver counts.
  func beginWatchingLineErrors() {
    guard connection?.counters != nil else { return }
    if errorTimer == nil {
      // Without a timer nothing is told; the status shows the counts all the same.
      errorTimer = try? TimerSource(loop, accuracy: Self.lookAccuracy) { [weak self] in
        self?.assumeIsolated { $0.lookAtLineErrors() }
      }
    }
    errorTimer?.arm(after: LineErrorWatch.interval)
  }

  private func lookAtLineErrors() {
    guard connection?.counters != nil else { return }
    tellLineErrors()
    errorTimer?.arm(after: LineErrorWatch.interval)
  }

  func tellLineErrors() {
    countDriverErrors()
    guard let driverErrors else { return }
    for sentence in errorWatch.look(at: driverErrors, Uptime.monotonic) { journal.lineErrors(sentence) }
  }
}
