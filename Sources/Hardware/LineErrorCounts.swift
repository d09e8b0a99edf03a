internal import CKernel

/// What the driver counted on a line since Baudgate first opened it, over all openings.
///
/// Source: TIOCGICOUNT(2const).
public struct LineErrorCounts: Sendable, Hashable {
  /// Characters lost because the UART was not emptied in time.
  public var overrun: UInt64 = 0
  /// Characters without a stop bit: often a wrong baud rate.
  public var framing: UInt64 = 0
  public var parity: UInt64 = 0
  /// Line breaks.
  public var breaks: UInt64 = 0
  /// Characters lost because the kernel's buffer was full.
  public var bufferOverrun: UInt64 = 0

  public init(
    overrun: UInt64 = 0, framing: UInt64 = 0, parity: UInt64 = 0, breaks: UInt64 = 0, bufferOverrun: UInt64 = 0
  ) {
    self.overrun = overrun
    self.framing = framing
    self.parity = parity
    self.breaks = breaks
    self.bufferOverrun = bufferOverrun
  }
}

/// The driver's counters at one moment: 32 bits, wrapping, and back at 0 after a re-plug.
public struct DriverCounters: Sendable, Hashable {
  public var overrun: UInt32 = 0
  public var framing: UInt32 = 0
  public var parity: UInt32 = 0
  public var breaks: UInt32 = 0
  public var bufferOverrun: UInt32 = 0

  public init(
    overrun: UInt32 = 0, framing: UInt32 = 0, parity: UInt32 = 0, breaks: UInt32 = 0, bufferOverrun: UInt32 = 0
  ) {
    self.overrun = overrun
    self.framing = framing
    self.parity = parity
    self.breaks = breaks
    self.bufferOverrun = bufferOverrun
  }
}

extension LineErrorCounts {
  /// Adds what was counted between two moments of one opening.
  mutating func add(from before: DriverCounters, to now: DriverCounters) {
    overrun &+= UInt64(now.overrun &- before.overrun)
    framing &+= UInt64(now.framing &- before.framing)
    parity &+= UInt64(now.parity &- before.parity)
    breaks &+= UInt64(now.breaks &- before.breaks)
    bufferOverrun &+= UInt64(now.bufferOverrun &- before.bufferOverrun)
  }
}
