import Testing

@testable import ThingsBoard

@Suite struct TelemetryBodyTests {
  private func body(_ elements: [(Int64, String)]) -> String? {
    TelemetryBody.make(TelemetryBatch(elements.map { .init(timestamp: $0.0, values: Array($0.1.utf8)) }))
      .map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func oneElement() {
    #expect(body([(1_700_000_000_000, #"{"t":21.5}"#)]) == #"[{"ts":1700000000000,"values":{"t":21.5}}]"#)
  }

  @Test func neighboursOfOneInstantShareAnElement() {
    #expect(
      body([(1, #"{"a":1}"#), (1, #"{"b":2,"c":{}}"#), (2, #"{"a":3}"#), (1, #"{"a":4}"#)])
        == #"[{"ts":1,"values":{"a":1,"b":2,"c":{}}},{"ts":2,"values":{"a":3}},{"ts":1,"values":{"a":4}}]"#)
  }

  /// Both in one object would be taken for a timestamped element and lost (contract.md §1).
  @Test func theKeysTsAndValuesNeverMeet() {
    #expect(
      body([(1, #"{"ts":1}"#), (1, #"{"values":2}"#), (1, #"{"a":3}"#)])
        == #"[{"ts":1,"values":{"ts":1}},{"ts":1,"values":{"values":2}},{"ts":1,"values":{"a":3}}]"#)
  }

  /// The server would never answer it.
  @Test func anEmptyBatchHasNoBody() { #expect(body([]) == nil) }
}
