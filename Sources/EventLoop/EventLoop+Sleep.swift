extension EventLoop {
  /// Suspends the calling task, which runs on this loop.
  ///
  /// - Parameter accuracy: How late it may resume, so that wake-ups coincide.
  /// - Throws: `CancellationError` as soon as the task is cancelled; `SystemError` without a timer to be had.
  public func sleep(
    for duration: Duration, clock: TimerSource.Clock = .monotonic,
    accuracy: Duration = TimerSource.ordinaryAccuracy
  ) async throws {
    let sleeper = Sleeper()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        execute { sleeper.begin(continuation, on: self, for: duration, clock: clock, accuracy: accuracy) }
      }
    } onCancel: {
      execute { sleeper.end(.failure(CancellationError())) }
    }
  }
}

/// One sleeping task. @unchecked: used on the loop alone.
private final class Sleeper: @unchecked Sendable {
  private var continuation: CheckedContinuation<Void, any Error>?
  private var timer: TimerSource?
  private var isOver = false

  func begin(
    _ continuation: CheckedContinuation<Void, any Error>, on loop: EventLoop, for duration: Duration,
    clock: TimerSource.Clock, accuracy: Duration
  ) {
    self.continuation = continuation
    if isOver || Task.isCancelled { return end(.failure(CancellationError())) }
    do {
      timer = try TimerSource(loop, clock: clock, accuracy: accuracy) { [weak self] in self?.end(.success(())) }
      timer?.arm(after: duration)
    } catch {
      end(.failure(error))
    }
  }

  func end(_ result: Result<Void, any Error>) {
    isOver = true
    timer = nil
    continuation?.resume(with: result)
    continuation = nil
  }
}
