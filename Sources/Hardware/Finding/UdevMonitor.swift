internal import CUdev
internal import EventLoop
internal import Glibc

/// udev's events of serial lines; the kernel's own where no udevd runs. A filter in the kernel keeps udevd's events of
/// other devices from waking us; the kernel's own all come.
///
/// Source: udev_monitor_receive_device(3), udev_monitor_new_from_netlink(3), which says that without udevd its group
/// stays silent.
final class UdevMonitor: DeviceNewsSource, @unchecked Sendable {
  // @unchecked: made on the pool, then used on the loop alone.

  /// Bytes the kernel keeps for us: some hundred events, a rack of adapters plugged in at once.
  static let bufferSize: CInt = 256 << 10
  /// Either is there while udevd is.
  private static let controls = ["/run/udev/control", "/run/udev/io.systemd.Udev"]

  let isUdev: Bool
  let descriptor: CInt
  private let udev: OpaquePointer
  private let monitor: OpaquePointer

  /// May read files of udev's: not on the loop.
  init() throws(SystemError) {
    isUdev = Self.controls.contains(where: KernelTree.exists)
    guard let udev = udev_new() else { throw SystemError("udev_new") }
    guard let monitor = udev_monitor_new_from_netlink(udev, isUdev ? "udev" : "kernel") else {
      let error = SystemError("udev_monitor_new_from_netlink")
      udev_unref(udev)
      throw error
    }
    (self.udev, self.monitor) = (udev, monitor)
    descriptor = udev_monitor_get_fd(monitor)
    // Without it the kernel's default stands, which is as good on most systems.
    udev_monitor_set_receive_buffer_size(monitor, Self.bufferSize)
    try Self.check("udev_monitor_filter", udev_monitor_filter_add_match_subsystem_devtype(monitor, "tty", nil))
    try Self.check("udev_monitor_enable_receiving", udev_monitor_enable_receiving(monitor))
  }

  deinit {
    udev_monitor_unref(monitor)
    udev_unref(udev)
  }

  private static func check(_ call: String, _ result: CInt) throws(SystemError) {
    guard result >= 0 else { throw SystemError(call, errno: -result) }
  }

  func next() -> DeviceNews {
    errno = 0
    guard let device = udev_monitor_receive_device(monitor) else {
      let error = SystemError("udev_monitor_receive_device")
      switch error.errno {
      case 0, EAGAIN, EINTR: return .nothing
      case ENOBUFS: return .overflow
      default: return .failed(error)
      }
    }
    defer { udev_device_unref(device) }
    guard let action = udev_device_get_action(device), let directory = udev_device_get_syspath(device) else {
      return .appeared
    }
    // bind, unbind, move, change: each may have made what was missing right.
    return strcmp(action, "remove") == 0 ? .removed(directory: String(cString: directory)) : .appeared
  }
}
