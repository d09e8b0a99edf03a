import Testing

@testable import Gateway

@Suite struct SpreadTests {
  @Test func theGatewaysOwnDeviceIsTheFirst() {
    #expect(Spread.polls.offset(of: 0, in: 1) == .zero)
    #expect(Spread.polls.offset(of: 0, in: 1000) == .zero)
  }

  @Test func fewDevicesAreAStepApart() {
    let spread = Spread(over: .seconds(25), atMost: .milliseconds(500))
    #expect((0..<3).map { spread.offset(of: $0, in: 3) } == [.zero, .milliseconds(500), .seconds(1)])
  }

  @Test(arguments: [2, 50, 51, 100, 1000, 10_000]) func manyDevicesShareTheWindow(_ count: Int) {
    let offsets = (0..<count).map { Spread.polls.offset(of: $0, in: count) }
    #expect(offsets == offsets.sorted())
    #expect(Set(offsets).count == count)
    #expect(offsets.allSatisfy { $0 >= .zero && $0 < Spread.polls.window })
  }
}
