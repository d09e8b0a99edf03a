/// When the bytes of a serial line reach the program that reads it.
public struct WireTiming: Sendable, Hashable {
  /// Bits per second.
  public var baud: Int
  /// How long the receiver holds bytes back to hand over more at once.
  public var latency: Duration
  /// Bytes at which it hands them over sooner.
  public var capacity: Int

  /// Start bit, eight data bits, parity or a second stop bit, stop bit: the most a character takes.
  public static let bitsPerCharacter = 11

  /// A UART on the board with its FIFO of 16 bytes (16550).
  public static func uart(baud: Int) -> WireTiming {
    WireTiming(baud: baud, latency: .milliseconds(1), capacity: 16)
  }

  /// A USB adapter: a packet every 16 ms, or when its 62 bytes are full (FTDI's default latency timer).
  public static func usbAdapter(baud: Int) -> WireTiming {
    WireTiming(baud: baud, latency: .milliseconds(16), capacity: 62)
  }

  public init(baud: Int, latency: Duration, capacity: Int) {
    self.baud = max(1, baud)
    self.latency = max(.zero, latency)
    self.capacity = max(1, capacity)
  }

  /// Nanoseconds.
  var characterTime: UInt64 { UInt64(Self.bitsPerCharacter * 1_000_000_000 / baud) }
  var latencyTime: UInt64 {
    UInt64(latency.components.seconds) * 1_000_000_000 + UInt64(latency.components.attoseconds / 1_000_000_000)
  }
}
