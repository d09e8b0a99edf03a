public import EventLoop
internal import Glibc

/// Why a USB device was not reset. Programs act on `code`, people on `message`.
public struct USBError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    /// The line, or its device, is not there.
    case absent
    /// The line is there and belongs to no USB device.
    case notUSB
    /// The permissions say no.
    case forbidden
    /// Anything else the kernel said.
    case failed
  }

  public let code: Code
  /// What happened and what can be done, without a capital and a full stop.
  public let message: String
  /// The call that failed, and its error number.
  public let cause: SystemError?

  public init(code: Code, message: String, cause: SystemError? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// `may not write /dev/bus/usb/001/004; … (open: Permission denied)`
  public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}

extension USBError {
  static func absent(_ line: String) -> USBError {
    USBError(code: .absent, message: "\(line) is not there, so its USB device is not known; is it plugged in?")
  }

  static func notUSB(_ line: String) -> USBError {
    USBError(code: .notUSB, message: "\(line) belongs to no USB device; take usb-reset out of its `silent:`")
  }

  /// open(2) of the device's node failed.
  static func opening(_ device: USBDevice, _ cause: SystemError) -> USBError {
    switch cause.errno {
    case ENOENT, ENODEV, ENXIO:
      USBError(code: .absent, message: "\(device.path) is not there: was \(device.name) unplugged?", cause: cause)
    case EACCES, EPERM:
      USBError(
        code: .forbidden,
        message: """
          may not write \(device.path); install etc/udev/60-baudgate.rules, add a line with the adapter's vendor where it \
          has none, and plug it in again
          """, cause: cause)
    default: USBError(code: .failed, message: "cannot open \(device.path)", cause: cause)
    }
  }

  /// The device did not come through its reset.
  static func resetting(_ device: USBDevice, _ cause: SystemError) -> USBError {
    switch cause.errno {
    case ENODEV, ENOENT:
      USBError(
        code: .absent,
        message: "the USB device \(device.name) did not come back from its reset; unplug it, or cut its power",
        cause: cause)
    case EACCES, EPERM:
      USBError(code: .forbidden, message: "may not reset the USB device \(device.name)", cause: cause)
    default:
      USBError(
        code: .failed, message: "the USB device \(device.name) was not reset; unplug it where it stays silent",
        cause: cause)
    }
  }
}
