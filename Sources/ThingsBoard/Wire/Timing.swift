internal import EventLoop

/// How long requests may take, and what tells the end of a long poll from an outage: how long it was open.
///
/// Source: contract.md §2–§5 and §9.
struct Timing: Sendable {
  /// A post, or a question that is no poll.
  var answer = Exchange.timeLimit
  /// A client-side RPC: a rule chain has 60 s, where no proxy or servlet ends it before.
  var call = Duration.seconds(65)
  /// Bytes a second at which a part of a package has to come: a mobile link at its worst.
  var slowestPackage = 1024
  /// Sooner, nobody has waited.
  var shortest = LongPoll.shortest
  /// What a poll asks for at most.
  var longest = LongPoll.longest
  /// From here on a 502, 503 or 504 is a time limit of the servlet (30 s) or of a proxy; sooner, an outage.
  var gatewayLimit = Duration.seconds(10)
  /// What connecting and the way back may take beyond the time asked for, before this side ends the poll.
  var margin = Duration.seconds(10)

  /// What a poll asks for; never so little that its end could not be told from an answer at once.
  func asked(_ timeout: Duration) -> Duration { min(max(timeout, shortest), longest) }

  /// How long a part of a package may take.
  func package(_ size: Int) -> Duration { answer + .seconds(size / max(1, slowestPackage)) }

  /// Whether a poll that asked for `asked` and was open for `time` has been waited for.
  func wasWaited(_ time: Duration, asked: Duration) -> Bool { time >= min(shortest, asked / 2) }

  /// Whether a failure is the poll's end: a stream or a connection closed under it. What breaks off within an answer has
  /// lost something, and is no end; nor is this side's own time limit: who has not heard of a poll's end was not there.
  func isEnd(_ failure: HTTPFailure, asked: Duration) -> Bool {
    guard let time = failure.openFor, !failure.answerBegan else { return false }
    switch failure.code {
    case .reset: return wasWaited(time, asked: asked)
    default: return false
    }
  }

  /// Whether a status is the poll's end.
  ///
  /// - Throws: `DeviceAPIError` for a 408 nobody has waited for.
  func isEnd(_ answer: ServerAnswer, asked: Duration) throws(DeviceAPIError) -> Bool {
    let response = answer.response
    switch response.status {
    case 408:
      if wasWaited(response.openFor, asked: asked) { return true }
      throw atOnce(answer, "a 408")
    case 502, 503, 504:
      // One that says when to come again is meant as it says.
      return response.openFor >= gatewayLimit && response.retryAfter == nil
    default: return false
    }
  }

  /// The error that keeps a client from polling in a circle.
  func atOnce(_ answer: ServerAnswer, _ what: String) -> DeviceAPIError {
    answer.error(
      .unavailable,
      """
      ends a long poll at once (\(what) after \(answer.response.openFor.forHumans)) instead of waiting: a proxy in \
      between?
      """)
  }
}
