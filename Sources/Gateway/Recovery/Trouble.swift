/// A trouble that lasts, and what was done about it so far. Times are this boot's `CLOCK_BOOTTIME`.
struct Trouble: Sendable, Equatable {
  /// Steps of different names that are counted for the line at the end; further ones are done and not counted.
  static let tallyLimit = 16

  /// How often a step was taken.
  struct Tally: Sendable, Equatable {
    var step: String
    var count: Int
  }

  var began: Duration
  /// What a round's `after` counts from.
  var roundBegan: Duration
  var lastStep: Duration?
  /// The last attempt to restart the board; 0 after it has worked.
  var lastReboot: Duration?
  /// How long it had lasted in earlier boots, as far as was recorded.
  var earlier = Duration.zero
  /// Rounds that are over.
  var rounds = 0
  /// Steps of the present round that were taken, the first ones.
  var taken = 0
  /// Restarts of the board for this, all in vain.
  var reboots = 0
  /// In the order of their first time.
  var tally: [Tally] = []

  init(at now: Duration) {
    began = now
    roundBegan = now
  }

  func length(at now: Duration) -> Duration { earlier + max(.zero, now - began) }

  mutating func note(_ step: String, at now: Duration) {
    lastStep = now
    if let index = tally.firstIndex(where: { $0.step == step }) {
      tally[index].count = Self.counted(tally[index].count)
    } else if tally.count < Self.tallyLimit {
      tally.append(Tally(step: step, count: 1))
    }
  }

  /// One more, bounded.
  static func counted(_ count: Int) -> Int { min(count, 999_999) + 1 }

  /// As it goes on after another boot: its times count from a time of the new boot.
  func afterReboot(from start: Duration) -> Trouble {
    var trouble = self
    trouble.earlier = length(at: lastStep ?? began)
    trouble.began = start
    trouble.roundBegan = start
    trouble.lastStep = lastStep.map { _ in start }
    trouble.lastReboot = lastReboot.map { _ in start }
    return trouble
  }

  /// With no time later than now: what the record's clock cannot have been.
  func bounded(by now: Duration) -> Trouble {
    var trouble = self
    trouble.began = min(began, now)
    trouble.roundBegan = min(roundBegan, now)
    trouble.lastStep = lastStep.map { min($0, now) }
    trouble.lastReboot = lastReboot.map { min($0, now) }
    return trouble
  }

  /// `restart-modem 3 times, reboot`
  var steps: String {
    tally.map { $0.count == 1 ? $0.step : "\($0.step) \($0.count) times" }.joined(separator: ", ")
  }
}

/// Restarts of the board in a row, whatever they were for: all ladders together wait longer for each.
struct RebootHistory: Sendable, Equatable {
  var count = 0
  /// The last attempt, on this boot's clock.
  var last: Duration?

  static let none = RebootHistory()
}
