internal import EventLoop
internal import ThingsBoard

/// When all shared attributes are read, as a value.
///
/// After a gap they are read once a new poll has settled on the server: read earlier, a change between the reading and
/// the poll's arrival would be heard of by neither.
///
/// Source: contract.md §3.
struct RereadSchedule {
  private struct Reading {
    let began: Duration
    /// How long before it the newest poll had opened, if it still was.
    let settled: Duration?
    var hadGap = false
  }

  private let timing: PollTiming
  /// How often they are read at least.
  private let interval: Duration
  private var regular: Duration?
  /// Since when there is one that no reading has closed.
  private var gap: Duration?
  private var newestPoll: Duration?
  private var retry: Duration?
  private var reading: Reading?
  private var settle: Duration
  private var failures = 0
  private var quick: Backoff
  private var slow: Backoff

  /// - Parameter interval: How often they are read where polls tell of no gap.
  init(timing: PollTiming, every interval: Duration) {
    self.timing = timing
    self.interval = interval
    settle = timing.settle
    quick = timing.quickRetry
    slow = timing.slowRetry
  }

  /// When `begin` is to be called next.
  var due: Duration? {
    guard reading == nil, var due = regular else { return nil }
    if let gap {
      due = min(due, gap + timing.patience)
      if let newestPoll { due = min(due, newestPoll + settle) }
    }
    return max(due, retry ?? due)
  }

  // MARK: Events

  /// - Parameter first: When they are to be read first, be there a gap or not.
  mutating func start(at now: Duration, first: Duration) {
    regular = first
    retry = nil
    quick.reset()
    slow.reset()
  }

  mutating func stop() { regular = nil }

  mutating func pollOpened(at time: Duration) { newestPoll = time }

  /// - Parameter newestOpenedAt: When the newest poll opened, if it is open still.
  mutating func gapAppeared(newestOpenedAt: Duration?, at now: Duration) {
    if gap == nil { gap = now }
    // The open one may be about to tell of the same; its answer is awaited before anything is read.
    newestPoll = newestOpenedAt.map { max($0, now) }
    reading?.hadGap = true
  }

  /// - Returns: Whether all are to be read now; the end is an event.
  mutating func begin(at now: Duration) -> Bool {
    guard let due, now >= due else { return false }
    reading = Reading(began: now, settled: newestPoll.map { now - $0 })
    return true
  }

  mutating func succeeded(at now: Duration) {
    guard let reading else { return }
    self.reading = nil
    quick.reset()
    slow.reset()
    (failures, retry) = (0, nil)
    regular = now + interval
    // Twice the time a reading takes, a poll has had its connection and its way; where that was not waited for, again.
    let needed = max(timing.settle, min((now - reading.began) * 2, timing.longestSettle))
    settle = needed
    guard gap != nil else { return }
    let isClosed = !reading.hadGap && (reading.settled.map { $0 >= needed } ?? false)
    gap = isClosed ? nil : now
  }

  /// - Returns: The time to the next attempt, and how many failed in a row.
  mutating func failed(
    _ error: DeviceAPIError, at now: Duration, using generator: inout some RandomNumberGenerator
  ) -> (next: Duration, inARow: Int) {
    reading = nil
    failures += 1
    let delay = PollTiming.delay(after: error, quick: &quick, slow: &slow, using: &generator)
    retry = now + delay
    return (max(.zero, (due ?? now + delay) - now), failures)
  }
}
