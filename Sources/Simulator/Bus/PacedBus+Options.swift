extension PacedBus {
  /// What a bus is like.
  public struct Options: Sendable, Hashable {
    /// Bits per second; a character takes 11 bit times.
    public var baud: Int
    /// Whether the master hears what it sends, as with adapters that leave their receiver on.
    public var echoes = false
    /// Whether the master hears up to three stray bytes before each answer and up to two after it.
    public var isNoisy = false
    /// How the master's receiver hands bytes over: a UART's FIFO unless set.
    public var receiver: Receiver = .uart
    /// Whether `passages` are kept.
    public var keepsPassages = false

    public enum Receiver: Sendable, Hashable {
      /// 16 bytes or 1 ms.
      case uart
      /// Each byte alone, at once.
      case byteByByte
      /// All that came within that time at once, 62 bytes at most: a USB adapter with that latency timer.
      case burst(Duration)
    }

    public init(baud: Int) { self.baud = baud }

    var masterTiming: WireTiming {
      switch receiver {
      case .uart: .uart(baud: baud)
      case .byteByByte: WireTiming(baud: baud, latency: .zero, capacity: 1)
      case .burst(let latency): WireTiming(baud: baud, latency: latency, capacity: 62)
      }
    }
  }

  /// Which end of the line sent something.
  public enum End: Sendable, Hashable { case master, slave }

  /// What one end sent without a pause.
  public struct Passage: Sendable, Hashable {
    public var from: End
    public var bytes: [UInt8]
    /// When its first start bit began and its last stop bit was over, nanoseconds of `CLOCK_MONOTONIC`.
    public var start: UInt64
    public var end: UInt64
  }

  /// What was counted since the bus was made.
  public struct Counts: Sendable, Hashable {
    public var fromMaster = 0
    public var fromSlave = 0
    /// How often one end began while the other was sending. The bytes of both arrive spoiled.
    public var collisions = 0
    /// Bytes that an end did not take: nobody had it open, or it did not read.
    public var lost = 0
    public var noise = 0
  }
}
