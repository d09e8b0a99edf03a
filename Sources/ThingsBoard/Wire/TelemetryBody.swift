internal import Telemetry

/// The body of `POST /api/v1/TOKEN/telemetry`: `[{"ts":1700000000000,"values":{…}},…]`.
///
/// Elements of one instant that follow each other become one, which saves the server a message each. The server answers
/// no empty array, so an empty batch has no body.
///
/// Source: contract.md §2 (ThingsBoard's JsonConverter).
enum TelemetryBody {
  static func make(_ batch: TelemetryBatch) -> [UInt8]? {
    guard !batch.elements.isEmpty else { return nil }
    var body: [UInt8] = []
    body.reserveCapacity(batch.elements.reduce(2) { $0 + $1.values.count + 36 })
    body.append(UInt8(ascii: "["))
    var open: TelemetryBatch.Element?
    for element in batch.elements {
      if let open, open.timestamp == element.timestamp, !open.mayHideATimestamp, !element.mayHideATimestamp {
        body[body.count - 1] = UInt8(ascii: ",")
        body.append(contentsOf: element.values.dropFirst())
        continue
      }
      body.append(contentsOf: open == nil ? start : next)
      element.timestamp.appendDecimal(to: &body)
      body.append(contentsOf: middle)
      body.append(contentsOf: element.values)
      open = element
    }
    body.append(contentsOf: end)
    return body
  }

  private static let start = Array(#"{"ts":"#.utf8)
  private static let next = Array(#"},{"ts":"#.utf8)
  private static let middle = Array(#","values":"#.utf8)
  private static let end = Array("}]".utf8)
}

extension TelemetryBatch.Element {
  /// Whether one of the keys `ts` and `values` may be in it. Values that hold both the server takes for an element of
  /// their own and loses; one sensor's never do, but two sensors' could together.
  fileprivate var mayHideATimestamp: Bool {
    Self.suspects.contains { suspect in
      values.indices.contains { values[$0] == UInt8(ascii: "\"") && values[$0...].starts(with: suspect) }
    }
  }

  private static let suspects = [Array(#""ts":"#.utf8), Array(#""values":"#.utf8)]
}
