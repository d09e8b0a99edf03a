public import Telemetry

/// An open serial line, or what stands in for one. Has one user at a time: the pool's call that opens it, then its
/// port on the loop, then the pool's call that closes it.
public protocol ByteStream: AnyObject, Sendable {
  /// What epoll(7) watches; valid until `close`.
  var descriptor: CInt { get }

  /// What the driver made of the options asked for.
  var granted: SerialOptions { get }

  /// Takes what has arrived; never waits.
  ///
  /// - Parameter limit: The most bytes to take, at least 1.
  /// - Returns: At least one byte, with the time of the read; `nil` when nothing is there yet (`EAGAIN`).
  /// - Throws: `PortError` with `.gone` after an unplug or a hang-up.
  /// - Source: read(2); drivers/tty/tty_io.c, where a hung-up tty reads 0 bytes, so that 0 is not "nothing yet".
  func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)?

  /// Hands bytes to the driver; never waits.
  ///
  /// - Returns: How many it took, from the front; 0 when it has no room (`EAGAIN`).
  /// - Throws: `PortError` with `.gone` after an unplug or a hang-up.
  func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int

  /// The driver's counters; `nil` where it keeps none. Read from memory, no message goes to the device.
  func readCounters() -> DriverCounters?

  /// Drops what was not sent and closes the descriptor. May wait for seconds: not on the loop. Once.
  func close()
}
