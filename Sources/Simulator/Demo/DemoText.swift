internal import Foundation

/// How the demo puts things into words.
enum DemoText {
  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<10_000: "\(count) B"
    case ..<10_000_000: String(format: "%.1f kB", Double(count) / 1e3)
    default: String(format: "%.1f MB", Double(count) / 1e6)
    }
  }

  static func seconds(_ duration: Duration) -> String { String(format: "%.1f s", duration.inSeconds) }

  /// The queue in one line.
  static func queue(_ status: DaemonStatus?) -> String {
    guard let status, let records = status.queueRecords else { return "unknown: the daemon does not answer" }
    var text = "\(records) records"
    if let count = status.queueBytes { text += ", \(bytes(count))" }
    if let age = status.queueOldestAge, records > 0 { text += ", oldest \(seconds(.milliseconds(age)))" }
    if let uplink = status.uplinkState { text += "; uplink \(uplink)" }
    if let next = status.uplinkNextTry { text += ", next try in \(seconds(.milliseconds(max(0, next))))" }
    return text
  }

  /// The relay in one line: `on, 3 of 3 commands answered, the last after 0.8 ms`.
  static func relay(_ relay: DemoRelay.Summary) -> String {
    var text = relay.isOn.map { $0 ? "on" : "off" } ?? "unknown"
    if relay.sent > 0 { text += ", \(relay.answered) of \(relay.sent) commands answered" }
    if let latency = relay.latency { text += String(format: ", the last after %.1f ms", latency.inSeconds * 1000) }
    return text
  }

  static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// One line of a terminal: control characters replaced, cut to the width.
  static func fit(_ text: String, _ width: Int) -> String {
    let clean = String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : $0 }))
    return clean.count > width ? clean.prefix(max(0, width - 1)) + "…" : clean
  }
}
