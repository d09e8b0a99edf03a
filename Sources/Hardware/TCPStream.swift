internal import CKernel
internal import EventLoop
internal import Glibc
public import Telemetry

/// A serial server's line: the bytes of a TCP connection as they are, neither Telnet nor RFC 2217.
///
/// Source: tcp(7), socket(7), connect(2).
public final class TCPStream: ByteStream, @unchecked Sendable {
  // @unchecked: one user at a time, as `ByteStream` says; the hand-overs order the accesses.
  public private(set) var descriptor: CInt
  public let granted: SerialOptions
  private let buffer: UnsafeMutableRawBufferPointer

  /// How long connecting may take in all, the name's look-up aside. Less than `PortTiming.stuckAfter`: a server that
  /// does not answer is no stuck driver.
  static let connectLimit = Duration.seconds(8)
  static let bufferSize = 4096
  /// About what the kernel keeps of what the server does not take: the rest is refused, and the write says so in time.
  static let sendBufferSize: CInt = 16_384
  /// A server without power or cable is noticed after idle + interval × probes, however little is sent: 60 s.
  static let keepalive = (idle: CInt(30), interval: CInt(10), probes: CInt(3))
  static let userTimeout = Duration.seconds(60)

  /// Looks the name up and connects. May wait: not on the loop.
  ///
  /// - Throws: `PortError`: `.absent` where nobody answers, `.forbidden`, `.failed`.
  init(
    _ options: SerialOptions, host: String, port: UInt16, within limit: Duration = TCPStream.connectLimit
  ) throws(PortError) {
    let descriptor = try Connecting(options.path, host: host, port: port, within: limit).run()
    let milliseconds = UInt32(clamping: Self.userTimeout.wholeMilliseconds)
    let keepalive = Self.keepalive
    do {
      try check("setsockopt") { bg_tcp_send_at_once(descriptor, Self.sendBufferSize) }
      try check("setsockopt") {
        bg_tcp_watch_peer(descriptor, milliseconds, keepalive.idle, keepalive.interval, keepalive.probes)
      }
    } catch {
      Glibc.close(descriptor)
      throw PortError(code: .failed, message: "cannot set up the connection to \(options.path)", cause: error)
    }
    self.descriptor = descriptor
    granted = options
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 1)
  }

  deinit {
    close()
    buffer.deallocate()
  }

  public func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)? {
    let room = min(max(1, limit), buffer.count)
    let count: Int
    let time: CaptureTime
    do {
      count = try check("recv") { recv(descriptor, buffer.baseAddress, room, 0) }
      time = .now()
    } catch {
      if error.errno == EAGAIN { return nil }
      throw .disconnected(granted.path, error)
    }
    // Half closed is gone: what can send no answer is no line.
    guard count > 0 else { throw .disconnected(granted.path) }
    return (Array(buffer.prefix(count)), time)
  }

  public func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int {
    guard !bytes.isEmpty else { return 0 }
    do {
      return try check("send") {
        bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      }
    } catch {
      if error.errno == EAGAIN { return 0 }
      throw .disconnected(granted.path, error)
    }
  }

  public func readCounters() -> DriverCounters? { nil }

  /// Never waits: a socket without SO_LINGER sends its rest without us.
  public func close() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }
}
