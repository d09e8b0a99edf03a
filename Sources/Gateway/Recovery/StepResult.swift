internal import EventLoop
internal import Telemetry

/// What a step of a ladder came to.
enum StepResult: Sendable, Equatable {
  case done
  /// Why it could not be taken here, and what to do.
  case skipped(String)
  /// What went wrong, and what to do; a program's output with it.
  case failed(String)

  /// Characters of the words that are logged and reported.
  static let wordLimit = 512

  /// `ok`, or words on one line.
  var words: String {
    switch self {
    case .done: "ok"
    case .skipped(let words): shortened("skipped: \(words)", to: Self.wordLimit)
    case .failed(let words): shortened(words, to: Self.wordLimit)
    }
  }
}

/// What every ladder may do, whatever the trouble.
struct RecoveryHands: Sendable {
  /// The programs of `rpc.run`, by name: one goes before the word of the same name.
  var programs: Set<String>
  /// Runs one of them to its end.
  var run: @Sendable (_ program: String) async -> StepResult
  /// Asks the system to restart the board.
  var reboot: @Sendable () async -> StepResult
  /// Puts readings into the gateway's queue; called on the loop.
  var report: @Sendable ([Reading]) -> Void
}
