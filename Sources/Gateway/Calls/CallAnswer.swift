internal import Configuration
internal import Telemetry

/// Picks a scheduled call's values out of the server's answer.
struct CallAnswer: Equatable {
  /// Values that are there; null is none.
  var readings: [Reading] = []
  /// Paths without any member, as the configuration has them: `wind.speed`.
  var missing: [String] = []
  /// The rule chain's `{"error":…}`, unless the call asks for that member: its JSON text, cut.
  var error: String?

  /// Bytes of an answer that are shown in a log line.
  static let shownBytes = 200

  init(_ answer: JSON, for values: [(path: [String], key: Key)]) {
    if let error = answer["error"], error != .null, !values.contains(where: { $0.path.first == "error" }) {
      self.error = quoted(error.text.utf8, limit: Self.shownBytes)
      return
    }
    for (path, key) in values {
      guard let found = Self.member(path[...], of: answer) else {
        missing.append(path.joined(separator: "."))
        continue
      }
      if let value = Value(found) { readings.append(Reading(key, value)) }
    }
  }

  /// Objects are entered by name, arrays by position from 0.
  private static func member(_ path: ArraySlice<String>, of document: JSON) -> JSON? {
    guard let first = path.first else { return document }
    let next: JSON?
    if case .array(let elements) = document {
      next = Int(first).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
    } else {
      next = document[first]
    }
    return next.flatMap { member(path.dropFirst(), of: $0) }
  }
}
