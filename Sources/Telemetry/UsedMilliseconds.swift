/// The milliseconds in which a key is known to have a value, as a few runs; older ones are forgotten.
struct UsedMilliseconds: Sendable {
  /// Runs remembered that lay in the future after the clock was set back; of more the oldest go.
  static let mostAbandonedRuns = 3

  /// The run the last value went to.
  private var current: ClosedRange<Int64>?
  private var abandoned: [ClosedRange<Int64>] = []

  init(_ run: ClosedRange<Int64>? = nil) {
    current = run
  }

  /// The latest millisecond of all.
  var last: Int64 {
    abandoned.reduce(current?.upperBound ?? .min) { max($0, $1.upperBound) }
  }

  /// The end of the latest run that ends at `limit` or before; `nil` where there is none.
  func last(through limit: Int64) -> Int64? {
    var latest: Int64?
    forEachRun { run in
      if run.upperBound <= limit { latest = max(latest ?? run.upperBound, run.upperBound) }
    }
    return latest
  }

  /// The millisecond after all runs that end between `milliseconds` and `limit`; else `milliseconds`.
  func free(from milliseconds: Int64, before limit: Int64) -> Int64 {
    var free = milliseconds
    forEachRun { run in
      if run.upperBound >= milliseconds, run.upperBound < limit { free = max(free, run.upperBound + 1) }
    }
    return free
  }

  /// Whether no millisecond from `milliseconds` through `limit` is left: one run holds them all, or the last value has
  /// reached the limit, and a value before it would be out of order.
  func isFull(from milliseconds: Int64, through limit: Int64) -> Bool {
    var isFull = current?.upperBound == limit
    forEachRun { run in
      if run.lowerBound <= milliseconds, run.upperBound >= limit { isFull = true }
    }
    return isFull
  }

  /// Marks a millisecond used.
  ///
  /// - Returns: Whether it was already.
  mutating func insert(_ milliseconds: Int64) -> Bool {
    guard let run = current else {
      current = milliseconds...milliseconds
      return false
    }
    if run.contains(milliseconds) { return true }
    if abandoned.contains(where: { $0.contains(milliseconds) }) { return true }
    if run.upperBound < milliseconds {
      let continues = run.upperBound + 1 == milliseconds
      current = (continues ? run.lowerBound : milliseconds)...milliseconds
    } else {
      if abandoned.count >= Self.mostAbandonedRuns { abandoned.removeFirst() }
      abandoned.append(run)
      current = milliseconds...milliseconds
    }
    return false
  }

  private func forEachRun(_ body: (ClosedRange<Int64>) -> Void) {
    if let current { body(current) }
    for run in abandoned { body(run) }
  }
}
