/// The kernel's files, as far as sensors need them. Paths begin with `/sys`; each call opens anew, since what a number
/// such as `hwmon1` means changes while Baudgate runs.
///
/// Source: the kernel's Documentation/filesystems/sysfs.rst: a file is at most a page, its driver is asked when it is
/// read from its beginning, and what the driver answers with an error number is what read(2) fails with.
protocol SysfsFiles: Sendable {
  /// All of a file, at most `SysfsLimits.file` bytes. May take as long as the driver does.
  func contents(of path: String) throws(SysfsError) -> [UInt8]

  /// Writes `text` in one call.
  func write(_ text: String, to path: String) throws(SysfsError)

  /// The names in a directory, in order, without `.` and `..`; at most `SysfsLimits.entries`.
  func names(in directory: String) throws(SysfsError) -> [String]

  /// Waits on the calling thread.
  func pause(milliseconds: Int)
}

/// What bounds the reading of files.
enum SysfsLimits {
  /// Bytes of one file: a page.
  static let file = 4096
  /// Names of one directory that are looked at.
  static let entries = 1024
  /// Values of one sensor, and devices that are looked through for one.
  static let values = 64
  /// Reads of one cycle that are done a second time: a dead chip with many channels must not take twice its time.
  static let retries = 4
  /// Before a second attempt: what disturbs a bus, an edge on a long cable or another program, is over by then.
  static let retryPause = 100
}

/// A call on a file of the kernel that failed.
struct SysfsError: Error, Hashable {
  let path: String
  let errno: CInt
}
