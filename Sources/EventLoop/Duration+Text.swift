extension Duration {
  /// `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`: enough to act on.
  public var forHumans: String {
    let milliseconds = wholeMilliseconds
    switch milliseconds {
    case ..<1000: return "\(milliseconds) ms"
    case ..<10_000: return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    case ..<120_000: return "\(milliseconds / 1000) s"
    case ..<7_200_000: return "\(milliseconds / 60_000) min"
    case ..<172_800_000: return "\(milliseconds / 3_600_000) h"
    default: return "\(milliseconds / 86_400_000) d"
    }
  }
}
