internal import EventLoop

/// What was told of serial lines since the last time.
enum DeviceNews: Equatable {
  /// One appeared, or is ready for use now.
  case appeared
  /// The one with this directory in sysfs went away.
  case removed(directory: String)
  /// More happened than the kernel's buffer holds: anything may be there, anything gone.
  case overflow
  /// Nothing more for now.
  case nothing
  case failed(SystemError)
}

/// Where such news come from. Used on the loop.
protocol DeviceNewsSource: AnyObject, Sendable {
  /// Readable while there is news.
  var descriptor: CInt { get }
  /// Whether udevd tells, which has set the node's links and permissions by then; the kernel itself otherwise.
  var isUdev: Bool { get }
  /// The next of it; never waits.
  func next() -> DeviceNews
}
