/// When the records that wait were appended, to within a sixteenth of `persistAfter`, however many there are.
struct AppendMarks: Sendable {
  private var marks: [(first: UInt64, time: Int64)] = []
  /// Milliseconds that one mark covers.
  private var width: Int64

  init(persistAfter: Int64) { width = Self.width(persistAfter) }

  /// What was marked before is known as finely as it was.
  mutating func use(persistAfter: Int64) { width = Self.width(persistAfter) }

  private static func width(_ persistAfter: Int64) -> Int64 { max(1, persistAfter / 16) }

  /// - Parameter time: Milliseconds of a clock that does not go back.
  mutating func appended(_ first: UInt64, at time: Int64) {
    if let last = marks.last, time - last.time < width { return }
    // Without a release for longer than they cover, the newest mark takes in what comes.
    if marks.count < 64 { marks.append((first, time)) }
  }

  /// When the oldest record beyond `released` was appended, or a little before; `nil` when there is none.
  mutating func oldest(beyond released: UInt64, newest: UInt64) -> Int64? {
    guard newest > released else {
      marks.removeAll(keepingCapacity: true)
      return nil
    }
    let passed = marks.dropFirst().prefix { $0.first <= released + 1 }.count
    if passed > 0 { marks.removeFirst(passed) }
    return marks.first?.time
  }
}
