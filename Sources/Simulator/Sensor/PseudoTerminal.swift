internal import Foundation

/// A pty pair that stands in for a serial port: the daemon opens the slave through a symbolic link.
///
/// The slave is held open here as well, so that the master does not hang up when the daemon closes its end; what is written
/// meanwhile waits in the kernel.
final class PseudoTerminal {
  let master: CInt
  private let slave: CInt
  private let link: String

  /// Makes the pair in raw mode and puts the link in place of whatever stands there.
  ///
  /// - Throws: ``SensorError``.
  init(link: String) throws(SensorError) {
    var master: CInt = -1
    var slave: CInt = -1
    var name = [CChar](repeating: 0, count: 128)
    guard openpty(&master, &slave, &name, nil, nil) == 0 else { throw SensorError("openpty") }
    self.master = master
    self.slave = slave
    self.link = link
    var settings = termios()
    tcgetattr(slave, &settings)
    cfmakeraw(&settings)
    tcsetattr(slave, TCSANOW, &settings)
    for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    let path = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    let fresh = "\(link).new"
    Foundation.unlink(fresh)
    guard symlink(path, fresh) == 0, rename(fresh, link) == 0 else { throw SensorError("symlink \(link)") }
  }

  /// Both ends go, as when a USB adapter is pulled: the daemon's descriptor hangs up. The link goes too.
  deinit {
    Foundation.unlink(link)
    close(master)
    close(slave)
  }

  /// Bytes nobody has read yet.
  var unread: Int {
    var count: CInt = 0
    return ioctl(slave, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }
}

/// A system call of a virtual sensor that failed.
public struct SensorError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
}
