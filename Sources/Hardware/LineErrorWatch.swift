/// When the log says that a line damages what it carries. A value: who owns it looks now and then.
struct LineErrorWatch {
  /// Errors of a kind between two looks from which it is told; plugging in and switching on make a few.
  static let threshold: UInt64 = 10
  /// How often a kind is told at most.
  static let pause = Duration.seconds(3600)
  /// How often the owner looks.
  static let interval = Duration.seconds(60)

  private enum Kind: Int, CaseIterable {
    case framing, parity, overrun

    func count(in counts: LineErrorCounts) -> UInt64 {
      switch self {
      case .framing: counts.framing
      case .parity: counts.parity
      case .overrun: counts.overrun &+ counts.bufferOverrun
      }
    }

    func sentence(_ count: UInt64) -> String {
      switch self {
      case .framing: "\(count) framing errors: often a wrong baud rate or swapped wires"
      case .parity: "\(count) parity errors: often a wrong parity, or noise on the line"
      case .overrun: "\(count) times characters were lost in this machine: it is too busy, or the rate too high for it"
      }
    }
  }

  private var seen = LineErrorCounts()
  private var toldAt = [Duration?](repeating: nil, count: Kind.allCases.count)

  /// - Parameters:
  ///   - counts: All that were counted until now.
  ///   - time: Of a clock that only goes on.
  /// - Returns: A sentence for each kind that has risen and was not told lately.
  mutating func look(at counts: LineErrorCounts, _ time: Duration) -> [String] {
    var sentences: [String] = []
    for kind in Kind.allCases {
      let risen = kind.count(in: counts) &- kind.count(in: seen)
      guard risen >= Self.threshold else { continue }
      if let told = toldAt[kind.rawValue], time - told < Self.pause { continue }
      toldAt[kind.rawValue] = time
      sentences.append(kind.sentence(risen))
    }
    seen = counts
    return sentences
  }
}
