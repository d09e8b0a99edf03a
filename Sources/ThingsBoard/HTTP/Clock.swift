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
}
