import EventLoop
import Testing

/// Delays between attempts.
@Suite struct BackoffTests {
  /// SplitMix64 (Steele, Lea, Flood 2014): the same sequence everywhere.
  struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  static func delays(
    _ jitter: Backoff.Jitter, _ count: Int, using generator: some RandomNumberGenerator
  ) -> [Duration] {
    var (backoff, generator) = (Backoff(first: .seconds(1), most: .seconds(30), jitter: jitter), generator)
    return (0..<count).map { _ in backoff.next(using: &generator) }
  }

  @Test func withoutJitterDelaysDoubleUpToTheMost() {
    #expect(
      Self.delays(.none, 8, using: Seeded(state: 1))
        == [1, 2, 4, 8, 16, 30, 30, 30].map { Duration.seconds($0) })
  }

  /// Worked out apart from this code: SplitMix64's numbers scaled by their high 64 bits of a product (Lemire 2019).
  @Test(arguments: [
    (Backoff.Jitter.full, [566_562, 1_491_564, 3_884_011, 3_554_874, 7_108_235, 22_886_832, 26_320_461]),
    (Backoff.Jitter.equal, [783_281, 1_745_782, 3_942_006, 5_777_437, 11_554_118, 26_443_416, 28_160_231]),
  ])
  func aSeededGeneratorGivesTheSequence(_ jitter: Backoff.Jitter, _ microseconds: [Int]) {
    #expect(Self.delays(jitter, 7, using: Seeded(state: 1)) == microseconds.map { Duration.microseconds($0) })
  }

  @Test(arguments: [Backoff.Jitter.none, .equal, .full], [UInt64.min, .max])
  func noDelayExceedsTheMost(_ jitter: Backoff.Jitter, _ value: UInt64) {
    // `random(in:)` draws again for a few values, so the extremes alternate with something else.
    struct Alternating: RandomNumberGenerator {
      var extreme: UInt64
      var seeded = Seeded(state: 7)
      var isExtreme = false
      mutating func next() -> UInt64 {
        isExtreme.toggle()
        return isExtreme ? extreme : seeded.next()
      }
    }
    for delay in Self.delays(jitter, 200, using: Alternating(extreme: value)) {
      #expect((.zero ... .seconds(30)).contains(delay))
    }
  }

  @Test func resetStartsOver() {
    var generator = Seeded(state: 1)
    var backoff = Backoff(first: .milliseconds(100), most: .seconds(1), jitter: .none)
    _ = backoff.next(using: &generator)
    _ = backoff.next(using: &generator)
    backoff.reset()
    #expect(backoff.next(using: &generator) == .milliseconds(100))
  }

  @Test func absurdBoundsAreBounded() {
    var generator = Seeded(state: 1)
    var backoff = Backoff(first: .seconds(-1), most: .seconds(Int64.max), jitter: .none)
    #expect(backoff.first == .microseconds(1))
    let delays = (0..<100).map { _ in backoff.next(using: &generator) }
    #expect(delays.last == .seconds(3_155_760_000))
    var upsideDown = Backoff(first: .seconds(5), most: .seconds(1), jitter: .none)
    #expect((0..<3).map { _ in upsideDown.next(using: &generator) } == Array(repeating: .seconds(5), count: 3))
  }
}
