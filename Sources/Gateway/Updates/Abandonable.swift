internal import EventLoop

/// An answer somebody may stop waiting for: it is dropped then. @unchecked: used on the loop alone.
final class Abandonable<Answer: Sendable>: @unchecked Sendable {
  private let loop: EventLoop
  private var continuation: CheckedContinuation<Answer?, Never>?
  private var isOver = false

  init(_ loop: EventLoop) { self.loop = loop }

  /// Waits for the answer, or until the calling task is cancelled.
  ///
  /// - Parameter begin: Begins what is to answer, once, from any thread.
  /// - Returns: `nil` after a cancellation.
  func result(_ begin: @escaping @Sendable (_ answer: @escaping @Sendable (Answer) -> Void) -> Void) async -> Answer? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.execute { [self] in
          if isOver { return continuation.resume(returning: nil) }
          self.continuation = continuation
          begin { answer in self.loop.execute { self.end(answer) } }
        }
      }
    } onCancel: {
      loop.execute { self.end(nil) }
    }
  }

  private func end(_ answer: Answer?) {
    isOver = true
    continuation?.resume(returning: answer)
    continuation = nil
  }
}
