internal import EventLoop
internal import Logging

// MARK: Other options

extension TelemetryQueue {
  static func accuracy(_ persistAfter: Int64) -> Int64 { max(1, min(1000, persistAfter / 8)) }

  /// Takes other options in place. What is beyond a smaller `max_size` or `memory` goes as it does when they are full,
  /// from the card at the next upkeep, which comes at once.
  ///
  /// - Returns: Whether all of them are in effect: `hotDirectory` cannot be changed without a restart.
  @discardableResult
  public func use(_ options: QueueOptions) -> Bool {
    let before = self.options
    var options = options
    let isWhole = options.hotDirectory == before.hotDirectory
    options.hotDirectory = before.hotDirectory
    guard options != before else { return isWhole }
    self.options = options
    if options.memory != before.memory {
      let dropped = ring.use(limit: options.memory, acknowledged: released)
      countDropped(dropped, why: "memory holds \(options.memory) bytes and no file takes them")
    }
    if options.maxSize < before.maxSize, !isClosed { trimDueAt = clock() }
    if options.persistAfter != before.persistAfter {
      persistAfter = options.persistAfter.wholeMilliseconds
      marks.use(persistAfter: persistAfter)
      cursorDueAt = cursorDueAt.map { min($0, clock() + persistAfter) }
      let accuracy = Self.accuracy(persistAfter)
      if accuracy != self.accuracy {
        self.accuracy = accuracy
        if !isClosed { makeTimer() }
      }
    }
    armedFor = nil
    schedule()
    return isWhole
  }

  /// Makes the timer, or another in its place; where none is to be had the one there is goes on.
  func makeTimer() {
    guard !isManual else { return }
    do {
      timer = try TimerSource(loop, accuracy: .milliseconds(accuracy)) { [weak self] in
        self?.assumeIsolated { $0.timerFired() }
      }
    } catch {
      let consequence = timer == nil ? "what waits is written to the card at the stop only" : "timing stays coarser"
      log.error("\(device): no timer (\(error)); \(consequence)", metadata: ["device": "\(device)"])
    }
  }
}
