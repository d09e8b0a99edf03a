import Foundation

/// A serial line without pacing: what the test writes is what the daemon reads, at once.
///
/// The slave end stays open here, so that bytes sent while no daemon reads wait in the kernel as in a UART's buffer.
final class PtyLine: @unchecked Sendable {
  // @unchecked: each test drives its own, one step after the other.
  /// The symbolic link the daemon opens.
  let path: String
  private var master: CInt = -1
  private var slave: CInt = -1

  init(_ path: String) throws {
    self.path = path
    try plug()
  }

  deinit { unplug() }

  func plug() throws {
    var name = [CChar](repeating: 0, count: 128)
    guard openpty(&master, &slave, &name, nil, nil) == 0 else {
      throw DaemonProcess.Failure("openpty: \(String(cString: strerror(errno)))")
    }
    var settings = termios()
    tcgetattr(slave, &settings)
    cfmakeraw(&settings)
    tcsetattr(slave, TCSANOW, &settings)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    node = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    unlink(path)
    symlink(node, path)
  }

  /// From now on only who has opened it holds the slave end, as with a real device.
  func letGo() {
    if slave >= 0 { close(slave) }
    slave = -1
  }

  /// The slave's node, `/dev/pts/5`.
  private(set) var node = ""

  /// Both ends go: the daemon's descriptor hangs up.
  func unplug() {
    if master >= 0 { close(master) }
    if slave >= 0 { close(slave) }
    master = -1
    slave = -1
    unlink(path)
  }

  /// Writes all of it, as fast as the other side reads; fails when nobody reads for 30 s.
  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(master, $0.baseAddress, min($0.count, 1024)) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      var descriptor = pollfd(fd: master, events: Int16(POLLOUT), revents: 0)
      guard errno == EAGAIN, poll(&descriptor, 1, 30_000) > 0 else {
        throw DaemonProcess.Failure("the line takes no more bytes: \(String(cString: strerror(errno)))")
      }
    }
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  /// What the daemon has written since the last call.
  func received() -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(master, &chunk, chunk.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk.prefix(count)
    }
  }

  /// Bytes the daemon has not read yet.
  var unread: Int {
    var count: CInt = 0
    _ = ioctl(slave, UInt(FIONREAD), &count)
    return Int(count)
  }
}
