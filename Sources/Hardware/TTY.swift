internal import CKernel
internal import EventLoop
internal import Glibc
public import Telemetry

/// A serial line of the kernel's: raw, non-blocking, ours alone.
///
/// Source: termios(3), ioctl_tty(2), flock(2).
public final class TTY: ByteStream, @unchecked Sendable {
  // @unchecked: one user at a time, as `ByteStream` says; the hand-overs order the accesses.
  public private(set) var descriptor: CInt
  public let granted: SerialOptions
  private let buffer: UnsafeMutableRawBufferPointer

  /// The kernel's own line buffer (`N_TTY_BUF_SIZE`) holds no more.
  static let bufferSize = 4096

  /// Opens, locks and configures a line, and drops what arrived before. May wait for seconds: not on the loop.
  ///
  /// - Throws: `PortError`: `.absent`, `.forbidden`, `.inUse`, `.notATerminal`, `.gone`, `.failed`.
  @Sendable public static func open(_ options: SerialOptions) throws(PortError) -> any ByteStream {
    try TTY(options)
  }

  init(_ options: SerialOptions) throws(PortError) {
    let path = options.path
    guard let wanted = options.line, !path.utf8.contains(0) else {
      throw .configuring(path, options.notation, SystemError("open", errno: EINVAL))
    }
    let descriptor: CInt
    do {
      // O_NONBLOCK also keeps open(2) from waiting for a carrier.
      descriptor = try check("open") { bg_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0) }
    } catch {
      throw .opening(path, error)
    }
    do throws(PortError) {
      try Self.lock(descriptor, path)
      let control = KernelLineControl(descriptor: descriptor)
      options.setModemLinesAndRS485(by: control)
      let line = options.granted(try Self.configure(descriptor, wanted, options))
      granted = options.completing(line, by: control)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 1)
  }

  deinit {
    close()
    buffer.deallocate()
  }

  /// Takes the line for this process alone.
  private static func lock(_ descriptor: CInt, _ path: String) throws(PortError) {
    guard isatty(descriptor) == 1 else {
      let cause = SystemError("isatty")
      // EIO is a line without hardware, or one that hung up meanwhile.
      throw cause.errno == EIO ? .configuring(path, "raw mode", cause) : .notATerminal(path)
    }
    // TIOCEXCL does not stop the superuser, so a second daemon is kept off by flock(2).
    do {
      try check("flock") { flock(descriptor, LOCK_EX | LOCK_NB) }
    } catch {
      throw error.errno == EWOULDBLOCK ? .inUse(path, error) : .opening(path, error)
    }
    // The flag lives as long as the tty, and a pty lives as long as its master is open: set there, it would lock out
    // our own next start after a crash.
    if bg_serial_is_pty(descriptor) == 0 { _ = bg_serial_set_exclusive(descriptor, 1) }
  }

  private static func configure(
    _ descriptor: CInt, _ wanted: bg_line_settings, _ options: SerialOptions
  ) throws(PortError) -> bg_line_settings {
    var wanted = wanted
    var granted = bg_line_settings()
    do {
      try check("ioctl TCSETS2") { bg_serial_configure(descriptor, &wanted, &granted) }
      // What was buffered came at another rate, or long ago.
      try check("ioctl TCFLSH") { bg_serial_flush_input(descriptor) }
    } catch {
      throw .configuring(options.path, options.notation, error)
    }
    return granted
  }

  public func read(atMost limit: Int) throws(PortError) -> (bytes: [UInt8], time: CaptureTime)? {
    let room = min(max(1, limit), buffer.count)
    let count: Int
    let time: CaptureTime
    do {
      count = try check("read") { Glibc.read(descriptor, buffer.baseAddress, room) }
      time = .now()
    } catch {
      if error.errno == EAGAIN { return nil }
      throw .transferring(granted.path, error)
    }
    guard count > 0 else { throw .gone(granted.path) }
    return (Array(buffer.prefix(count)), time)
  }

  public func write(_ bytes: ArraySlice<UInt8>) throws(PortError) -> Int {
    guard !bytes.isEmpty else { return 0 }
    do {
      return try check("write") { bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } }
    } catch {
      if error.errno == EAGAIN { return 0 }
      throw .transferring(granted.path, error)
    }
  }

  public func readCounters() -> DriverCounters? {
    var errors = bg_line_errors()
    guard bg_serial_errors(descriptor, &errors) == 0 else { return nil }
    return DriverCounters(
      overrun: errors.overrun, framing: errors.framing, parity: errors.parity, breaks: errors.break_conditions,
      bufferOverrun: errors.buffer_overrun)
  }

  public func close() {
    guard descriptor >= 0 else { return }
    // Close would wait until unsent bytes are out, up to 30 s with flow control (tty_port.c, `closing_wait`).
    _ = bg_serial_flush_output(descriptor)
    _ = bg_serial_set_exclusive(descriptor, 0)
    // Not repeated after EINTR: Linux has freed the number by then, close(2).
    Glibc.close(descriptor)
    descriptor = -1
  }
}
