internal import CCurl
internal import Glibc

/// The wall clock, as far as certificates depend on it.
enum Clock {
  /// 2024-01-01 UTC: older than this program, so a clock before it has not been set since the start.
  static let earliest = 1_704_067_200

  static var isPlainlyWrong: Bool { time(nil) < earliest }

  /// Today in UTC, `1970-01-01`.
  static var day: String {
    var now = time(nil)
    var parts = tm()
    guard gmtime_r(&now, &parts) != nil else { return "?" }
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%d", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Seconds of the longest delay that is believed.
  private static let longestDelay = 86_400

  /// The time a `Retry-After` asks for, seconds or a date; `nil` where it is neither. RFC 9110, 10.2.3.
  static func delay(of text: String) -> Duration? {
    if let seconds = Int(text) { return .seconds(min(max(seconds, 0), longestDelay)) }
    let date = curl_getdate(text, nil)
    guard date >= 0 else { return nil }
    let (seconds, overflow) = date.subtractingReportingOverflow(time(nil))
    return overflow ? nil : .seconds(min(max(seconds, 0), longestDelay))
  }
}
