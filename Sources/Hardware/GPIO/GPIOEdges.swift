/// Edges of a line that is counted or measured, oldest first.
public struct GPIOEdges: Sendable, Equatable {
  public var line: String
  public var edges: [GPIOEdge]

  public init(line: String, edges: [GPIOEdge]) {
    self.line = line
    self.edges = edges
  }
}

/// One edge that was asked for.
public struct GPIOEdge: Sendable, Equatable {
  /// The level it led to.
  public var value: Bool
  /// When, `CLOCK_MONOTONIC` in nanoseconds; by the kernel's word where it has an interrupt for the line.
  public var nanoseconds: UInt64
  /// How many edges before it the kernel had no room for.
  public var missed: UInt32

  public init(_ value: Bool, at nanoseconds: UInt64, missed: UInt32 = 0) {
    self.value = value
    self.nanoseconds = nanoseconds
    self.missed = missed
  }
}

/// Finds gaps in the numbers the kernel gives a line's events: what it dropped for want of room.
///
/// The first event of a request has the number 1; of a full buffer the oldest event goes. Source: <linux/gpio.h>,
/// drivers/gpio/gpiolib-cdev.c, linereq_put_event.
struct LineSequence {
  private var last: UInt32 = 0

  /// - Returns: How many events are missing before this one.
  mutating func gap(before number: UInt32) -> UInt32 {
    let gap = number &- last &- 1
    last = number
    // A number that was there already is no gap, whatever it means.
    return gap < 1 << 31 ? gap : 0
  }
}
