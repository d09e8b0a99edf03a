/// Lets one line a minute through per cause and counts the rest.
struct LogGate: Sendable {
  /// Milliseconds between two lines of one cause.
  static let interval: Int64 = 60_000

  private var openAt = Int64.min
  private var held: UInt64 = 0

  /// - Parameters:
  ///   - count: What the line would tell of.
  ///   - time: Milliseconds of a clock that does not go back.
  /// - Returns: What the line is to tell of, the earlier ones included; `nil` when it has to wait.
  mutating func admit(_ count: UInt64, at time: Int64) -> UInt64? {
    held += count
    guard time >= openAt else { return nil }
    openAt = time + Self.interval
    defer { held = 0 }
    return held
  }
}
