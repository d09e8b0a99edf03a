/// Counts a second over the last few seconds.
struct RateMeter {
  private static let window = Duration.seconds(5)
  private var marks: [String: [(time: Duration, count: Int)]] = [:]

  mutating func rate(of name: String, count: Int, at time: Duration) -> Double {
    var list = marks[name] ?? []
    list.append((time, count))
    // Times grow, so what is too old stands first; one mark beyond the window stays as its edge.
    while list.count > 2, time - list[1].time >= Self.window { list.removeFirst() }
    marks[name] = list
    guard let first = list.first, time > first.time else { return 0 }
    return Double(count - first.count) / (time - first.time).inSeconds
  }
}
