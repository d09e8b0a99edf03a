import Testing

@testable import ThingsBoard

/// Who may send, as a value.
@Suite struct RequestGateTests {
  private let owners = (0..<4).map { _ in RequestOwner() }

  @Test func aPlaceIsGivenToWhoCameFirst() {
    var gate = RequestGate(places: 2, placesPerOwner: 2, longestQueue: 10)
    #expect(gate.enter(0, of: owners[0]) == .admitted)
    #expect(gate.enter(1, of: owners[1]) == .admitted)
    #expect(gate.enter(2, of: owners[2]) == .waits)
    #expect(gate.enter(3, of: owners[3]) == .waits)
    #expect(gate.leave(1) == [2])
    #expect(gate.leave(0) == [3])
    #expect(gate.leave(2) == [])
  }

  @Test func anOwnerWithItsPlacesTakenIsPassedBy() {
    var gate = RequestGate(places: 3, placesPerOwner: 2, longestQueue: 10)
    for id: UInt64 in 0..<2 { #expect(gate.enter(id, of: owners[0]) == .admitted) }
    #expect(gate.enter(2, of: owners[0]) == .waits)
    #expect(gate.enter(3, of: owners[1]) == .admitted, "a place is free, and its owner has none")
    #expect(gate.enter(4, of: owners[1]) == .waits)
    #expect(gate.leave(3) == [4], "the one before it has no place to be had")
    #expect(gate.leave(0) == [2])
  }

  @Test func whatIsGivenUpWhileItWaitsTakesNoPlace() {
    var gate = RequestGate(places: 1, placesPerOwner: 1, longestQueue: 10)
    _ = gate.enter(0, of: owners[0])
    _ = gate.enter(1, of: owners[1])
    _ = gate.enter(2, of: owners[2])
    #expect(gate.leave(1) == [])
    #expect(gate.leave(0) == [2])
  }

  @Test func aQueueHasAnEnd() {
    var gate = RequestGate(places: 1, placesPerOwner: 1, longestQueue: 2)
    #expect((0..<4).map { gate.enter($0, of: owners[0]) } == [.admitted, .waits, .waits, .full])
    #expect(gate.dismiss() == [1, 2])
    #expect(gate.enter(4, of: owners[0]) == .waits)
    #expect(gate.leave(0) == [4])
  }

  /// Against a list that is searched from its start after each step.
  @Test(arguments: UInt64(0)..<20) func itDoesWhatAListWould(_ seed: UInt64) {
    var generator = SplitMix(seed: seed)
    let places = Int.random(in: 1...5, using: &generator)
    let perOwner = Int.random(in: 1...3, using: &generator)
    var gate = RequestGate(places: places, placesPerOwner: perOwner, longestQueue: 8)
    var waiting: [(id: UInt64, owner: Int)] = []
    var underWay: [UInt64: Int] = [:]
    func admissible(_ owner: Int) -> Bool {
      underWay.count < places && underWay.values.count { $0 == owner } < perOwner
    }
    for id: UInt64 in 0..<400 {
      let owner = Int.random(in: 0..<4, using: &generator)
      if Bool.random(using: &generator) {
        let entry = gate.enter(id, of: owners[owner])
        if admissible(owner) {
          #expect(entry == .admitted)
          underWay[id] = owner
        } else if waiting.count < 8 {
          #expect(entry == .waits)
          waiting.append((id, owner))
        } else {
          #expect(entry == .full)
        }
      } else if let gone = (Array(underWay.keys) + waiting.map(\.id)).sorted().randomElement(using: &generator) {
        let admitted = gate.leave(gone)
        var expected: [UInt64] = []
        if underWay.removeValue(forKey: gone) == nil {
          waiting.removeAll { $0.id == gone }
        } else if let index = waiting.firstIndex(where: { admissible($0.owner) }) {
          let next = waiting.remove(at: index)
          underWay[next.id] = next.owner
          expected = [next.id]
        }
        #expect(admitted == expected)
      }
      #expect(!waiting.contains { admissible($0.owner) }, "nobody waits in front of a free place")
    }
  }
}

/// The same numbers in every run.
private struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
