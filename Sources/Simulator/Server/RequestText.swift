internal import Foundation

/// A request of the log as one line of text.
public enum RequestText {
  /// `13:05:09.123  POST telemetry   200    24 samples    72 values   1834 B    1.2 ms`
  public static func line(_ record: RequestRecord) -> String {
    let status = record.status.map { "\($0)" } ?? "cut"
    let device = "/api/v1/***/"
    let name = record.path.hasPrefix(device) ? String(record.path.dropFirst(device.count)) : record.path
    let duration = String(format: "%.1f ms", record.duration.inSeconds * 1000)
    return DemoText.pad("\(clock(record.time))  \(record.method) \(name) ", 34) + DemoText.pad(status, 4)
      + DemoText.right("\(record.messages)", 6) + " samples" + DemoText.right("\(record.values)", 6) + " values"
      + DemoText.right(DemoText.bytes(record.requestBytes), 10) + DemoText.right(duration, 11)
  }

  /// Local wall clock, `13:05:09.123`.
  private static func clock(_ milliseconds: Int64) -> String {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    return String(
      format: "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec, Int(milliseconds % 1000))
  }
}
