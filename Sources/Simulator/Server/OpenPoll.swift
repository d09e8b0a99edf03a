/// How a long poll ends.
enum PollEnd: Sendable, Equatable {
  /// With a command or a change of attributes; the answer's body.
  case news(String)
  /// Without; the client's time-out or the servlet's limit.
  case expired
  case deviceDeleted
}

/// A long poll that waits for its answer.
struct OpenPoll: Sendable {
  var kind: RequestKind
  var token: String
  var continuation: CheckedContinuation<PollEnd, Never>
}

/// Who is to be resumed once the state's lock is free.
struct Wakeups: Sendable {
  var polls: [(OpenPoll, PollEnd)] = []
  var waiters: [CheckedContinuation<Void, Never>] = []

  func resume() {
    for (poll, end) in polls { poll.continuation.resume(returning: end) }
    for waiter in waiters { waiter.resume() }
  }
}
