internal import CKernel
internal import EventLoop

/// The calls for what not every serial line has, one function for each ioctl, without an opinion.
///
/// Source: ioctl_tty(2), TIOCMSET(2const), Documentation/driver-api/serial/serial-rs485.rst, linux/serial.h.
protocol LineControl {
  /// TIOCSRS485.
  func setRS485(_ wanted: bg_rs485) throws(SystemError)
  /// TIOCGRS485.
  func rs485() throws(SystemError) -> bg_rs485
  /// TIOCMBIC, then TIOCMBIS: bits of `bg_modem`.
  func setModemLines(raised: UInt32, lowered: UInt32) throws(SystemError)
  /// TIOCMGET: bits of `bg_modem` that are raised.
  func modemLines() throws(SystemError) -> UInt32
  /// TIOCSSERIAL with ASYNC_LOW_LATENCY.
  func setLowLatency() throws(SystemError)
  /// TIOCGSERIAL.
  func isLowLatency() throws(SystemError) -> Bool
}

/// The kernel's.
struct KernelLineControl: LineControl {
  let descriptor: CInt

  func setRS485(_ wanted: bg_rs485) throws(SystemError) {
    var wanted = wanted
    try check("ioctl TIOCSRS485") { bg_serial_set_rs485(descriptor, &wanted) }
  }

  func rs485() throws(SystemError) -> bg_rs485 {
    var granted = bg_rs485()
    try check("ioctl TIOCGRS485") { bg_serial_rs485(descriptor, &granted) }
    return granted
  }

  func setModemLines(raised: UInt32, lowered: UInt32) throws(SystemError) {
    try check("ioctl TIOCMBIS") { bg_serial_set_modem(descriptor, raised, lowered) }
  }

  func modemLines() throws(SystemError) -> UInt32 {
    var raised: UInt32 = 0
    try check("ioctl TIOCMGET") { bg_serial_modem(descriptor, &raised) }
    return raised
  }

  func setLowLatency() throws(SystemError) {
    try check("ioctl TIOCSSERIAL") { bg_serial_set_low_latency(descriptor) }
  }

  func isLowLatency() throws(SystemError) -> Bool {
    var isLow: CInt = 0
    try check("ioctl TIOCGSERIAL") { bg_serial_low_latency(descriptor, &isLow) }
    return isLow != 0
  }
}
