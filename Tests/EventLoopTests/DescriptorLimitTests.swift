import Testing

@testable import EventLoop

@Suite struct DescriptorLimitTests {
  @Test func theLimitInForceBecomesTheOneAllowed() throws {
    let granted = try DescriptorLimit.raise()
    let limit = try DescriptorLimit.current()
    #expect(limit.rlim_cur == limit.rlim_max)
    #expect(granted == UInt64(limit.rlim_max))
    #expect(try DescriptorLimit.raise() == granted)
  }
}
