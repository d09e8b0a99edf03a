internal import CKernel
internal import Telemetry

/// Whom the kernel names as the holder of our lines; `gpioinfo` shows it.
let gpioConsumer = "baudgate"

extension gpio_v2_line_request {
  /// Edges the kernel keeps until they are read; of more, the oldest are dropped.
  static let eventBufferSize: UInt32 = 64
  /// The same where each edge counts: the kernel's own bound for it, GPIO_V2_LINES_MAX * 16.
  static let countedBufferSize: UInt32 = 1024

  /// What one configured line is requested with. An output's value travels with it, so that no relay clicks.
  ///
  /// - Parameter offset: The line's number, where the options have its name.
  init(_ line: GPIOLineOptions, offset: UInt32? = nil) {
    self.init()
    num_lines = 1
    offsets.0 = offset ?? line.offset ?? 0
    withUnsafeMutableBytes(of: &consumer) { $0.copyBytes(from: gpioConsumer.utf8.prefix($0.count - 1)) }
    config.flags = line.flags
    switch line.direction {
    case .output:
      config.num_attrs = 1
      config.attrs.0.attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES.rawValue
      config.attrs.0.attr.values = line.initial ? 1 : 0
      config.attrs.0.mask = 1
    case .input:
      event_buffer_size = line.meter == nil ? Self.eventBufferSize : Self.countedBufferSize
      guard line.debounceMicroseconds > 0 else { break }
      config.num_attrs = 1
      config.attrs.0.attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE.rawValue
      config.attrs.0.attr.debounce_period_us = line.debounceMicroseconds
      config.attrs.0.mask = 1
    }
  }

  /// The same input as a line that is only read: for a chip without an interrupt for it, which does not debounce either.
  var withoutEdges: gpio_v2_line_request {
    var request = self
    let edges = [GPIO_V2_LINE_FLAG_EDGE_RISING, GPIO_V2_LINE_FLAG_EDGE_FALLING].reduce(0) { $0 | UInt64($1.rawValue) }
    request.config.flags &= ~edges
    request.config.num_attrs = 0
    request.config.attrs.0 = gpio_v2_line_config_attribute()
    request.event_buffer_size = 0
    return request
  }
}

extension GPIOLineOptions {
  fileprivate var flags: UInt64 {
    var flags: [gpio_v2_line_flag] = isActiveLow ? [GPIO_V2_LINE_FLAG_ACTIVE_LOW] : []
    switch direction {
    case .output: flags.append(GPIO_V2_LINE_FLAG_OUTPUT)
    case .input:
      flags.append(GPIO_V2_LINE_FLAG_INPUT)
      if edges.contains(true) { flags.append(GPIO_V2_LINE_FLAG_EDGE_RISING) }
      if edges.contains(false) { flags.append(GPIO_V2_LINE_FLAG_EDGE_FALLING) }
      switch bias {
      case .asIs: break
      case .pullUp: flags.append(GPIO_V2_LINE_FLAG_BIAS_PULL_UP)
      case .pullDown: flags.append(GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN)
      case .disabled: flags.append(GPIO_V2_LINE_FLAG_BIAS_DISABLED)
      }
    }
    return flags.reduce(0) { $0 | UInt64($1.rawValue) }
  }

  fileprivate var debounceMicroseconds: UInt32 {
    let (seconds, attoseconds) = debounce.components
    // An hour at most, so that the product fits; the configuration allows far less.
    return UInt32(clamping: min(seconds, 3600) * 1_000_000 + attoseconds / 1_000_000_000_000)
  }
}

extension CaptureTime {
  /// When a kernel's event happened.
  ///
  /// - Parameters:
  ///   - nanoseconds: The event's `CLOCK_MONOTONIC`.
  ///   - now: The present by the same clock, in nanoseconds.
  ///   - capture: The present. It stands for an event that claims to come from the future, or from before an hour.
  init(monotonic nanoseconds: UInt64, now: UInt64, capture: CaptureTime) {
    self = capture
    let (age, isFuture) = now.subtractingReportingOverflow(nanoseconds)
    guard !isFuture, age <= 3_600_000_000_000 else { return }
    milliseconds -= Int64(age / 1_000_000)
    boottime -= Int64(age / 1_000_000)
  }
}
