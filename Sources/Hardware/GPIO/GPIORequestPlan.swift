internal import CKernel
internal import EventLoop
internal import Glibc
internal import Telemetry

/// How a line is requested: an input with its edges, and without them where the chip has no interrupt for it.
enum GPIORequestPlan {
  /// The kernel's own ENOTSUPP, which drivers let through; <linux/errno.h>.
  private static let notSupported: CInt = 524

  /// - Parameter attempt: Asks the kernel.
  /// - Returns: The request as it was granted, and whether the line must be polled.
  /// - Throws: What the first attempt was answered, where a second one would not do or did not.
  static func request(
    _ options: GPIOLineOptions, offset: UInt32,
    attempt: (inout gpio_v2_line_request) throws(SystemError) -> Void
  ) throws(SystemError) -> (gpio_v2_line_request, isPolled: Bool) {
    var request = gpio_v2_line_request(options, offset: offset)
    do throws(SystemError) {
      try attempt(&request)
      return (request, false)
    } catch {
      guard options.direction == .input, lacksInterrupt(error) else { throw error }
      var plain = gpio_v2_line_request(options, offset: offset).withoutEdges
      do throws(SystemError) { try attempt(&plain) } catch _ { throw error }
      return (plain, true)
    }
  }

  /// ENXIO is the GPIO core's answer for a line without an interrupt; the others are those of interrupt controllers that
  /// cannot tell one edge or both.
  private static func lacksInterrupt(_ error: SystemError) -> Bool {
    [ENXIO, EOPNOTSUPP, EINVAL, ENOSYS, notSupported].contains(error.errno)
  }
}

extension GPIOChange {
  /// - Parameters:
  ///   - missed: How many events the kernel has dropped before this one.
  ///   - now: The present, `CLOCK_MONOTONIC` in nanoseconds.
  ///   - capture: The present.
  init(_ event: gpio_v2_line_event, missed: UInt32, now: UInt64, capture: CaptureTime) {
    self.init(
      value: event.id == GPIO_V2_LINE_EVENT_RISING_EDGE.rawValue,
      time: CaptureTime(monotonic: event.timestamp_ns, now: now, capture: capture), nanoseconds: event.timestamp_ns,
      missed: missed)
  }
}
