internal import Telemetry

/// A line with its claim, which ends when the line is closed.
final class ClaimedLine: ByteStream, @unchecked Sendable {
  // @unchecked: both never change; the line's users are those of `ByteStream`.
  private let line: any ByteStream
  private let release: @Sendable () -> Void

  init(_ line: any ByteStream, release: @escaping @Sendable () -> Void) {
    self.line = line
    self.release = release
  }

  var descriptor: CInt { line.descriptor }
  var granted: SerialOptions { line.granted }
  func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)? {
    try line.read(atMost: limit)
  }
  func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int { try line.write(bytes) }
  func readCounters() -> DriverCounters? { line.readCounters() }

  func close() {
    // First: while the descriptor is open the kernel gives the number to nobody else, and a driver may hold up
    // close(2) for long after it has.
    release()
    line.close()
  }
}
