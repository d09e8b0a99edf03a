internal import Glibc

extension SysfsError {
  /// In words; what of the sensor it concerns stands before them.
  ///
  /// Source: errno(3); what drivers mean by it, from the kernel's drivers/iio, drivers/hwmon and drivers/thermal.
  var fault: DecodingFault {
    switch errno {
    case ENOENT, ENOTDIR: DecodingFault(.absent, "\(path) is not there")
    case EACCES, EPERM:
      DecodingFault(
        .forbidden, "may not read \(path); let a udev rule give the service's user access to it, see docs/sysfs.md")
    default: DecodingFault(.unreadable, "cannot read \(path): \(reason)")
    }
  }

  var reason: String {
    switch errno {
    case EAGAIN: "its driver is not ready (EAGAIN)"
    case EBUSY: "the chip is busy (EBUSY); does another program capture from it?"
    case EINVAL: "its driver refuses (EINVAL); is it switched off?"
    case EIO: "the chip did not answer, or not as it should (EIO); check its wiring"
    case ENODATA: "its driver has no value (ENODATA); is the channel switched off?"
    case ENODEV: "its driver has lost the device (ENODEV)"
    case ENXIO: "nothing answers at the chip's address (ENXIO); check its wiring and power"
    case EREMOTEIO: "nothing answers at the chip's address (EREMOTEIO); check its wiring and power"
    case EROFS: "it is read-only for the service (EROFS)"
    case ETIMEDOUT: "the chip did not answer in time (ETIMEDOUT); check its wiring and power"
    case EACCES, EPERM: "the permissions say no"
    default: "error number \(errno)"
    }
  }
}

extension DecodingFault {
  /// Whether the same read may well succeed a moment later.
  var isWorthRetrying: Bool {
    switch code {
    case .unreadable, .badChecksum, .implausible, .notNumber: true
    default: false
    }
  }

  /// The same with what it concerns before it, `tank: cannot read …`.
  func of(_ subject: String) -> DecodingFault { DecodingFault(code, "\(subject): \(message)") }
}
