/// `ports.NAME.rs485`: the kernel switches the line's driver. Source: Documentation/driver-api/serial/serial-rs485.rst.
public struct RS485Options: Sendable, Hashable {
  /// RTS while sending: on, or off with `rts_on_send: false`. After sending it is the other.
  public var rtsOnSend = true
  /// Whether we hear what we send.
  public var receivesOwn = false
  /// Between RTS and the first bit, whole milliseconds.
  public var delayBefore = Duration.zero
  /// Between the last bit and RTS back, whole milliseconds.
  public var delayAfter = Duration.zero

  public init() {}
}
