internal import Hardware

/// When which step is taken against a trouble that lasts, as a value: no clock, no disk, no program in it.
///
/// Steps come one after the other, each once a round. After the last one it begins again with the first and with longer
/// waits, so that it never stops trying and never gets frantic. Restarts of the board are rarer still.
struct Ladder: Sendable, Equatable {
  /// Waits are doubled each round until a round takes about this long, or as long as it is configured to.
  static let longestRound = Duration.seconds(24 * 3600)
  /// The wait for the first step of a later round counts as this at least.
  static let shortestWaitAgain = Duration.seconds(60)
  /// Between two steps that became due together, the machine having slept, unless they are configured to be closer.
  static let pause = Duration.seconds(600)
  /// A board does not restart sooner after its start: time for a person to change the file.
  static let earliestReboot = Duration.seconds(300)
  /// What the wait between restarts in a row is doubled up to.
  static let longestBetweenReboots = Duration.seconds(24 * 3600)
  static let reboot = "reboot"

  private(set) var steps: [RecoveryStep]
  /// `nil` while all is well.
  private(set) var trouble: Trouble?

  /// - Parameters:
  ///   - steps: By time.
  ///   - trouble: Carried over from before the start.
  init(_ steps: [RecoveryStep], trouble: Trouble? = nil) {
    self.steps = steps
    self.trouble = trouble
    clampTaken()
  }

  /// Goes on with other steps.
  mutating func update(_ steps: [RecoveryStep]) {
    self.steps = steps
    clampTaken()
  }

  /// The trouble is there; nothing happens where it was already.
  mutating func begin(at now: Duration) {
    if trouble == nil { trouble = Trouble(at: now) }
  }

  /// It is over.
  ///
  /// - Returns: What it was.
  mutating func end() -> Trouble? {
    defer { trouble = nil }
    return trouble
  }

  /// When the next step is to be taken; `nil` without trouble or steps.
  func due(after reboots: RebootHistory = .none) -> Duration? {
    guard let trouble, let step = next else { return nil }
    var due = trouble.roundBegan + wait(for: trouble.taken, in: trouble.rounds)
    if let last = trouble.lastStep { due = max(due, last + min(gap(before: trouble.taken), Self.pause)) }
    guard step.run == Self.reboot else { return due }
    due = max(due, Self.earliestReboot)
    guard reboots.count > 0, let last = reboots.last else { return due }
    let after = max(step.after, Self.shortestWaitAgain)
    return max(due, last + Self.doubled(after, times: reboots.count, most: Self.longestBetweenReboots))
  }

  /// Takes the next step where it is due.
  mutating func take(at now: Duration, after reboots: RebootHistory = .none) -> RecoveryStep? {
    guard let due = due(after: reboots), now >= due, let step = next, var trouble else { return nil }
    trouble.note(step.run, at: now)
    if step.run == Self.reboot {
      trouble.reboots = Trouble.counted(trouble.reboots)
      trouble.lastReboot = now
    }
    trouble.taken += 1
    if trouble.taken == steps.count {
      trouble.taken = 0
      trouble.rounds = Trouble.counted(trouble.rounds)
      trouble.roundBegan = now
    }
    self.trouble = trouble
    return step
  }

  // MARK: Waits

  /// The step whose turn it is.
  var next: RecoveryStep? {
    guard let trouble, trouble.taken < steps.count else { return nil }
    return steps[trouble.taken]
  }

  /// From a round's beginning to its step.
  private func wait(for index: Int, in round: Int) -> Duration {
    let after = steps[index].after
    if round == 0 { return after }
    return (index == 0 ? max(after, Self.shortestWaitAgain) : after) * factor(of: round)
  }

  /// What a round's waits are multiplied by: its power of two, as long as the round does not exceed its bound.
  private func factor(of round: Int) -> Int {
    let span = max(steps.last?.after ?? .zero, Self.shortestWaitAgain)
    var factor = 1
    for _ in 0..<min(round, 30) where span * (factor * 2) <= Self.longestRound { factor *= 2 }
    return factor
  }

  private func gap(before index: Int) -> Duration {
    index == 0 ? .zero : max(.zero, steps[index].after - steps[index - 1].after)
  }

  private static func doubled(_ wait: Duration, times: Int, most: Duration) -> Duration {
    var result = wait
    for _ in 0..<min(times, 30) where result < most { result = min(result * 2, most) }
    return result
  }

  /// A shorter list than before has come to its end.
  private mutating func clampTaken() {
    guard var trouble, trouble.taken >= steps.count, !steps.isEmpty else { return }
    trouble.taken = 0
    trouble.rounds = Trouble.counted(trouble.rounds)
    trouble.roundBegan = trouble.lastStep ?? trouble.roundBegan
    self.trouble = trouble
  }
}
